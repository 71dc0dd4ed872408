"""Determines whether a callable is compiled: whether the first call with a new shape, option or dtype takes longer.

Two new shapes are timed, two new values of an option and, if neither compiles, two new dtypes of labels. The faster one
of each counts, so that an interruption by other processes is not taken for a compilation. A compiler that makes one
program for all shapes after a few of them does not compile for the second one.

A function of JAX that is not compiled as a whole compiles its operations one by one, for each shape. Then another
reduction, or an option, costs next to nothing where the shapes have been seen, and is not counted as a compilation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

#: A first call has compiled if it takes longer than a repeated one by SECONDS, and by TIMES its time.
SECONDS, TIMES = 0.02, 3.0
#: Shapes of logits and labels, values of options and dtypes of labels that occur in no earlier call of the trial.
SHAPES = (((5, 7), (5,)), ((6, 11), (6,)))
VALUES: tuple[tuple[str, tuple[Any, Any]], ...] = (("label_smoothing", (0.3, 0.7)), ("ignore_index", (-7, -8)))
LABELS = ("int32", "int16")
#: A shape for calls with one option after the other, and the values of these.
ANOTHER, CLASSES = ((7, 13), (7,)), 13
OPTIONS: dict[str, Any] = {"label_smoothing": 0.3, "ignore_index": -7, "weight": np.ones(CLASSES)}
#: What an option costs at most, as a share of the cost of a shape, where single operations are compiled.
NEXT_TO_NOTHING = 0.25


@dataclass(frozen=True)
class Cost:
    """Seconds that a compilation takes for a new shape, for a new value of an option, and for a new combination of
    dtypes where that alone needs one; 0 if there is none. ``operations``: options cost next to nothing beside a shape.
    """

    shape: float = 0.0
    option: float = 0.0
    dtypes: float = 0.0
    operations: bool = False

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
        return {
            "static_shapes": self.shape > 0,
            "static_options": self.option > 0,
            "compiles_operations": self.operations,
            "compile_seconds": self.longest,
        }


def cost_of(
    call: Callable[[Any, Mapping[str, Any]], Any],
    problem_of: Callable[..., Any],
    options: Collection[str],
    reductions: Sequence[str],
    labels: Iterable[str] = LABELS,
    clock: Callable[[], float] = perf_counter,
) -> Cost:
    """Measure the cost of compilations.

    Args:
        call: Calls the callable with a problem and options.
        problem_of: Makes a problem, optionally with given shapes or with labels of a given dtype.
        options: Names of the options that the callable takes.
        reductions: The reductions that it has; the first one is that of all calls that are not about reductions.
        labels: Dtypes of labels to try; none for a callable of logits alone.
        clock: Seconds since some point in time.
    """
    plain = {"reduction": reductions[0]}

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

    def others_cost_little(of_shape: float) -> bool:
        """Whether each other reduction and each option, alone, costs little where the shapes have been seen."""
        problem = problem_of(ANOTHER)
        call(problem, plain)
        others = [{"reduction": other} for other in reductions[1:]]
        others += [{**plain, name: OPTIONS[name]} for name in options if name in OPTIONS]
        return bool(others) and all(compilation(problem, how) < NEXT_TO_NOTHING * of_shape for how in others)

    name, values = next(((name, values) for name, values in VALUES if name in options), ("", ()))
    of_shape = shortest((problem_of(shapes), plain) for shapes in SHAPES)
    of_option = shortest((problem_of(), {**plain, name: given}) for given in values)
    if of_shape or of_option:
        return Cost(of_shape, of_option, operations=not of_option and others_cost_little(of_shape))
    return Cost(dtypes=shortest((problem_of(labels=dtype), plain) for dtype in labels))
