"""Bands of sizes: each number next to a power of two is a band of its own, and so is each range between them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

#: The largest size that has a band. Ten seeds together should try rows and classes in every band.
TOP = 65536


def _starts() -> list[int]:
    """The first number of each band: 1 to 4, then 2^k - 1, 2^k, 2^k + 1 and 2^k + 2 for each power of two."""
    starts = [1, 2, 3, 4]
    for power in (2**k for k in range(3, TOP.bit_length())):
        starts += [power // 2 + 1, power // 2 + 2, power - 1, power]
    return sorted({*starts, TOP + 1})


_STARTS = _starts()
#: The first and last number of each band.
BANDS = tuple((first, after - 1) for first, after in pairwise(_STARTS))


def band_of(size: int) -> tuple[int, int] | None:
    """The band of a size; None for zero and for sizes above TOP."""
    return BANDS[bisect_right(_STARTS, size) - 1] if 1 <= size <= TOP else None


def named(band: tuple[int, int]) -> str:
    """A band as text, such as 66-126."""
    first, last = band
    return str(first) if first == last else f"{first}-{last}"
