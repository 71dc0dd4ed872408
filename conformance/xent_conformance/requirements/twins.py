"""Problems derived from others, for requirements that compare two calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.judging.subject import Need, Subject
from xent_conformance.problem import REDUCTIONS, AnyArray, F64Array, Problem, array_of, by_row, from_rows
from xent_conformance.subproblems import keep_rows

Order = npt.NDArray[np.intp]

#: The values of a cotangent, which repeat from row to row; none is zero.
COTANGENT = (1.0, -0.5, 2.0, 0.25, -1.5)

FREE_SHAPES = Need("calls of many shapes (each is compiled on its own)", lambda s: not s.capabilities.static_shapes)
UNBATCHED = Need("unbatched logits", lambda s: s.capabilities.unbatched, "unbatched")
SPATIAL = Need("spatial dimensions", lambda s: s.capabilities.spatial, "spatial")
MEAN = Need("the mean reduction", lambda s: "mean" in s.capabilities.reductions)
ROWS = Need('the reduction "none"', lambda s: "none" in s.capabilities.reductions)
ALL_REDUCTIONS = Need("all three reductions", lambda s: set(REDUCTIONS) <= set(s.capabilities.reductions))
CHOSEN_SENTINEL = Need("a choice of ignore_index", lambda s: s.capabilities.ignore_index, "ignore_index")


@dataclass(frozen=True, eq=False)
class ExplicitProblem(Problem):
    """A problem whose call passes label_smoothing even if it is zero."""

    def options(self) -> dict[str, Any]:
        """The usual options, and label_smoothing."""
        return {**super().options(), "label_smoothing": self.label_smoothing}


def explicit(problem: Problem) -> ExplicitProblem:
    """The problem with label_smoothing always passed."""
    return ExplicitProblem(**{name: getattr(problem, name) for name in problem.__dataclass_fields__})


def row_shape_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the rows for logits of a shape: without the class axis."""
    return shape[:1] + shape[2:] if len(shape) > 1 else ()


def classes_of(shape: tuple[int, ...]) -> int:
    """Number of classes of logits of a shape."""
    return shape[min(1, len(shape) - 1)]


def claims_rank(subject: Subject, shape: tuple[int, ...]) -> bool:
    """Whether a subject claims logits with as many dimensions as a shape."""
    claims = subject.capabilities
    return (len(shape) > 1 or claims.unbatched) and (len(shape) <= 2 or claims.spatial)  # noqa: PLR2004


def cotangent_for(row_shape: tuple[int, ...], reduction: str, dtype: str) -> AnyArray:
    """A cotangent of the loss's shape that differs from row to row."""
    if reduction != "none":
        return array_of(1.25, dtype)
    count = int(np.prod(row_shape, dtype=np.int64))
    return array_of(np.resize(np.array(COTANGENT), count).reshape(row_shape), dtype)


def in_reduction(problem: Problem, reduction: str) -> Problem:
    """The problem in another reduction, with a cotangent that fits."""
    if problem.reduction == reduction:
        return problem
    cotangent = cotangent_for(problem.row_shape, reduction, problem.dtype)
    return problem.with_(reduction=reduction, cotangent=cotangent)


def problem_of(
    subject: Subject,
    logits: npt.ArrayLike,
    target: npt.ArrayLike,
    reduction: str = "none",
    **options: Any,
) -> Problem:
    """A problem from plain numbers: a floating-point target has probabilities, an integer one class indices."""
    x, t = array_of(logits, subject.dtype), np.asarray(target)
    weight = options.pop("weight", None)
    return Problem(
        logits=x,
        target=array_of(t, subject.dtype) if t.dtype.kind == "f" else t,
        weight=None if weight is None else array_of(weight, subject.dtype),
        reduction=reduction,
        cotangent=cotangent_for(row_shape_of(x.shape), reduction, subject.dtype),
        sentinel=subject.capabilities.default_ignore_index,
        **options,
    )


