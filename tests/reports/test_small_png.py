"""A picture in few colours shows the same where it had few."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest

from xent_reports.small_png import small_png

Pixels = npt.NDArray[np.uint8]


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(pixels: Pixels, filters: list[int], *, interlaced: int = 0) -> bytes:
    """A PNG of RGB or RGBA pixels whose rows are filtered as the list says, over and over."""
    height, width, channels = pixels.shape
    lines = []
    for y in range(height):
        kind = filters[y % len(filters)]
        row = [kind]
        for x in range(width):
            for c in range(channels):
                a, b, d = (
                    int(pixels[y - i, x - j, c]) if y >= i and x >= j else 0 for i, j in ((0, 1), (1, 0), (1, 1))
                )
                nearest = min((a, b, d), key=lambda v, p=a + b - d: abs(p - v))  # type: ignore[misc]
                row.append((int(pixels[y, x, c]) - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
        lines.append(bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 6, 0, 0, interlaced)
    data = zlib.compress(b"".join(lines))
    parts = ((b"IHDR", header), (b"IDAT", data[:20]), (b"IDAT", data[20:]), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def shown(picture: bytes) -> Pixels:
    """The pixels of a PNG with a palette and no filters."""
    place, parts = 8, {}
    while place < len(picture):
        (length,) = struct.unpack(">I", picture[place : place + 4])
        name, content = picture[place + 4 : place + 8], picture[place + 8 : place + 8 + length]
        assert picture[place + 8 + length : place + 12 + length] == struct.pack(">I", zlib.crc32(name + content))
        parts[name], place = content, place + 12 + length
    width, height, *kind = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    assert kind == [8, 3, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), dtype=np.uint8).reshape(height, 1 + width)
    assert not rows[:, 0].any()
    return np.frombuffer(parts[b"PLTE"], dtype=np.uint8).reshape(-1, 3)[rows[:, 1:]]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [0, 1, 2, 3, 4]], ids=str)
def test_few_colours_are_all_kept(channels: int, filters: list[int]) -> None:
    """Whatever filters the rows of the original have."""
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (50, channels), dtype=np.uint8)
    pixels = colors[rng.integers(0, 50, (12, 9))]
    assert (shown(small_png(png(pixels, filters))) == pixels[..., :3]).all()


def test_rare_colours_become_the_nearest_common_one() -> None:
    """64 colours stay, and one that is there once is drawn as its neighbour."""
    ramp = np.arange(0, 256, 4, dtype=np.uint8)
    pixels = np.repeat(np.tile(ramp, (2, 1))[..., None], 3, axis=-1)
    pixels[0, 0] = 255, 1, 1
    pixels[0, 1] = 5, 4, 4
    found = shown(small_png(png(pixels, [0])))
    assert found[0, 1].tolist() == [4, 4, 4]
    assert (found[1] == pixels[1]).all()


def test_what_it_does_not_read_is_left_as_it_is() -> None:
    """An interlaced picture."""
    picture = png(np.zeros((2, 2, 3), dtype=np.uint8), [0], interlaced=1)
    assert small_png(picture) == picture
