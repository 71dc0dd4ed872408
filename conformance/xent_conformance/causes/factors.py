"""What is special about a problem, as the facts that the situation of a cause is put together from.

Finer than the traits that a deviation may name, and with their opposites: a fault may lie in the path *without* class
weights. Sizes are nested thresholds, so that one fact says ``more than 128 classes``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import is_floating, name_of
from xent_conformance.problem import F64Array, Problem

#: Where block sizes, vector widths and integer types end.
CLASSES = (1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 512, 1024, 2048, 4096, 32768, 65536)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 2048, 32768, 65536)
LABELS = (31, 32, 63, 64, 127, 128, 255, 256, 2048, 32767, 65535)
#: exp of float32 overflows, and underflows, from about here on; and magnitudes that lose their digits.
FAR, LARGE = 80.0, 1e4
PLANE = 2


def factors(problem: Problem) -> frozenset[str]:
    """The facts that hold for a problem, in the words of the report."""
    return frozenset(
        name
        for part in (_options, _target, _weights, _ignored, _shape, _layout, _values, _cotangent)
        for name in part(problem)
    )


def _options(problem: Problem) -> Iterator[str]:
    yield f"reduction {problem.reduction}"
    if problem.reduction in ("sum", "mean"):
        yield "a reduced loss"
    smoothing = problem.label_smoothing
    yield "smoothing" if smoothing else "no smoothing"
    if smoothing:
        yield "full smoothing" if smoothing == 1 else "partial smoothing"
        if not 0 <= smoothing <= 1:
            yield "smoothing out of range"


def _target(problem: Problem) -> Iterator[str]:
    if not problem.has_probabilities:
        yield "labels"
        yield f"{name_of(problem.target.dtype)} labels"
        if problem.target.dtype.kind in "iu":
            yield from _labels(problem)
        return
    yield "probability targets"
    if problem.target.shape == problem.logits.shape and problem.target.size:
        shares = problem.probabilities()
        totals = shares.sum(axis=1)
        if np.abs(totals - 1).max() > 1e-2:  # noqa: PLR2004 - more than any dtype's rounding
            yield "targets that do not sum to 1"
        if (totals == 0).any():
            yield "a target of zeros"
        if (shares == 0).any():
            yield "a target probability of zero"


def _labels(problem: Problem) -> Iterator[str]:
    """Facts about labels whose rows are not ignored."""
    labels = problem.labels()[~problem.ignored()] if problem.target.size == problem.rows else problem.labels()
    if not labels.size:
        return
    smallest, largest = int(labels.min()), int(labels.max())
    yield from (f"a label above {limit}" for limit in LABELS if largest > limit)
    if largest == problem.classes - 1:
        yield "a label of the last class"
    if smallest == 0:
        yield "a label of the first class"
    if smallest < 0 or largest >= problem.classes:
        yield "a label out of range"


def _weights(problem: Problem) -> Iterator[str]:
    if problem.weight is None:
        yield "no class weights"
        return
    yield "class weights"
    if problem.weight.dtype.kind == "c" or problem.weight.shape != (problem.classes,) or not problem.weight.size:
        return
    weights = problem.class_weights()
    if (weights < 0).any():
        yield "a negative weight"
    if (weights == 0).any():
        yield "a weight of zero"
    if (weights == 0).all():
        yield "only weights of zero"
    if len(weights) > 1 and (weights == weights[0]).all():
        yield "equal weights"
    if not problem.has_probabilities and problem.target.size == problem.rows:
        labels = problem.labels()[~problem.ignored()]
        labels = labels[(labels >= 0) & (labels < problem.classes)]
        if labels.size and (weights[labels] == 0).any():
            yield "a target of weight zero"
        if labels.size and abs(weights[labels].sum()) < 1:
            yield "a total weight below 1"


def _ignored(problem: Problem) -> Iterator[str]:
    if problem.ignore_index is not None:
        yield "ignore_index given"
        if 0 <= problem.ignore_index < problem.classes:
            yield "ignore_index that is a class"
    if problem.has_probabilities:
        return
    ignored = problem.ignored() if problem.target.size == problem.rows else np.zeros(problem.rows, bool)
    if not ignored.any():
        yield "no ignored rows"
        return
    yield "ignored rows"
    yield "every row ignored" if ignored.all() else "some rows ignored"
    if problem.ignore_index is None:
        yield "ignored rows by default"
    if is_floating(problem.logits.dtype) and (~np.isfinite(problem.logits_by_row()[ignored])).any():
        yield "ignored rows that are not finite"


def _shape(problem: Problem) -> Iterator[str]:
    rank, classes, rows = problem.logits.ndim, problem.classes, problem.rows
    yield "unbatched" if rank == 1 else ("spatial" if rank > PLANE else "logits (N, C)")
    if rank > PLANE + 1:
        yield f"{rank} axes"
    yield from _size("class", "classes", classes, CLASSES)
    if rank != 1:
        yield from _size("row", "rows", rows, ROWS)
    if classes == rows:
        yield "as many rows as classes"
    yield from (f"classes not a multiple of {width}" for width in (2, 4, 32) if classes % width)


def _size(one: str, many: str, size: int, limits: tuple[int, ...]) -> Iterator[str]:
    if size == 1:
        yield f"one {one}"
    for limit in limits:
        if size > limit:
            yield f"more than {limit} {one if limit == 1 else many}"
        elif limit > 1:
            yield f"at most {limit} {many}"


def _layout(problem: Problem) -> Iterator[str]:
    for name, array in problem.arrays().items():
        if not array.size or not array.ndim:
            continue
        strides = [s for s, n in zip(array.strides, array.shape, strict=True) if n > 1]
        if any(s == 0 for s in strides):
            yield f"expanded {name}"
        elif any(s < 0 for s in strides):
            yield f"reversed {name}"
        elif not array.flags.c_contiguous:
            yield f"strided {name}"
            if array.ndim > 1 and strides and strides != sorted(strides, reverse=True):
                yield f"transposed {name}"
        elif array.ctypes.data % 16 and array.base is not None:
            yield f"unaligned {name}"


def _values(problem: Problem) -> Iterator[str]:
    if not is_floating(problem.logits.dtype) or not problem.logits.size:
        return
    ignored = problem.ignored() if problem.target.size == problem.rows else np.zeros(problem.rows, bool)
    logits = problem.logits_by_row()[~ignored]
    if not logits.size:
        return
    finite = np.isfinite(logits)
    if np.isneginf(logits).any():
        yield "masked logits"
    if np.isnan(logits).any():
        yield "logits that are nan"
    if np.isposinf(logits).any():
        yield "logits of infinity"
    size = np.abs(logits[finite])
    if not size.size:
        return
    largest = float(size.max())
    if largest > LARGE:
        yield "logits beyond 10000"
    if largest < 1e-30:  # noqa: PLR2004 - subnormal numbers of float32 and zeros
        yield "logits near zero"
    top = np.where(finite, logits, -np.inf).max(axis=1)
    bottom = np.where(finite, logits, np.inf).min(axis=1)
    yield from _heights(top, bottom)
    if ((logits == top[:, None]).sum(axis=1) > 1).any():
        yield "tied largest logits"
    yield from _of_target(problem, logits, top, ignored)


def _heights(top: F64Array, bottom: F64Array) -> Iterator[str]:
    spread = float((top - bottom).max())
    if float(top.max()) > FAR:
        yield "logits above 80"
    if float(top.min()) < -FAR:
        yield "a row far below zero"
    elif float(top.min()) < 0:
        yield "a row below zero"
    yield from (f"logits more than {limit} apart" for limit in (10, 20, 80, 1000) if spread > limit)
    yield from (f"logits at most {limit} apart" for limit in (1, 10) if spread <= limit)


def _of_target(problem: Problem, logits: F64Array, top: F64Array, ignored: npt.NDArray[np.bool_]) -> Iterator[str]:
    if problem.has_probabilities or problem.target.size != problem.rows or problem.target.dtype.kind not in "iu":
        return
    labels = problem.labels()[~ignored]
    if not labels.size or labels.min() < 0 or labels.max() >= problem.classes:
        return
    with np.errstate(invalid="ignore"):
        below = top - logits[np.arange(len(labels)), labels]
    if (below > FAR).any():
        yield "a target far below the largest logit"
    if (below == 0).any():
        yield "a target that is the largest logit"


def _cotangent(problem: Problem) -> Iterator[str]:
    if problem.cotangent is None or not problem.cotangent.size or not is_floating(problem.cotangent.dtype):
        return
    values = problem.cotangent.astype(np.float64).reshape(-1)
    if (values == 1).all():
        yield "cotangent of ones"
    elif (values == 0).all():
        yield "cotangent of zeros"
    else:
        yield "cotangent other than ones"
        if values[0] == 0:
            yield "cotangent that begins with zero"
        if (values < 0).any():
            yield "cotangent below zero"
        if np.abs(values).max() > 2:  # noqa: PLR2004
            yield "cotangent above 2"
    if len(values) > 1:
        yield "one cotangent for all rows" if (values == values[0]).all() else "a cotangent for each row"
