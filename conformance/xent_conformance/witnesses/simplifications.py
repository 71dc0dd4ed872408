"""Simpler problems than a given one: the candidates that ``reducer`` tries, from fewer rows to rounder numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import product

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.guarded import laid_out_like
from xent_conformance.formats import is_floating, rounded
from xent_conformance.problem import EXTRAS, AnyArray, Problem, array_of
from xent_conformance.subproblems import MATRIX, in_the_dtype_of_the_logits, keep_classes, keep_places, keep_rows

#: Arrays with at most this many elements that are not neutral are simplified element by element.
SMALL = 48
#: The neutral value of an array's elements, where that is not zero.
PLAIN = {"weight": 1.0, "cotangent": 1.0}
#: A round value of each option that is a number.
ROUND = {"label_smoothing": 0.5, "divisor": 2.0, "lse_square_scale": 1.0, "logit_scale": 2.0, "softcap": 1.0}
#: Most rows and classes of the problems that have one option.
FEW = 2

Places = npt.NDArray[np.intp]


def smallest(problem: Problem) -> Iterator[Problem | None]:
    """The first few rows and classes, the smallest problems first: each plain, and otherwise unchanged."""
    for rows, classes in sorted(product(*map(_sizes, _size(problem))), key=np.prod):
        few = _first(problem, rows, classes)
        yield None if few is None else _plain(few)
        yield few


def _size(problem: Problem) -> tuple[int, int]:
    return problem.rows, problem.classes


def _first(problem: Problem, rows: int, classes: int) -> Problem | None:
    """The first rows and classes of a problem."""
    few = keep_rows(problem, np.arange(rows))
    return None if few is None else keep_classes(few, np.arange(classes))


def barest(problem: Problem) -> Iterator[Problem | None]:
    """Plain problems of few rows and classes, each with one of the options of this one.

    A call that does not return mostly needs one option. A problem that returns costs nothing, so that it is cheaper to
    take everything else away at once than one option after the other.
    """
    # A label, or an ignored one, that is not among the first classes leaves no problem of these.
    first = problem.with_(target=_plain(problem).target, ignore_index=None)
    for rows, classes in sorted(product(*(range(1, min(size, FEW) + 1) for size in _size(problem))), key=np.prod):
        few = _first(problem, rows, classes) or _first(first, rows, classes)
        yield from () if few is None else _one_each(few)


def bare_in_place(problem: Problem) -> Iterator[Problem | None]:
    """The same in the shape and layout of this problem."""
    yield from (_laid_out_as_before(problem, bare) for bare in _one_each(problem))


def _one_each(problem: Problem) -> Iterator[Problem]:
    """The plain problem, and for each of its options, and each array of numbers, one that has only this."""
    plain = _plain(problem)
    yield plain
    for field in fields(problem):
        value = getattr(problem, field.name)
        if value is getattr(plain, field.name):
            continue
        if field.name == "weight":
            yield plain.with_(weight=np.ones_like(value))
        if field.name in ROUND:
            yield plain.with_(**{field.name: ROUND[field.name]})
        yield plain.with_(**{field.name: value})


def _sizes(size: int) -> list[int]:
    """Sizes up to one, each about twice the last."""
    return sorted({1, 2, 3, *(1 << power for power in range(2, size.bit_length())), size} & {*range(1, size + 1)})


def _plain(problem: Problem) -> Problem:
    """The problem with zeros and no options: labels of the first class, and a sum instead of a mean."""
    target = problem.target if is_floating(problem.target.dtype) else np.zeros_like(problem.target)
    cotangent = None if problem.cotangent is None else np.ones_like(problem.cotangent)
    changes = {"logits": np.zeros_like(problem.logits), "target": target, "cotangent": cotangent}
    reduction = "sum" if problem.reduction == "mean" else problem.reduction
    return problem.with_(**changes, reduction=reduction, weight=None, ignore_index=None, label_smoothing=0.0, **EXTRAS)


def plainer(problem: Problem) -> Iterator[Problem | None]:
    """One option fewer, or a plainer layout."""
    yield from _contiguous(problem)
    if problem.logits.ndim not in (0, 2):
        yield keep_rows(problem, np.arange(problem.rows))
    if problem.weight is not None:
        yield problem.with_(weight=None)
        yield _with_weight(problem, np.ones(problem.classes))
    for name in (claim.removesuffix("_dtypes") for claim in problem.mixed_dtypes()):
        field = "weight" if name == "weight" else "target"
        yield in_the_dtype_of_the_logits(problem, field)
    if problem.target.dtype.kind in "iu" and problem.target.dtype != np.int64:
        yield problem.with_(target=problem.target.astype(np.int64))
    if problem.label_smoothing:
        yield problem.with_(label_smoothing=0.0)
        round_one = ROUND["label_smoothing"]
        yield problem.with_(label_smoothing=round_one) if problem.label_smoothing not in (round_one, 1.0) else None
    for name, value in problem.extras.items():
        yield problem.with_(**{name: EXTRAS[name]})
        yield problem.with_(**{name: ROUND[name]}) if value not in (ROUND[name], 1.0) else None
    if problem.ignore_index is not None:
        yield _ignoring_by_default(problem)
    if problem.reduction == "mean":
        yield problem.with_(reduction="sum")
    cotangent = problem.cotangent
    if cotangent is not None and not (cotangent.astype(np.float64) == 1).all():
        yield problem.with_(cotangent=np.ones_like(cotangent))


def _contiguous(problem: Problem) -> Iterator[Problem]:
    """With contiguous arrays: all of them at once, then, of several that are not, each alone."""
    strided = {name: array for name, array in problem.arrays().items() if not array.flags.c_contiguous}
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in strided.items()}
    if strided:
        yield problem.with_(**contiguous)
    if len(strided) > 1:
        yield from (problem.with_(**{name: array}) for name, array in contiguous.items())


def row_axes(problem: Problem) -> list[int]:
    """The axes of the rows: one for (N, C), several for spatial logits."""
    return [axis for axis in range(problem.logits.ndim) if axis != problem.class_axis]


def places_on(problem: Problem, axis: int) -> Places:
    """All positions along an axis of the logits."""
    return np.arange(problem.logits.shape[axis])


def fewer_places(problem: Problem, places: Places, axis: int) -> Problem | None:
    """Some of the rows, or of the positions along one of their axes, with the layout unchanged."""
    return _laid_out_as_before(problem, keep_places(problem, axis, places))


def fewer_classes(problem: Problem, classes: Places) -> Problem | None:
    """Some of the classes, with the layout unchanged."""
    return _laid_out_as_before(problem, keep_classes(problem, classes))


def _laid_out_as_before(problem: Problem, fewer: Problem | None) -> Problem | None:
    """A smaller problem with each array in its original layout."""
    if fewer is None:
        return None
    before = problem.arrays()
    return fewer.with_(**{name: laid_out_like(before[name], array) for name, array in fewer.arrays().items()})


def smaller_squares(problem: Problem) -> Iterator[Problem | None]:
    """One row and one class fewer, if there are as many rows as classes."""
    if problem.logits.ndim == MATRIX and problem.rows == problem.classes > MATRIX:
        for place in range(problem.rows):
            others = np.delete(np.arange(problem.rows), place)
            fewer = fewer_places(problem, others, axis=0)
            yield None if fewer is None else fewer_classes(fewer, others)


def number_arrays(problem: Problem) -> list[str]:
    """Names of the arrays of floating-point numbers."""
    return [name for name, array in problem.arrays().items() if is_floating(array.dtype)]


def simpler_whole(problem: Problem, name: str) -> Iterator[Problem | None]:
    """Steps of a whole array towards small integers."""
    values = getattr(problem, name).astype(np.float64)
    # Near the largest number rounding and differences overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        steps = [np.round(values), np.round(values, 1), np.trunc(values / 2), values - values.reshape(-1)[:1].sum()]
    plain = np.full_like(values, PLAIN.get(name, 0.0))
    for step in (plain, *(np.where(np.isfinite(step), step, values) for step in steps)):
        yield _changed(problem, name, step)


def places_not_neutral(problem: Problem, name: str) -> Places:
    """Positions of the elements that do not have the neutral value."""
    return np.flatnonzero(getattr(problem, name).astype(np.float64).reshape(-1) != PLAIN.get(name, 0.0))


def neutral_except(problem: Problem, places: Places, name: str) -> Problem | None:
    """The neutral value for all elements except those at some positions."""
    values = getattr(problem, name).astype(np.float64)
    step = np.full(values.size, PLAIN.get(name, 0.0))
    step[places] = values.reshape(-1)[places]
    return _changed(problem, name, step.reshape(values.shape))


def simpler_elements(problem: Problem, name: str) -> Iterator[Problem | None]:
    """Single elements as small round numbers, if only few are not neutral."""
    values = getattr(problem, name).astype(np.float64)
    odd = places_not_neutral(problem, name)
    for place in odd if len(odd) <= SMALL else ():
        for simpler in _simpler_numbers(values.reshape(-1)[place]):
            step = values.reshape(-1).copy()
            step[place] = simpler
            yield _changed(problem, name, step.reshape(values.shape))


def _simpler_numbers(number: float) -> Iterable[float]:
    """Small round numbers to put in place of a number, each once: every one costs a try."""
    sign = -1.0 if number < 0 else 1.0
    simpler = [1.0, sign] if 0 < abs(number) < 1 else []
    simpler += [sign * step for step in (1.0, 2.0, 10.0, 20.0, 100.0, 1000.0) if step < abs(number)]
    if np.isfinite(number) and number != np.round(number):
        simpler += [float(np.round(number)), float(np.round(number, 1))]
    return dict.fromkeys(simpler)


def _changed(problem: Problem, name: str, step: npt.NDArray[np.float64]) -> Problem | None:
    """The problem with other values; None if, rounded to the dtype, they are the same or no simpler."""
    array: AnyArray = getattr(problem, name)
    values, plain = array.astype(np.float64), PLAIN.get(name, 0.0)
    new = rounded(step, array.dtype.name) + 0.0  # no negative zero
    if np.array_equal(new, values, equal_nan=True) or _complexity(new, plain) >= _complexity(values, plain):
        return None
    return problem.with_(**{name: laid_out_like(array, array_of(new, array.dtype.name))})


def _complexity(values: npt.NDArray[np.float64], plain: float) -> float:
    """Number of digits to write the values: the neutral value costs nothing, integers little, others much."""
    finite = values[np.isfinite(values) & (values != plain)]
    digits = np.log10(1 + np.abs(finite)) + 1
    with np.errstate(over="ignore"):
        odd = (finite != np.round(finite, 1)) * 6.0 + (finite != np.round(finite)) * 2.0
    return float(digits.sum() + odd.sum() + 3.0 * (~np.isfinite(values)).sum())


def _ignoring_by_default(problem: Problem) -> Problem | None:
    """The same rows ignored without passing the option; None if the backend has no default sentinel."""
    ignored = problem.ignored()
    if not ignored.any():
        return problem.with_(ignore_index=None)
    if problem.sentinel is None or not np.can_cast(np.min_scalar_type(problem.sentinel), problem.target.dtype):
        return None
    target = np.where(ignored.reshape(problem.target.shape), problem.sentinel, problem.target)
    return problem.with_(ignore_index=None, target=target.astype(problem.target.dtype))


def _with_weight(problem: Problem, weight: npt.NDArray[np.float64]) -> Problem | None:
    assert problem.weight is not None
    if problem.weight.dtype.kind == "c" or np.array_equal(problem.weight.astype(np.float64), weight):
        return None
    return problem.with_(weight=array_of(weight, problem.weight.dtype.name))
