"""Variants of a problem with other numbers, in the same memory layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.guarded import laid_out_like
from xent_conformance.causes.facts import LARGE, small
from xent_conformance.formats import is_floating
from xent_conformance.problem import AnyArray, F64Array, Problem, array_of, from_rows

#: The fact that a failure needs these very logits. It holds for every problem, until ordinary logits fail as well.
PARTICULAR = "particular logits"


def random_weights(problem: Problem) -> Iterator[Problem]:
    """With class weights that are positive and different."""
    yield _with_weights(problem, 0.5 + _random(problem).random(problem.classes))


def distributions(problem: Problem) -> Iterator[Problem]:
    """With target probabilities around the labels; no variant if a row is ignored or a label is out of range."""
    labels = problem.labels()
    if not problem.ignored().any() and labels.size and labels.min() >= 0 and labels.max() < problem.classes:
        shares = (labels[:, None] == np.arange(problem.classes)) * 0.7 + 0.3 / problem.classes
        yield problem.with_(target=_placed(shares, problem), ignore_index=None)


def more_classes(problem: Problem) -> Iterator[Problem]:
    """With three more classes, whose weights are ordinary: with ordinary logits, and with those of the last class."""
    rng, logits = _random(problem), problem.logits_by_row()
    for more in (rng.normal(size=(len(logits), 3)), np.repeat(logits[:, -1:], 3, axis=1)):
        yield _with_classes(problem, more, 0.5 + rng.random(3))


def _with_classes(problem: Problem, more: F64Array, weights: F64Array) -> Problem:
    """With more classes, whose logits are given by row and which no target has."""
    axis, wide = problem.class_axis, np.concatenate([problem.logits_by_row(), more], axis=1)
    like = np.empty((*problem.row_shape[:axis], wide.shape[1], *problem.row_shape[axis:]))
    changes = {"logits": array_of(from_rows(wide, like, axis), problem.dtype)}
    if problem.weight is not None:
        changes["weight"] = array_of(np.append(problem.class_weights(), weights), problem.weight.dtype.name)
    if problem.has_probabilities:
        shares = np.concatenate([problem.probabilities(), np.zeros_like(more)], axis=1)
        changes["target"] = array_of(from_rows(shares, like, axis), problem.target.dtype.name)
    return problem.with_(**changes)


def one_row(problem: Problem) -> Iterator[Problem]:
    """With a row of zeros, and a place along each axis of rows, where there is none."""
    logits = np.zeros([max(1, length) for length in problem.logits.shape])
    if logits.shape[problem.class_axis] == problem.classes:
        rows = np.delete(logits.shape, problem.class_axis)
        shares = np.full(logits.shape, 1 / problem.classes)
        own = problem.target.dtype
        target = array_of(shares, own.name) if problem.has_probabilities else np.zeros(rows, own)
        cotangent = problem.cotangent
        if cotangent is not None and problem.reduction == "none":
            cotangent = np.ones(rows, cotangent.dtype)
        yield problem.with_(logits=array_of(logits, problem.dtype), target=target, cotangent=cotangent)


def one_class(problem: Problem) -> Iterator[Problem]:
    """With a class where there is none, and labels of it."""
    shape = list(problem.logits.shape)
    shape[problem.class_axis] = 1
    own, weight = problem.target.dtype, problem.weight
    yield problem.with_(
        logits=array_of(np.zeros(shape), problem.dtype),
        target=array_of(np.ones(shape), own.name) if problem.has_probabilities else np.zeros(problem.row_shape, own),
        weight=None if weight is None else np.ones(1, weight.dtype),
    )


def finite(problem: Problem) -> Iterator[Problem]:
    """With ordinary numbers for logits that are not finite."""
    if not np.isfinite(problem.logits_by_row()).all():
        yield with_finite_rows(problem, np.ones(problem.rows, bool))


def with_finite_rows(problem: Problem, rows: npt.NDArray[np.bool_]) -> Problem:
    """The problem with ordinary numbers for logits that are not finite, in the rows of a mask."""
    logits = problem.logits_by_row()
    replaced = ~np.isfinite(logits) & rows[:, None]
    ordinary = _random(problem).normal(size=logits.shape)
    return _with_logits(problem, np.where(replaced, ordinary, logits)) if replaced.any() else problem


def ordinary(problem: Problem) -> Iterator[Problem]:
    """With ordinary logits, from three seeds."""
    for seed in range(3):
        values = np.random.default_rng(seed).normal(size=(problem.rows, problem.classes)) * 2
        yield _with_logits(problem, np.round(values, 2))


def _with_a_finite_class(problem: Problem) -> Iterator[Problem]:
    """With one ordinary number in each row of only -inf."""
    logits = problem.logits_by_row()
    masked = np.isneginf(logits).all(axis=1)
    if problem.classes and masked.any():
        logits[masked, 0] = np.round(_random(problem).normal(size=int(masked.sum())), 2)
        yield _with_logits(problem, logits)


def visibly_different(problem: Problem) -> Iterator[Problem]:
    """With ordinary logits, if all are equal: then a wrong label or a wrong order of classes changes nothing."""
    logits = problem.logits_by_row()
    if is_floating(problem.logits.dtype) and logits.size > 1 and (logits == logits.reshape(-1)[0]).all():
        yield next(ordinary(problem))


def _small(problem: Problem) -> Iterator[Problem]:
    logits = problem.logits_by_row()
    largest = np.abs(logits[np.isfinite(logits)]).max(initial=0)
    if largest > LARGE:
        yield _with_logits(problem, logits * (LARGE / largest))


def _near_zero(problem: Problem) -> Iterator[Problem]:
    """With each row shifted so that its largest logit is small, which does not change the exact answer."""
    logits = problem.logits_by_row()
    top = np.where(np.isfinite(logits), logits, -np.inf).max(axis=1, keepdims=True)
    yield _with_logits(problem, logits - np.where(np.isfinite(top), top - LARGE, 0))


def _untied(problem: Problem) -> Iterator[Problem]:
    logits = problem.logits_by_row()
    yield _with_logits(problem, logits + np.round(_random(problem).normal(size=logits.shape), 2))


def _weights_without_zero(problem: Problem) -> Iterator[Problem]:
    weights = problem.class_weights()
    yield _with_weights(problem, np.where(weights == 0, 0.5 + _random(problem).random(problem.classes), weights))


def _positive_weights(problem: Problem) -> Iterator[Problem]:
    yield _with_weights(problem, np.abs(problem.class_weights()))


def _unequal_weights(problem: Problem) -> Iterator[Problem]:
    """With class weights of at most their magnitude, or with ordinary ones where that changes nothing."""
    yield _with_weights(problem, problem.class_weights() * (0.5 + 0.5 * _random(problem).random(problem.classes)))
    yield from random_weights(problem)


def _larger_weights(problem: Problem) -> Iterator[Problem]:
    """With small class weights multiplied by powers of two, so that they are between 1 and 2 in magnitude."""
    weights = problem.class_weights()
    yield _with_weights(problem, np.where(small(weights), 2 * np.frexp(weights)[0], weights))


def _normalised(problem: Problem) -> Iterator[Problem]:
    shares = np.abs(problem.probabilities()) + 1e-3
    yield problem.with_(target=_placed(shares / shares.sum(axis=1, keepdims=True), problem, problem.target))


def _positive_shares(problem: Problem) -> Iterator[Problem]:
    shares = problem.probabilities()
    total = shares.sum(axis=1, keepdims=True)
    mixed = 0.5 * shares + 0.5 * np.where(total == 0, 1, total) / problem.classes
    yield problem.with_(target=_placed(mixed, problem, problem.target))


def _random(problem: Problem) -> np.random.Generator:
    return np.random.default_rng(problem.logits.size)


def _placed(rows: F64Array, problem: Problem, like: AnyArray | None = None) -> AnyArray:
    """Values by row (rows, C) in the shape of the logits; in the dtype of ``like``, and in its memory layout if it has
    that shape.
    """
    dtype = problem.dtype if like is None else like.dtype.name
    placed = array_of(from_rows(rows, problem.logits, problem.class_axis), dtype)
    return placed if like is None or like.shape != placed.shape else laid_out_like(like, placed)


def _with_logits(problem: Problem, rows: F64Array) -> Problem:
    return problem.with_(logits=_placed(rows, problem, problem.logits))


def _with_weights(problem: Problem, weights: F64Array) -> Problem:
    values = array_of(weights, problem.dtype if problem.weight is None else problem.weight.dtype.name)
    return problem.with_(weight=values if problem.weight is None else laid_out_like(problem.weight, values))


#: Facts about numbers, each with the function that makes variants without it.
WITHOUT: dict[str, Callable[[Problem], Iterator[Problem]]] = {
    "no rows": one_row,
    "no classes": one_class,
    PARTICULAR: ordinary,
    "large logits": _small,
    "a row far from zero": _near_zero,
    "tied largest logits": _untied,
    "masked logits": finite,
    "a masked row": _with_a_finite_class,
    "logits that are nan": finite,
    "logits of infinity": finite,
    "ignored rows that are not finite": finite,
    "a weight of zero": _weights_without_zero,
    "a negative weight": _positive_weights,
    "equal weights": _unequal_weights,
    "small weights": _larger_weights,
    "targets that do not sum to 1": _normalised,
    "a target probability of zero": _positive_shares,
}
