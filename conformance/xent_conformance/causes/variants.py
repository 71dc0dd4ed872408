"""Variants of a failing problem without one of its facts. If they pass, the failure needs that fact."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.guarded import laid_out_like
from xent_conformance.causes import numbers
from xent_conformance.causes.facts import APART, CLASSES, LOGITS, ROWS, facts
from xent_conformance.formats import is_floating
from xent_conformance.problem import EXTRAS, REDUCTIONS, AnyArray, Problem, array_of
from xent_conformance.records.situations import EXPANDED, INVALID, STRIDED
from xent_conformance.subproblems import MATRIX, in_the_dtype_of_the_logits, keep_classes, keep_places, keep_rows

Variants = Callable[[Problem], Iterator[Problem | None]]

#: The arrays whose layout is a fact.
ARRAYS = ("logits", "target", "weight", "cotangent")
#: A problem with many logits is reduced to one of this many parts.
PART = 8


def variants(problem: Problem, name: str) -> list[Problem]:
    """Problems that differ from a given one in a single fact.

    Args:
        problem: The problem.
        name: A fact that holds for it.

    Returns:
        Problems for which the fact does not hold; empty if it cannot be removed.
    """
    make: Variants
    if name.endswith(("int8 labels", "int16 labels", "int32 labels", "uint64 labels")):
        make = _int64
    elif name in WITHOUT:
        make = WITHOUT[name]
    else:
        return []
    try:
        with np.errstate(all="ignore"):
            made = [variant for variant in make(problem) if variant is not None]
            made += [other for variant in made for other in numbers.visibly_different(variant)]
            if not (name == APART or name.endswith((STRIDED, EXPANDED))):
                made += [other for variant in made for other in _not_contiguous(problem, variant)]
    except (ValueError, IndexError, TypeError, OverflowError):
        # Arrays of an invalid call need not have the shapes and dtypes that the functions expect.
        return []
    return [variant for variant in made if name == numbers.PARTICULAR or name not in facts(variant)]


def _not_contiguous(problem: Problem, variant: Problem) -> Iterator[Problem]:
    """A variant with the arrays strided that are so in the problem, if they are contiguous in the variant.

    Without it, a fault of strided arrays would seem to need each fact that is removed by making new arrays.
    """
    arrays = variant.arrays()
    lost = [n for n, a in problem.arrays().items() if n in arrays and _strided(a) and not _strided(arrays[n])]
    if lost:
        yield variant.with_(**{name: _strided_like(getattr(problem, name), arrays[name]) for name in lost})


def _strided(array: AnyArray) -> bool:
    return bool(array.size) and not array.flags.c_contiguous


def _strided_like(array: AnyArray, values: AnyArray) -> AnyArray:
    """Other values in the layout of an array or, where their shape makes that contiguous, with gaps between them."""
    like = laid_out_like(array, values) if array.ndim == values.ndim else values
    return like if _strided(like) else _with_gaps(values)


def _with_gaps(values: AnyArray) -> AnyArray:
    """The values with gaps between all of them in memory."""
    wide = np.zeros((*values.shape, 2), values.dtype)
    wide[..., 0] = values
    return wide[..., 0]


def _valid(problem: Problem) -> Iterator[Problem | None]:
    """With a target and class weights of the right shape, labels that are classes, and usual options."""
    logits, target, weight, smoothing = problem.logits, problem.target, problem.weight, problem.label_smoothing
    if problem.has_probabilities:
        target = np.full(logits.shape, 1 / problem.classes).astype(target.dtype)
    else:
        target = np.zeros(problem.row_shape, target.dtype if target.dtype.kind in "iu" else np.int64)
    yield problem.with_(
        logits=logits if is_floating(logits.dtype) else logits.astype(np.float32),
        target=target,
        weight=None if weight is None else np.ones(problem.classes).astype(weight.dtype),
        reduction=problem.reduction if problem.reduction in REDUCTIONS else "mean",
        label_smoothing=smoothing if 0 <= smoothing <= 1 else 0.0,
    )


def _contiguous(array: str) -> Variants:
    def make(problem: Problem) -> Iterator[Problem | None]:
        strided = getattr(problem, array)
        yield problem.with_(**{array: np.ascontiguousarray(strided).reshape(strided.shape)})

    return make


def _not_expanded(array: str) -> Variants:
    def make(problem: Problem) -> Iterator[Problem | None]:
        yield problem.with_(**{array: _with_gaps(getattr(problem, array))})

    return make


def _classes_adjacent(problem: Problem) -> Iterator[Problem | None]:
    """With the classes of each row next to each other, and rows apart from each other where they were."""
    rows = np.moveaxis(problem.logits, problem.class_axis, -1)
    if problem.logits.flags.c_contiguous:
        dense = np.ascontiguousarray(rows)
    else:
        wide = np.zeros((*rows.shape[:-1], problem.classes + 1), rows.dtype)
        dense = wide[..., :-1]
        dense[...] = rows
    yield problem.with_(logits=np.moveaxis(dense, -1, problem.class_axis))


def _of_the_logits(array: str) -> Variants:
    def make(problem: Problem) -> Iterator[Problem | None]:
        yield in_the_dtype_of_the_logits(problem, array)

    return make


def _int64(problem: Problem) -> Iterator[Problem | None]:
    yield problem.with_(target=problem.target.astype(np.int64, order="K"))


def _option(**options: object) -> Variants:
    def make(problem: Problem) -> Iterator[Problem | None]:
        yield problem.with_(**options)

    return make


def _reduced(*reductions: str) -> Variants:
    """Variants with other reductions. The cotangent gets the shape of the new loss."""

    def make(problem: Problem) -> Iterator[Problem | None]:
        for reduction in reductions:
            cotangent = problem.cotangent
            if cotangent is not None:
                first = cotangent.astype(np.float64).reshape(-1)[0]
                shape = problem.row_shape if reduction == "none" else ()
                cotangent = array_of(np.full(shape, first), cotangent.dtype.name)
            yield problem.with_(reduction=reduction, cotangent=cotangent)

    return make


def _plain_cotangent(problem: Problem) -> Iterator[Problem | None]:
    if problem.cotangent is not None:
        yield problem.with_(cotangent=np.ones_like(problem.cotangent))


def _nothing_ignored(problem: Problem) -> Iterator[Problem | None]:
    yield _counted(problem, problem.ignored())


def _one_row_counted(problem: Problem) -> Iterator[Problem | None]:
    """With one of the ignored rows counted; the row of a problem with a single row is repeated first."""
    wider = _twice(problem) if problem.rows == 1 else problem
    if wider is not None:
        yield _counted(wider, np.arange(wider.rows) == 0)


def _twice(problem: Problem) -> Problem | None:
    """The problem with its first row twice; spatial problems stay spatial."""
    return keep_places(problem, 0, np.array([0, 0]))


def _counted(problem: Problem, rows: npt.NDArray[np.bool_]) -> Problem | None:
    """The problem with valid labels, and finite logits, in ignored rows of a mask; None if no label is valid."""
    usable = [c for c in range(min(problem.classes, 64)) if c != problem.ignored_label]
    if not usable or problem.has_probabilities:
        return None
    labels = problem.labels().copy()
    labels[rows] = [usable[(3 * i + 1) % len(usable)] for i in range(int(rows.sum()))]
    values = labels.astype(problem.target.dtype).reshape(problem.target.shape)
    # Logits of the rows that stay ignored are not replaced: they may be the reason for the failure.
    return numbers.with_finite_rows(problem.with_(target=laid_out_like(problem.target, values)), rows)


def _one_row_ignored(problem: Problem) -> Iterator[Problem | None]:
    """With the last row ignored; the row of a problem with a single row is repeated first."""
    wider = _twice(problem) if problem.rows == 1 else problem
    if wider is not None and wider.ignored_label is not None:
        labels = wider.target.reshape(-1).copy()
        labels[-1] = wider.ignored_label
        yield wider.with_(target=labels.reshape(wider.target.shape))


def _ignored_by_default(problem: Problem) -> Iterator[Problem | None]:
    if problem.sentinel is not None and not problem.has_probabilities:
        labels = np.where(problem.ignored(), problem.sentinel, problem.labels())
        yield problem.with_(ignore_index=None, target=labels.astype(np.int64).reshape(problem.target.shape))


def _flat(problem: Problem) -> Iterator[Problem | None]:
    yield keep_rows(problem, np.arange(problem.rows))


def _labels(problem: Problem) -> Iterator[Problem | None]:
    yield problem.with_(target=problem.target.astype(np.float64).argmax(problem.class_axis).astype(np.int64))


def _few_classes(count: int) -> Variants:
    def make(problem: Problem) -> Iterator[Problem | None]:
        yield keep_classes(problem, np.arange(count))
        yield keep_classes(problem, np.arange(problem.classes - count, problem.classes))

    return make


def _third_class(problem: Problem) -> Iterator[Problem | None]:
    """With one of two classes repeated, or with three more."""
    for repeated in ([0, 0, 1], [0, 1, 1]) if not problem.has_probabilities else ():
        yield keep_classes(problem, np.array(repeated))
    yield from numbers.more_classes(problem)


def _not_square(problem: Problem) -> Iterator[Problem | None]:
    """With three more classes, or with one of the rows twice."""
    yield from numbers.more_classes(problem)
    if problem.logits.ndim == MATRIX:
        yield keep_rows(problem, np.append(np.arange(problem.rows), 0))


def _second_row(problem: Problem) -> Iterator[Problem | None]:
    yield _twice(problem)


def _few_rows(count: int) -> Variants:
    def make(problem: Problem) -> Iterator[Problem | None]:
        if problem.logits.ndim > MATRIX:
            yield _fewer_places(problem, count)
            return
        yield keep_rows(problem, np.arange(count))
        yield keep_rows(problem, np.arange(problem.rows - count, problem.rows))

    return make


def _fewer_places(problem: Problem, count: int) -> Problem | None:
    """A spatial problem with at most ``count`` rows: the first places along each axis other than that of classes."""
    few: Problem | None = problem
    for axis in range(problem.logits.ndim):
        if few is None or axis == few.class_axis:
            continue
        length = few.logits.shape[axis]
        few = keep_places(few, axis, np.arange(min(length, max(1, count * length // few.rows))))
    return few


def _few_logits(limit: int) -> Variants:
    """With an eighth of the rows or of the classes, or with as few as make few logits."""

    def make(problem: Problem) -> Iterator[Problem | None]:
        rows = min(problem.rows // PART, limit // problem.classes)
        classes = min(problem.classes // PART, limit // problem.rows)
        if rows:
            yield from _few_rows(rows)(problem)
        if classes:
            yield keep_classes(problem, np.arange(classes))

    return make


def _other_order(problem: Problem) -> Iterator[Problem | None]:
    """With the classes of labels, logits and weights permuted alike, which does not change the exact answer."""
    if problem.classes > 2 and problem.ignore_index is None:  # noqa: PLR2004 - two have no middle
        for by in (1, problem.classes // 2):
            yield keep_classes(problem, np.roll(np.arange(problem.classes), by))


#: Facts that can be removed, each with the function that makes variants without it.
WITHOUT: dict[str, Variants] = {
    INVALID: _valid,
    "smoothing": _option(label_smoothing=0.0),
    "no smoothing": _option(label_smoothing=0.1),
    "full smoothing": _option(label_smoothing=0.5),
    **{name: _option(**{name: neutral}) for name, neutral in EXTRAS.items()},
    "class weights": _option(weight=None),
    "no class weights": numbers.random_weights,
    "class weights of another dtype than the logits": _of_the_logits("weight"),
    "targets of another dtype than the logits": _of_the_logits("target"),
    "reduction none": _reduced("sum", "mean"),
    "reduction sum": _reduced("none", "mean"),
    "reduction mean": _reduced("sum"),
    "a reduced loss": _reduced("none"),
    "a cotangent other than ones": _plain_cotangent,
    "ignored rows": _nothing_ignored,
    "every row ignored": _one_row_counted,
    "no ignored rows": _one_row_ignored,
    "ignore_index given": _ignored_by_default,
    APART: _classes_adjacent,
    "unbatched": _flat,
    "spatial": _flat,
    "probability targets": _labels,
    "labels": numbers.distributions,
    "one class": numbers.more_classes,
    "two classes": _third_class,
    "as many rows as classes": _not_square,
    "several rows": _few_rows(1),
    "one row": _second_row,
    **{f"more than {limit} rows": _few_rows(limit) for limit in ROWS},
    **{f"more than {limit} classes": _few_classes(limit) for limit in CLASSES},
    **{f"more than {limit} logits": _few_logits(limit) for limit in LOGITS},
    "a label of the first class": _other_order,
    "a label of the last class": _other_order,
    **numbers.WITHOUT,
    **{f"{array}{STRIDED}": _contiguous(array) for array in ARRAYS},
    **{f"{array}{EXPANDED}": _not_expanded(array) for array in ARRAYS},
}
