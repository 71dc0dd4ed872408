"""Large problems in blocks of rows, so that memory is needed for one block and for what is asked for.

Every row of a loss, a gradient or a bound depends on the other rows only through the divisor of a mean, which is a sum
of one number for each row. So the arrays (rows, C) from which they are computed, a dozen of them and each in float64 or
wider, are never whole: a block has its own, and they are gone before the next one begins. The numbers are the same bit
for bit, because each sum over the classes has the same terms in the same order, and sums over the rows are of all rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

import numpy as np

from xent_conformance.problem import AnyArray, Problem, by_row
from xent_conformance.subproblems import MATRIX

#: Elements of a block: its arrays fit into the cache of one core.
BLOCK = 1 << 16
#: Most elements of a problem that is computed at once.
AT_ONCE = 1 << 18

T = TypeVar("T")


class Blocked(Protocol):
    """What is computed in blocks: ``blocks`` are the rows of each, none for a problem that is computed at once."""

    blocks: tuple[slice, ...]

    def block(self, rows: slice) -> Any:
        """The same of some rows."""

    def in_one_pass(self, name: str) -> tuple[str, ...]:
        """A property by blocks, and others that a block knows once it has computed it."""


class by_blocks(cached_property[T], Generic[T]):  # noqa: N801 - used as ``cached_property`` is
    """A cached property that holds one number, or one row of numbers, for each row: computed block by block.

    What blocks hold besides is freed with them.
    """

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> by_blocks[T]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """The value, which is then an attribute of the instance."""
        if instance is None:
            return self
        name = self.attrname
        assert name is not None
        if instance.blocks:
            _compute(instance, name)
        else:
            instance.__dict__[name] = self.func(instance)
        return instance.__dict__[name]


def _compute(instance: Blocked, name: str) -> None:
    """Compute a property by blocks, and store it with the others that are then known."""
    names = instance.in_one_pass(name)
    found = joined(instance, lambda block, _: tuple(attrgetter(each)(block) for each in names))
    for each, value in zip(names, found, strict=True):
        *owner, last = each.split(".")
        holder = attrgetter(".".join(owner))(instance) if owner else instance
        holder.__dict__[last] = value


def joined(whole: Blocked, of_block: Callable[[Any, slice], Any]) -> Any:
    """A quantity of all rows from that of each block and its rows.

    The quantity is an array whose first axis is that of the rows, or a tuple of such quantities and of numbers that are
    the same in all blocks.
    """
    out: Any = None
    for rows in whole.blocks:
        part = of_block(whole.block(rows), rows)
        if out is None:
            out = _room(part, whole.blocks[-1].stop)
        _fill(out, part, rows)
    return out


def _room(part: Any, rows: int) -> Any:
    """Empty arrays for all rows, in the memory order of those of a block."""
    if isinstance(part, tuple):
        rooms = [_room(each, rows) for each in part]
        return part._make(rooms) if hasattr(part, "_make") else tuple(rooms)
    if not isinstance(part, np.ndarray):
        return part
    order: Literal["F", "C"] = "F" if part.flags.f_contiguous and not part.flags.c_contiguous else "C"
    return np.empty((rows, *part.shape[1:]), dtype=part.dtype, order=order)


def _fill(out: Any, part: Any, rows: slice) -> None:
    if isinstance(part, tuple):
        for room, each in zip(out, part, strict=True):
            _fill(room, each, rows)
    elif isinstance(part, np.ndarray):
        out[rows] = part


def known(whole: Blocked, rows: slice, *names: str) -> dict[str, Any]:
    """Those of some quantities of a whole that have been computed already, for the rows of a block."""
    return {name: vars(whole)[name][rows] for name in names if name in vars(whole)}


def blocks_of(problem: Problem) -> tuple[slice, ...]:
    """The rows of each block, all of about the same number; none if the problem is so small that it is one block."""
    if problem.logits.size <= AT_ONCE or problem.rows == 1:
        return ()
    lanes = problem.logits.shape[problem.class_axis + 1 :]
    within = math.prod(lanes)
    if problem.logits.ndim <= MATRIX or problem.logits.shape[0] == 1:
        return tuple(_even(0, problem.rows, problem.classes, alone=_alone(problem)))
    if within * problem.classes <= BLOCK:
        # Whole examples: their positions are beside each other in memory, not the classes.
        examples = _even(0, problem.logits.shape[0], within * problem.classes, alone=True)
        return tuple(slice(some.start * within, some.stop * within) for some in examples)
    starts = range(0, problem.rows, within)
    return tuple(rows for start in starts for rows in _even(start, within, problem.classes, alone=True))


def _alone(problem: Problem) -> bool:
    """Whether a row may be a block of its own: not where its sums would then be in another order.

    NumPy adds up rows whose elements are apart in memory class by class, and a single row in pairs.
    """
    rows = by_row(problem.logits, problem.class_axis)
    return abs(rows.strides[1]) <= abs(rows.strides[0])


def _even(start: int, count: int, each: int, *, alone: bool) -> Iterator[slice]:
    """Equal parts of some rows, or other units, of so many elements each."""
    least = 1 if alone else 2
    most = max(least, BLOCK // each)
    number = max(1, min(-(-count // most), count // least))
    for first, last in pairwise(start + count * i // number for i in range(number + 1)):
        yield slice(first, last)


def rows_of(problem: Problem, rows: slice) -> Problem:
    """The problem of the rows of a block, as logits (rows, C)."""
    per_class = problem.has_probabilities
    cotangent = problem.cotangent
    if cotangent is not None and problem.reduction == "none":
        cotangent = cotangent.reshape(-1)[rows]
    target = _some(problem.target, problem, rows) if per_class else problem.target.reshape(-1)[rows]
    return problem.with_(logits=_some(problem.logits, problem, rows), target=target, cotangent=cotangent)


def _some(array: AnyArray, problem: Problem, rows: slice) -> AnyArray:
    """Rows of an array of the logits' shape, without a copy of the others."""
    if problem.logits.ndim <= MATRIX or problem.logits.shape[0] == 1:
        return by_row(array, problem.class_axis)[rows]
    within = math.prod(problem.logits.shape[MATRIX:])
    first, last = rows.start // within, -(-rows.stop // within)
    some = by_row(array[first:last], problem.class_axis)[rows.start - first * within : rows.stop - first * within]
    # As all rows are if they are copied to be beside each other.
    return np.ascontiguousarray(some)
