"""Covering arrays: a short list of rows in which every combination of the levels of any three factors occurs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt

STRENGTH = 3
#: Candidates for each row of the array. More of them shorten the array by a few rows and cost time in proportion.
CANDIDATES = 48


def covering_array(levels: Sequence[int], count: int | None = None) -> tuple[tuple[int, ...], ...]:
    """The first ``count`` rows of level numbers, or all: one column a factor, ``levels[f]`` levels in factor f.

    Greedy and deterministic: of several candidates that each contain a missing combination, the one that covers most is
    taken. The first rows therefore cover most, so a prefix is a good smaller array, and computing it costs less.
    """
    found = _started(tuple(levels))
    found.rows.extend(islice(found.more, None if count is None else max(0, count - len(found.rows))))
    return tuple(found.rows[:count])


class _Started:
    """The rows of a covering array that have been computed so far."""

    def __init__(self, levels: tuple[int, ...]) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.more = _greedy(levels)


@cache
def _started(levels: tuple[int, ...]) -> _Started:
    return _Started(levels)


def _greedy(levels: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    rng = np.random.default_rng(0)
    missing = _Missing(np.array(levels))
    while missing.counts.any():
        candidates = rng.integers(0, levels, size=(CANDIDATES, len(levels)))
        open_tuples = np.flatnonzero(missing.counts)
        for row in candidates:
            # One missing combination in every candidate, so that the array always grows.
            missing.write(row, int(open_tuples[int(rng.integers(len(open_tuples)))]), rng)
        places = missing.places(candidates)
        best = int(np.argmax(missing.flags[places].sum(axis=1)))
        missing.cover(places[best])
        yield tuple(int(v) for v in candidates[best])


class _Missing:
    """Which combinations of the levels of any three factors have not occurred yet, as one long row of flags."""

    def __init__(self, levels: npt.NDArray[np.int64]) -> None:
        self.factors = np.array(list(combinations(range(len(levels)), min(STRENGTH, len(levels)))))
        self.sizes = levels[self.factors]
        self.counts = self.sizes.prod(axis=1)
        self.starts = np.cumsum(self.counts) - self.counts
        # Of each tuple the last factor runs fastest.
        self.steps = self.counts[:, None] // np.cumprod(self.sizes, axis=1)
        self.flags = np.ones(int(self.counts.sum()), dtype=bool)
        self._stops = self.starts + self.counts

    def places(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where the flags of the combinations in rows are, (rows, tuples)."""
        return np.asarray((rows[:, self.factors] * self.steps).sum(axis=2) + self.starts)

    def write(self, row: npt.NDArray[np.int64], number: int, rng: np.random.Generator) -> None:
        """Write a missing combination of one tuple of factors into a row."""
        places = np.flatnonzero(self.flags[self.starts[number] : self._stops[number]])
        place = places[int(rng.integers(len(places)))]
        row[self.factors[number]] = place // self.steps[number] % self.sizes[number]

    def cover(self, places: npt.NDArray[np.int64]) -> None:
        """Combinations that have occurred now, one of each tuple."""
        self.counts = self.counts - self.flags[places]
        self.flags[places] = False
