"""Determines with how many rows and classes a callable is called, by the time that a row and a logit take.

A kernel under an interpreter, or a loop in Python, may take milliseconds for each row, so that a call as large as the
suite makes would exceed its time limit, which says nothing of its result. Calls get more rows, and then more classes,
until they take measurably longer. A callable that is fast enough for the largest calls has no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from xent_backends.callables.batches import FLAT, Shapes

#: The most rows of a call of the suite; rows and classes of that with most logits; and the most logits of any other.
MOST_ROWS, LARGEST, MOST_LOGITS = 66009, (16411, 1031), 2**19
#: Seconds that the largest call may take without a limit: half of the time limit of a call. A library takes less than a
#: microsecond for a row and a hundredth of that for a logit, so that none is limited on a machine a hundred times as
#: slow, or as busy.
SLOW = 10.0
#: Seconds that the call with most logits may take: it is the only one of its shape, and the first of a shape may take
#: longer than the usual time limit.
SLOW_ONCE = 20.0
#: Seconds that a call with many rows is to take where they are limited.
SECONDS_OF_A_CALL = 1.0
#: Neither rows nor classes are limited to fewer: vectors, and blocks of kernels, have up to so many.
LEAST = 64
#: Rows of 3 classes, and classes of 2 rows, that are tried in turn, each 8 times as many as before, so that the first
#: call that is measurably longer does not take long either.
ROWS, CLASSES = (4, 32, 256, 2048), (24, 192, 1536, 12288)
#: What is tried of a callable that compiles each shape: one more compilation, beside the dozens that a run makes.
COMPILED_ROWS = (256,)
#: A call takes measurably longer if it does by so many seconds, ...
MEASURABLE = 0.05
#: ... and not once alone, by an interruption or as the first of its shape, but REPEATS times; two are enough if they
#: take so many seconds together.
REPEATS, LONG = 4, 2.0
#: Units of time, the largest first.
UNITS = (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")


@dataclass(frozen=True)
class Limits:
    """The most rows and classes of a call, None without a limit, and the reasons as in ``Capabilities.left_out``."""

    rows: int | None = None
    classes: int | None = None
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def claims(self) -> dict[str, Any]:
        """The fields of Capabilities for them."""
        return {"max_rows": self.rows, "max_classes": self.classes}

    def allow(self, shapes: Shapes) -> bool:
        """Whether a call with logits (N, C) of these shapes is within the limits."""
        rows, classes = shapes[0]
        return rows <= (self.rows or rows) and classes <= (self.classes or classes)


def limits_of(
    call: Callable[[Shapes], bool],
    *,
    compiled: bool = False,
    square: bool = False,
    clock: Callable[[], float] = perf_counter,
) -> Limits:
    """Measure a callable, and determine its limits.

    Args:
        call: Calls it with logits and labels of these shapes, and returns whether there was a result.
        compiled: Whether it compiles each shape.
        square: Whether a call has a matrix of as many elements as the square of the classes, so that only rows count.
        clock: Seconds since some point in time.
    """

    def seconds(shapes: Shapes) -> float | None:
        start = clock()
        return clock() - start if call(shapes) else None

    few, three = FLAT[0]
    rows, classes = COMPILED_ROWS if compiled else ROWS, () if compiled or square else CLASSES
    of_row = _seconds_of_one(seconds, few, rows, lambda n: ((n, three), (n,)))
    of_logit = _seconds_of_one(seconds, three, classes, lambda n: ((few, n), (few,))) / few
    most, wide = LARGEST
    # In the second case the row is one of the call with most logits.
    by_rows = [
        (limit, f"{what} takes {_text(one)}")
        for what, one, largest, slow, within in (
            ("a row", of_row, MOST_ROWS, SLOW, SECONDS_OF_A_CALL),
            (f"a row of {wide} classes", of_logit * wide, most, SLOW_ONCE, SLOW),
        )
        if (limit := _limit(one, largest, slow, within)) is not None
    ]
    max_rows, why = min(by_rows, default=(None, ""))
    # Then LEAST rows of as many classes take SLOW seconds.
    max_classes = _limit(of_logit * LEAST, MOST_LOGITS // LEAST, SLOW, SLOW)
    left_out = [] if max_rows is None else [("many rows", f"{why}: calls have at most {max_rows} rows")]
    if max_classes is not None:
        left_out.append(("many classes", f"a logit takes {_text(of_logit)}: calls have at most {max_classes} classes"))
    return Limits(max_rows, max_classes, tuple(left_out))


def _seconds_of_one(
    seconds: Callable[[Shapes], float | None], few: int, sizes: Sequence[int], shapes_of: Callable[[int], Shapes]
) -> float:
    """The seconds by which one more row, or class, makes a call longer; 0 if a call has no result.

    Args:
        seconds: The time of a call with these shapes; None without a result.
        few: The number of them in a small call, to which others are compared.
        sizes: Numbers of them to try in turn.
        shapes_of: The shapes of a call with so many of them.
    """
    small = [took for _ in sizes[:2] if (took := seconds(shapes_of(few))) is not None]
    longer, size = 0.0, few + 1
    for size in sizes if small else ():
        times: list[float] = []
        while not times or (longer > MEASURABLE and len(times) < (2 if sum(times) > LONG else REPEATS)):
            took = seconds(shapes_of(size))
            if took is None:
                return 0.0
            times.append(took)
            longer = min(times) - min(small)
        if longer > MEASURABLE:
            break
    return max(0.0, longer) / (size - few)


def _limit(one: float, largest: int, slow: float, within: float) -> int | None:
    """The most rows or classes, of which one takes so many seconds; None if the largest number is not too many.

    Args:
        one: Seconds that one takes.
        largest: The most of a call without a limit.
        slow: Seconds that a call with the largest number may take without a limit.
        within: Seconds in which a call with many of them is to return where they are limited.
    """
    if one * largest <= slow:
        return None
    most = int(within / one)
    # Two digits: the time is not known more exactly.
    unit: int = 10 ** max(0, len(str(most)) - 2)
    return max(LEAST, most // unit * unit)


def _text(seconds: float) -> str:
    """Seconds with two digits, in the largest unit in which they are at least 1.

    >>> _text(2.0), _text(0.00156), _text(0.118), _text(23.4e-6)
    ('2 s', '1.6 ms', '120 ms', '23 µs')
    """
    unit, name = next(((unit, name) for unit, name in UNITS if seconds >= unit), UNITS[-1])
    return f"{float(f'{seconds / unit:.2g}'):g} {name}"
