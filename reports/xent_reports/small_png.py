"""A picture of a page in few colours: a third of the bytes, and nothing of the text is lost."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

#: Colours that are kept: of text on a few grounds the commonest ones are nearly all.
_COLORS = 64
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Bytes = npt.NDArray[np.uint8]


def small_png(picture: bytes) -> bytes:
    """The PNG with a palette of its commonest colours, each other one replaced by the nearest of them.

    Takes what browsers write: 8 bits, RGB or RGBA without transparency, not interlaced; anything else is returned as
    it is. Format: https://www.w3.org/TR/png-3/
    """
    chunks = list(_chunks(picture))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if (depth, interlaced) != (8, 0) or kind not in (2, 6):
        return picture
    data = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    pixels = _unfiltered(data, height, width, 3 if kind == 2 else 4)[..., :3]  # noqa: PLR2004 - colour types of PNG
    palette, indices = _palette(pixels.reshape(-1, 3))
    rows = np.zeros((height, 1 + width), dtype=np.uint8)  # the first byte of a row says: no filter
    rows[:, 1:] = indices.reshape(height, width)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    packed = zlib.compress(rows.tobytes(), 9)
    parts = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", packed), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts)


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place < len(picture):
        (length,) = struct.unpack(">I", picture[place : place + 4])
        yield picture[place + 4 : place + 8], picture[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _unfiltered(data: bytes, height: int, width: int, channels: int) -> Bytes:
    """The pixels, (height, width, channels): a row's filter predicts from the pixel at the left and the row above."""
    rows = np.frombuffer(data, dtype=np.uint8).reshape(height, 1 + width * channels)
    found = np.zeros((height + 1, width + 1, channels), dtype=np.uint8)
    for y in range(height):
        row, above = rows[y, 1:].reshape(width, channels), found[y]
        match rows[y, 0]:
            case 0:
                found[y + 1, 1:] = row
            case 1:
                found[y + 1, 1:] = np.cumsum(row, axis=0, dtype=np.uint8)
            case 2:
                found[y + 1, 1:] = row + above[1:]
            case kind:
                _predicted(found[y + 1], row, above, average=kind == 3)  # noqa: PLR2004 - filter types of PNG
    return found[1:, 1:]


def _predicted(out: Bytes, row: Bytes, above: Bytes, *, average: bool) -> None:
    """Undo the filters Average and Paeth, pixel by pixel."""
    for x, (pixel, up, corner) in enumerate(zip(row.tolist(), above[1:].tolist(), above[:-1].tolist(), strict=True)):
        left = out[x].tolist()
        for c, value in enumerate(pixel):
            guess = (left[c] + up[c]) // 2 if average else _paeth(left[c], up[c], corner[c])
            out[x + 1, c] = (value + guess) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    return min((left, up, corner), key=lambda v: abs(estimate - v))


def _palette(pixels: Bytes) -> tuple[Bytes, Bytes]:
    """The commonest colours, and for each pixel the index of the nearest of them."""
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    colors, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:_COLORS])
    wide = np.stack([colors >> 16, colors >> 8 & 0xFF, colors & 0xFF], axis=1).astype(np.int64)
    distance = ((wide[:, None] - wide[kept][None]) ** 2).sum(axis=-1)
    return wide[kept].astype(np.uint8), distance.argmin(axis=1).astype(np.uint8)[inverse]
