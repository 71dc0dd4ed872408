"""Covering arrays: a short list of rows in which every combination of the levels of any three factors occurs."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
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


#: Levels of one factor that ``Combinations`` can tell apart.
MOST_LEVELS = 10
#: The worth of two levels that occur together for the first time, where that of three is one.
WORTH_OF_A_PAIR = 10


class Combinations:
    """Which levels of any two and three factors have occurred together, if levels are known only as they occur.

    >>> seen = Combinations()
    >>> rows = [("a", "x", "on"), ("a", "y", "on")]
    >>> seen.take([rows[0]])
    0
    >>> seen.take(rows)  # the one with most that is new
    1
    """

    def __init__(self) -> None:
        """Nothing has occurred."""
        self._numbers: list[dict[Hashable, int]] = []
        self._met = np.zeros((0, 0), dtype=bool)

    def take(self, rows: Sequence[Sequence[Hashable]], worth: Sequence[float] | None = None) -> int:
        """The index of the row with most combinations that have not occurred, times its worth; they have now.

        A new pair counts as several combinations of three, so that rare levels meet each other one early.
        """
        if not self._numbers:
            self._start(len(rows[0]))
        numbered = [[n.setdefault(v, len(n)) for n, v in zip(self._numbers, row, strict=True)] for row in rows]
        levels = np.array(numbered)[:, self._factors] @ MOST_LEVELS ** np.arange(STRENGTH)
        counts = ~self._met[self._places, levels] @ self._worth
        best = int(np.argmax(counts if worth is None else counts * worth))
        self._met[self._places, levels[best]] = True
        return best

    def triples(self) -> int:
        """The number of combinations of three levels that have occurred."""
        return int(self._met[self._worth == 1].sum())

    def _start(self, factors: int) -> None:
        """A flag for each combination, one row for each choice of factors: three, or a pair, as (i, j, j)."""
        threes = list(combinations(range(factors), STRENGTH))
        pairs = [(i, j, j) for i, j in combinations(range(factors), 2)]
        self._numbers = [{} for _ in range(factors)]
        self._factors = np.array([*threes, *pairs])
        self._worth = np.repeat((1, WORTH_OF_A_PAIR), (len(threes), len(pairs)))
        self._places = np.arange(len(self._factors))
        self._met = np.zeros((len(self._factors), MOST_LEVELS**STRENGTH), dtype=bool)
