"""The facts of a problem: its special properties, by the names that records use.

``variants.py`` makes problems without a given fact; situations consist of facts. Some facts are absences, such as "no
class weights", because a fault may lie in the code for calls without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import is_floating, name_of
from xent_conformance.problem import REDUCTIONS, F64Array, Problem, ignored_rows, labels_exist
from xent_conformance.records.situations import EXPANDED, INVALID, STRIDED

#: Sizes that are facts: more than a thread handles at once, more than a block, and near the limits of 16-bit indices.
CLASSES, ROWS, LOGITS = (4, 100, 10_000), (100, 10_000), (10_000, 1_000_000)
#: Numbers of classes for which there may be code of its own: nothing to decide, and a binary problem.
FEW = {1: "one class", 2: "two classes"}
#: exp in float32 overflows for logits above about FAR and underflows below about -FAR. Logits up to LARGE are ordinary:
#: no exponential dominates the others.
FAR, LARGE = 80.0, 4.0
#: Class weights below this are small: something that is added to their sum, or limits it, may count.
SMALL = 2.0**-6
#: Target probabilities sum to 1 within this in every dtype, including bfloat16.
ROUGHLY = 1e-2


#: The fact that neighbouring classes of a row of logits are not neighbours in memory. It holds for most spatial logits,
#: contiguous or not, and for transposed and strided ones: a kernel that reads rows as dense is wrong for all of these.
APART = "classes apart in memory"


def adjacent(problem: Problem) -> bool:
    """Whether the classes of a row of logits follow each other in memory."""
    return problem.logits.strides[problem.class_axis] == problem.logits.itemsize


#: The facts of problems that exist: each requirement asks for them once more.
_known: WeakKeyDictionary[Problem, frozenset[str]] = WeakKeyDictionary()


def facts(problem: Problem) -> frozenset[str]:
    """The facts that hold for a problem."""
    if problem not in _known:
        # Logits without an axis of classes have none.
        parts = PARTS if problem.logits.ndim else ()
        _known[problem] = frozenset(name for part in parts for name in part(problem))
    return _known[problem]


def _validity(problem: Problem) -> Iterator[str]:
    shape = problem.logits.shape if problem.has_probabilities else problem.row_shape
    numbers = is_floating(problem.logits.dtype) and (problem.has_probabilities or problem.target.dtype.kind in "iu")
    fits = problem.target.shape == shape and (problem.weight is None or problem.weight.shape == (problem.classes,))
    known = problem.reduction in REDUCTIONS and 0 <= problem.label_smoothing <= 1
    if not (numbers and fits and known and (problem.has_probabilities or labels_exist(problem))):
        yield INVALID


def _options(problem: Problem) -> Iterator[str]:
    yield f"reduction {problem.reduction}"
    if problem.reduction in ("sum", "mean"):
        yield "a reduced loss"
    yield "smoothing" if problem.label_smoothing else "no smoothing"
    if problem.label_smoothing == 1:
        yield "full smoothing"
    yield from problem.extras
    cotangent = problem.cotangent
    if cotangent is not None and is_floating(cotangent.dtype) and (cotangent.astype(np.float64) != 1).any():
        yield "a cotangent other than ones"


def _target(problem: Problem) -> Iterator[str]:
    if not problem.has_probabilities:
        yield "labels"
        if problem.target.dtype != np.int64:
            yield f"{name_of(problem.target.dtype)} labels"
        if problem.target.size == problem.rows and problem.target.dtype.kind in "iu":
            labels = problem.labels()[~problem.ignored()]
            if (labels == 0).any():
                yield "a label of the first class"
            if (labels == problem.classes - 1).any():
                yield "a label of the last class"
        return
    yield "probability targets"
    if problem.target.dtype != problem.logits.dtype:
        yield "targets of another dtype than the logits"
    if problem.target.shape == problem.logits.shape and problem.target.size:
        shares = problem.probabilities()
        if np.abs(shares.sum(axis=1) - 1).max() > ROUGHLY:
            yield "targets that do not sum to 1"
        if (shares == 0).any():
            yield "a target probability of zero"


def _weights(problem: Problem) -> Iterator[str]:
    if problem.weight is None:
        yield "no class weights"
        return
    yield "class weights"
    if problem.weight.dtype != problem.logits.dtype:
        yield "class weights of another dtype than the logits"
    if problem.weight.dtype.kind == "c" or not problem.weight.size:
        return
    weights = problem.class_weights()
    if (weights < 0).any():
        yield "a negative weight"
    if (weights == 0).any():
        yield "a weight of zero"
    if weights.size > 1 and (weights == weights.reshape(-1)[0]).all():
        yield "equal weights"
    if small(weights).any():
        yield "small weights"


def small(weights: F64Array) -> npt.NDArray[np.bool_]:
    """Which class weights are small and not zero, (C,)."""
    return np.asarray((weights != 0) & (np.abs(weights) < SMALL))


def _ignored(problem: Problem) -> Iterator[str]:
    if problem.ignore_index is not None:
        yield "ignore_index given"
    if problem.has_probabilities:
        return
    ignored = ignored_rows(problem)
    if not ignored.any():
        yield "no ignored rows"
        return
    yield "ignored rows"
    if ignored.all():
        yield "every row ignored"
    if is_floating(problem.logits.dtype) and not np.isfinite(problem.logits_by_row()[ignored]).all():
        yield "ignored rows that are not finite"


def _shape(problem: Problem) -> Iterator[str]:
    axes, classes, rows = problem.logits.ndim, problem.classes, problem.rows
    if axes != 2:  # noqa: PLR2004 - (N, C)
        yield "unbatched" if axes == 1 else "spatial"
    if not rows:
        yield "no rows"
    if not classes:
        yield "no classes"
    if classes in FEW:
        yield FEW[classes]
    if rows == classes > 1:
        yield "as many rows as classes"
    if rows > 1:
        yield "several rows"
    elif rows and axes > 1:
        yield "one row"
    yield from (f"more than {limit} classes" for limit in CLASSES if classes > limit)
    yield from (f"more than {limit} rows" for limit in ROWS if rows > limit)
    yield from (f"more than {limit} logits" for limit in LOGITS if problem.logits.size > limit)


def _layout(problem: Problem) -> Iterator[str]:
    if problem.logits.size and problem.classes > 1 and not adjacent(problem):
        yield APART
    for name, array in problem.arrays().items():
        if array.size and not array.flags.c_contiguous:
            yield f"{name}{STRIDED}"
        if array.size and any(count > 1 and not step for count, step in zip(array.shape, array.strides, strict=True)):
            yield f"{name}{EXPANDED}"


def _values(problem: Problem) -> Iterator[str]:
    if not is_floating(problem.logits.dtype) or not problem.logits.size:
        return
    yield "particular logits"
    logits = problem.logits_by_row()[~ignored_rows(problem)]
    if not logits.size:
        return
    if np.isneginf(logits).any():
        yield "masked logits"
    if np.isneginf(logits).all(axis=1).any():
        yield "a masked row"
    if np.isnan(logits).any():
        yield "logits that are nan"
    if np.isposinf(logits).any():
        yield "logits of infinity"
    finite = np.isfinite(logits)
    if finite.any():
        yield from _sizes_of(logits, finite)


def _sizes_of(logits: F64Array, finite: npt.NDArray[np.bool_]) -> Iterator[str]:
    if np.abs(logits[finite]).max() > LARGE:
        yield "large logits"
    top = np.where(finite, logits, -np.inf).max(axis=1)
    if top.max() > FAR or top.min() < -FAR:
        yield "a row far from zero"
    if ((logits == top[:, None]).sum(axis=1) > 1).any():
        yield "tied largest logits"


#: The functions that yield facts, in the order of a situation.
PARTS = (_validity, _options, _target, _weights, _ignored, _shape, _layout, _values)