def reordered_rows(problem: Problem, order: Order) -> Problem:
    """The rows in another order, which may repeat some rows and omit others."""
    axis = problem.class_axis

    def wide(array: AnyArray) -> AnyArray:
        return from_rows(by_row(array, axis)[order], problem.logits, axis)

    def narrow(array: AnyArray) -> AnyArray:
        return np.asarray(array.reshape(-1)[order].reshape(array.shape))

    per_row = problem.reduction == "none" and problem.cotangent is not None
    return problem.with_(
        logits=wide(problem.logits),
        target=wide(problem.target) if problem.has_probabilities else narrow(problem.target),
        cotangent=narrow(problem.cotangent) if per_row and problem.cotangent is not None else problem.cotangent,
    )


def reordered_classes(problem: Problem, order: Order) -> Problem | None:
    """The problem in which class j is the former class ``order[j]``; None if a default sentinel would be renumbered."""
    axis = problem.class_axis
    changes: dict[str, Any] = {"logits": np.ascontiguousarray(np.take(problem.logits, order, axis=axis))}
    if problem.weight is not None:
        changes["weight"] = np.ascontiguousarray(problem.weight[order])
    if problem.has_probabilities:
        changes["target"] = np.ascontiguousarray(np.take(problem.target, order, axis=axis))
        return problem.with_(**changes)
    place = np.argsort(order)

    def moved(label: int) -> int:
        return int(place[label]) if 0 <= label < problem.classes else label

    sentinel = problem.ignored_label
    if problem.ignore_index is not None:
        changes["ignore_index"] = moved(problem.ignore_index)
    elif sentinel is not None and moved(sentinel) != sentinel:
        return None
    labels = np.array([moved(int(v)) for v in problem.target.reshape(-1)], dtype=np.int64)
    changes["target"] = labels.reshape(problem.target.shape).astype(problem.target.dtype)
    return problem.with_(**changes)


def chosen_rows(problem: Problem, rows: Order) -> Problem:
    """Some of the rows, or some of them twice, as logits (len(rows), C)."""
    chosen = keep_rows(problem, rows)
    assert chosen is not None
    return chosen


def flattened(problem: Problem) -> Problem:
    """The same rows as logits (rows, C)."""
    return chosen_rows(problem, np.arange(problem.rows))


def dense(problem: Problem) -> Problem:
    """The same values in arrays of their own, contiguous."""
    return problem.with_(**{name: np.array(array, order="C", copy=True) for name, array in problem.arrays().items()})


def with_logits(problem: Problem, rows: F64Array) -> Problem:
    """The problem with other logits, (rows, C), which its format holds, in contiguous memory."""
    return problem.with_(logits=array_of(from_rows(rows, problem.logits, problem.class_axis), problem.dtype))


def relabelled(problem: Problem, labels: npt.NDArray[np.int64], **changes: Any) -> Problem:
    """The problem with other labels, (rows,)."""
    target = labels.reshape(problem.target.shape).astype(problem.target.dtype)
    return problem.with_(target=target, **changes)


def weighted_by(problem: Problem, weight: npt.ArrayLike | None) -> Problem:
    """The problem with other class weights."""
    return problem.with_(weight=None if weight is None else array_of(weight, problem.dtype))


def without_weight(problem: Problem, row: int) -> Problem:
    """The problem with a weight of zero for the class of a row, which has a valid label; other weights as they are."""
    weight = problem.class_weights()
    weight[problem.labels()[row]] = 0.0
    return weighted_by(problem, weight)


def in_portions(subject: Subject, rows: int) -> list[Order]:
    """All rows at once, or as many at a time as are claimed; two at a time for a backend that compiles every shape.

    Rows of the last portion are repeated if necessary.
    """
    every = np.arange(rows)
    most = subject.claimed_rows(2 if subject.capabilities.static_shapes else rows)
    return [np.resize(every[start : start + most], most) for start in range(0, rows, most)]


def in_every_reduction(subject: Subject, problems: Iterable[Problem]) -> Iterable[Problem]:
    """Problems in each reduction that a backend claims."""
    for problem in problems:
        for reduction in subject.capabilities.reductions:
            yield in_reduction(problem, reduction)
