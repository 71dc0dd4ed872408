"""Whether a callable compiles: what its first call with a new shape or option costs beside a repeated one.

Each measurement is of two such calls, and the cheaper one counts: a machine that stands still for a moment makes no
compiler. A compiler that makes one program for all shapes, after it has seen a few, costs nothing at the third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

#: Seconds, and how many times a repeated call, that a first call must take longer to have compiled something.
SECONDS, TIMES = 0.02, 3.0
#: Shapes of logits, and values of options, that nothing else has been tried with.
SHAPES = (((5, 7), (5,)), ((6, 11), (6,)))
VALUES: tuple[tuple[str, tuple[Any, Any]], ...] = (("label_smoothing", (0.3, 0.7)), ("ignore_index", (-7, -8)))


@dataclass(frozen=True)
class Cost:
    """Seconds that a new shape, and a new value of an option, take for a compilation; 0: they cost none."""

    shape: float = 0.0
    option: float = 0.0

    def __bool__(self) -> bool:
        """Whether anything is compiled."""
        return max(self.shape, self.option) > 0

    @property
    def claims(self) -> dict[str, Any]:
        """The claims that say so."""
        dearest = max(self.shape, self.option)
        return {"static_shapes": self.shape > 0, "static_options": self.option > 0, "compile_seconds": dearest}


def cost_of(
    call: Callable[[Any, Mapping[str, Any]], Any],
    problem_of: Callable[..., Any],
    options: Iterable[str],
    reduction: str,
    clock: Callable[[], float] = perf_counter,
) -> Cost:
    """What compilations cost a callable, of which ``call`` makes a call with a problem and with options."""
    plain = {"reduction": reduction}

    def extra(problem: Any, how: Mapping[str, Any]) -> float:
        """Seconds that the first of three equal calls takes longer than the quicker of the others; 0: no compiler's."""
        times = []
        for _ in range(3):
            start = clock()
            call(problem, how)
            times.append(clock() - start)
        first, again = times[0], min(times[1:])
        return first - again if first - again > max(SECONDS, TIMES * again) else 0.0

    def dearer(calls: Iterable[tuple[Any, Mapping[str, Any]]]) -> float:
        """The least of what calls cost: of the first alone where that costs nothing."""
        least = float("inf")
        for problem, how in calls:
            least = min(least, extra(problem, how))
            if not least:
                break
        return least

    value = next(((name, values) for name, values in VALUES if name in options), None)
    of_shape = dearer((problem_of(shapes), plain) for shapes in SHAPES)
    if value is None:
        return Cost(of_shape)
    name, values = value
    return Cost(of_shape, dearer((problem_of(), {**plain, name: given}) for given in values))
