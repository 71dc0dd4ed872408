"""Reduces a failing problem to one that a person can read.

It works on the concrete problem: it drops rows and classes, neutralises options, and moves values towards small
integers (see ``simplifications``). A change is retained if the requirement still fails. The number of tries is limited,
so that a witness does not depend on how busy the machine is, and the time as a last resort; if each failure costs a
process, the smallest problems are tried first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice

import numpy as np

from xent_conformance.problem import Problem, identical
from xent_conformance.subproblems import keep_rows
from xent_conformance.witnesses.simplifications import (
    SMALL,
    Places,
    bare_in_place,
    barest,
    fewer_classes,
    fewer_places,
    neutral_except,
    number_arrays,
    places_not_neutral,
    places_on,
    plainer,
    row_axes,
    simpler_elements,
    simpler_whole,
    smaller_squares,
    smallest,
)
from xent_conformance.witnesses.time_left import TimeLeft

#: Tries for a backend whose calls are cheap or whose compilations are limited, and for another one that compiles every
#: new shape.
LIMIT = 300
LIMIT_STATIC_SHAPES = 80
#: From a larger array, no span smaller than one of this many parts is removed at once.
FINEST = 64
#: If an array has this many spans and none can be removed, its failure needs as many places: smaller spans of a larger
#: array are not tried one by one either.
ALL_NEEDED = 8


class Reducer:
    """One reduction: the best problem so far, and the remaining tries."""

    def __init__(
        self,
        problem: Problem,
        still_fails: Callable[[Problem], bool],
        limit: int = LIMIT,
        within: Callable[[Problem], Problem | None] = lambda problem: problem,
        *,
        costly: bool = False,
        lost: bool = False,
        time: TimeLeft | None = None,
    ) -> None:
        """Nothing is tried yet.

        Args:
            problem: The failing problem.
            still_fails: Says whether a problem shows the same failure.
            limit: Most tries.
            within: Changes a problem to be within the backend's claims; None if that is not possible.
            costly: A failing try takes long.
            lost: A failing try costs a process.
            time: When it is over, nothing else is tried; None for no limit.
        """
        self.best = problem
        self.tries = 0
        self._still_fails = still_fails
        self._limit = limit
        self._within = within
        self._time = time
        self._first = [barest, smallest, bare_in_place] if lost else [smallest] if costly else []

    def run(self, row: int | None = None) -> Problem:
        """The reduced problem. ``row`` is the row in which the failure was seen, if there is one."""
        if row is not None:
            self._try(keep_rows(self.best, np.array([row])))
        first = (islice(candidates(self.best), self._limit // 4) for candidates in self._first)
        any(map(self._try, chain.from_iterable(first)))
        while True:
            before = self.best
            self._exhaust(plainer)
            for name in number_arrays(self.best):
                self._try(neutral_except(self.best, np.array([], dtype=np.intp), name))
            for axis in row_axes(self.best):
                self._thin_out(partial(places_on, axis=axis), partial(fewer_places, axis=axis))
            self._thin_out(lambda problem: np.arange(problem.classes), fewer_classes)
            self._exhaust(smaller_squares)
            self._exhaust(plainer)
            names = number_arrays(self.best)
            for name in names:
                self._exhaust(partial(simpler_whole, name=name))
            for name in names:
                self._thin_out(partial(places_not_neutral, name=name), partial(neutral_except, name=name), to_none=True)
            for name in names:
                self._exhaust(partial(simpler_elements, name=name))
            if self.best is before or self.tries >= self._limit:
                return self.best

    def _exhaust(self, candidates: Callable[[Problem], Iterator[Problem | None]]) -> None:
        """Try candidates, starting again from each that still fails."""
        improved = True
        while improved and self.tries < self._limit:
            improved = any(self._try(candidate) for candidate in candidates(self.best))

    def _thin_out(
        self,
        places_of: Callable[[Problem], Places],
        only: Callable[[Problem, Places], Problem | None],
        *,
        to_none: bool = False,
    ) -> None:
        """Remove spans of positions: halves first, down to a 64th of the remaining ones, or to single ones if few.

        After a span that can be removed the next one is tried, not the first again. ``to_none``: all may be removed.
        """
        places = places_of(self.best)
        width, needed = max(len(places) // 2, 1), False
        while self.tries < self._limit and (len(places) <= SMALL or (len(places) <= FINEST * width and not needed)):
            start, several = 0, len(places) >= ALL_NEEDED * width
            while start < len(places) and self.tries < self._limit:
                rest = np.concatenate([places[:start], places[start + width :]])
                if (len(rest) or to_none) and self._try(only(self.best, rest)):
                    places, several = places_of(self.best), False
                else:
                    start += width
            if width == 1:
                return
            needed = several
            width //= 2
        if not to_none:
            self._thin_out_finely(width, places_of, only)

    def _thin_out_finely(
        self, width: int, places_of: Callable[[Problem], Places], only: Callable[[Problem, Places], Problem | None]
    ) -> None:
        """Leave out so many of many places, and fewer, in a few spots: where a failure needs a number of them.

        That number is the edge of a block, or the length of one, and names the fault.
        """
        while width and self.tries < self._limit:
            places = places_of(self.best)
            spots = [len(places) * quarter // 4 for quarter in (2, 1, 3)]
            fewer = (only(self.best, np.delete(places, slice(spot, spot + width))) for spot in spots)
            if len(places) <= width or not any(map(self._try, fewer)):
                width //= 2

    def _try(self, candidate: Problem | None) -> bool:
        candidate = None if candidate is None else self._within(candidate)
        # Within the claims a candidate may be what it was made from: int64 labels where only int32 ones are claimed.
        if candidate is None or self.tries >= self._limit or identical(candidate, self.best):
            return False
        if self._time is not None and self._time.is_over():
            self._limit = self.tries
            return False
        self.tries += 1
        if not self._still_fails(candidate):
            return False
        self.best = candidate
        return True
