"""Determines whether a callable is compiled: whether the first call with a new shape, option or dtype takes longer.

Two new shapes are timed, two new values of an option and, if neither compiles, two new dtypes of labels. The faster one
of each counts, so that an interruption by other processes is not taken for a compilation. A compiler that makes one
program for all shapes after a few of them does not compile for the second one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

#: A first call has compiled if it takes longer than a repeated one by SECONDS, and by TIMES its time.
SECONDS, TIMES = 0.02, 3.0
#: Shapes of logits and labels, values of options and dtypes of labels that occur in no earlier call of the trial.
SHAPES = (((5, 7), (5,)), ((6, 11), (6,)))
VALUES: tuple[tuple[str, tuple[Any, Any]], ...] = (("label_smoothing", (0.3, 0.7)), ("ignore_index", (-7, -8)))
LABELS = ("int32", "int16")


@dataclass(frozen=True)
class Cost:
    """Seconds that a compilation takes for a new shape, for a new value of an option, and for a new combination of
    dtypes where that alone needs one; 0 if there is none.
    """

    shape: float = 0.0
    option: float = 0.0
    dtypes: float = 0.0

    def __bool__(self) -> bool:
        """Whether anything is compiled."""
        return self.longest > 0

    @property
    def longest(self) -> float:
        """The longest of them."""
        return max(self.shape, self.option, self.dtypes)

    @property
    def claims(self) -> dict[str, Any]:
        """The fields of Capabilities for it."""
        return {"static_shapes": self.shape > 0, "static_options": self.option > 0, "compile_seconds": self.longest}


def cost_of(
    call: Callable[[Any, Mapping[str, Any]], Any],
    problem_of: Callable[..., Any],
    options: Iterable[str],
    reduction: str,
    labels: Iterable[str] = LABELS,
    clock: Callable[[], float] = perf_counter,
) -> Cost:
    """Measure the cost of compilations.

    Args:
        call: Calls the callable with a problem and options.
        problem_of: Makes a problem, optionally with given shapes or with labels of a given dtype.
        options: Names of the options that the callable takes.
        reduction: The reduction of all calls.
        labels: Dtypes of labels to try; none for a callable of logits alone.
        clock: Seconds since some point in time.
    """
    plain = {"reduction": reduction}

    def compilation(problem: Any, how: Mapping[str, Any]) -> float:
        """The time of the first of three equal calls less that of the faster of the others; 0 if nothing compiled."""
        times = []
        for _ in range(3):
            start = clock()
            call(problem, how)
            times.append(clock() - start)
        first, again = times[0], min(times[1:])
        return first - again if first - again > max(SECONDS, TIMES * again) else 0.0

    def shortest(calls: Iterable[tuple[Any, Mapping[str, Any]]]) -> float:
        """The shortest compilation of several calls, 0 of none; calls after one without a compilation are not made."""
        times = []
        for problem, how in calls:
            times.append(compilation(problem, how))
            if not times[-1]:
                break
        return min(times, default=0.0)

    name, values = next(((name, values) for name, values in VALUES if name in options), ("", ()))
    of_shape = shortest((problem_of(shapes), plain) for shapes in SHAPES)
    of_option = shortest((problem_of(), {**plain, name: given}) for given in values)
    if of_shape or of_option:
        return Cost(of_shape, of_option)
    return Cost(dtypes=shortest((problem_of(labels=dtype), plain) for dtype in labels))
