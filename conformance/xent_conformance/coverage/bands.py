"""Bands of sizes: the numbers next to each power of two one by one, and the stretches between them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

#: Rows and classes up to here are expected of every ten seeds.
TOP = 65536


def _starts() -> list[int]:
    """The first numbers of all bands: those up to 4, then 2^k - 1, 2^k, 2^k + 1 and what follows up to the next."""
    starts = [1, 2, 3, 4]
    for power in (2**k for k in range(3, TOP.bit_length())):
        starts += [power // 2 + 1, power // 2 + 2, power - 1, power]
    return sorted({*starts, TOP + 1})


_STARTS = _starts()
#: Every band by its first and its last number.
BANDS = tuple((first, after - 1) for first, after in pairwise(_STARTS))


def band_of(size: int) -> tuple[int, int] | None:
    """The band that a size lies in; None for zero and for what is larger than all of them."""
    return BANDS[bisect_right(_STARTS, size) - 1] if 1 <= size <= TOP else None


def named(band: tuple[int, int]) -> str:
    """A band as text, such as 66-126."""
    first, last = band
    return str(first) if first == last else f"{first}-{last}"
