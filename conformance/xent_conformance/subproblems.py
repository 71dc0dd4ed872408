"""Restricting a problem to some of its rows, positions or classes, or to one dtype."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xent_conformance.problem import AnyArray, Problem, by_row

#: An invalid label at most this far past the last class keeps its distance to it when classes are removed.
FAR_OUT = 48
#: Axes of logits (N, C); those with more are spatial.
MATRIX = 2


def keep_rows(problem: Problem, rows: npt.NDArray[np.intp]) -> Problem | None:
    """The problem of some of the rows, as logits (len(rows), C); None if the target's shape does not match the rows."""
    per_class = problem.target.ndim == problem.logits.ndim
    fits = problem.target.shape == problem.logits.shape if per_class else problem.target.size == problem.rows
    if not fits or problem.logits.ndim == 0:
        return None
    logits = np.ascontiguousarray(by_row(problem.logits, problem.class_axis)[rows])
    target = by_row(problem.target, problem.class_axis) if per_class else problem.target.reshape(-1)
    cotangent = problem.cotangent
    if cotangent is not None and problem.reduction == "none":
        cotangent = np.ascontiguousarray(cotangent).reshape(-1)[rows]
    return problem.with_(logits=logits, target=np.ascontiguousarray(target[rows]), cotangent=cotangent)


def keep_places(problem: Problem, axis: int, places: npt.NDArray[np.intp]) -> Problem | None:
    """The problem of some of the positions along a batch or spatial axis.

    Logits that are not spatial become (len(places), C), see ``keep_rows``. None if there is no such axis, or if the
    target's shape does not match.
    """
    if problem.logits.ndim <= MATRIX:
        return keep_rows(problem, places)
    per_class, class_axis = problem.target.ndim == problem.logits.ndim, problem.class_axis
    wanted = problem.logits.shape if per_class else problem.row_shape
    if axis == class_axis or problem.target.shape != wanted:
        return None
    row_axis = axis - (axis > class_axis)
    cotangent = problem.cotangent
    if cotangent is not None and problem.reduction == "none":
        cotangent = np.take(cotangent, places, axis=row_axis)
    return problem.with_(
        logits=np.take(problem.logits, places, axis=axis),
        target=np.take(problem.target, places, axis=axis if per_class else row_axis),
        cotangent=cotangent,
    )


def keep_classes(problem: Problem, classes: npt.NDArray[np.intp]) -> Problem | None:
    """The problem of some of the classes. Labels of removed classes become the first class.

    None if the class whose rows are ignored is removed, or if the shape of target or weight does not match the logits,
    as in calls that must be rejected.
    """
    per_class = problem.target.ndim == problem.logits.ndim
    wrong_target = per_class and problem.target.shape != problem.logits.shape
    if wrong_target or (problem.weight is not None and problem.weight.shape != (problem.classes,)):
        return None

    def kept(array: AnyArray) -> AnyArray:
        return np.ascontiguousarray(np.take(array, classes, axis=problem.class_axis))

    fewer = problem.with_(logits=kept(problem.logits))
    if problem.weight is not None:
        fewer = fewer.with_(weight=problem.weight[classes])
    if per_class:
        return fewer.with_(target=kept(problem.target))
    return _relabelled(problem, fewer, classes) if np.issubdtype(problem.target.dtype, np.integer) else fewer


def _relabelled(problem: Problem, fewer: Problem, classes: npt.NDArray[np.intp]) -> Problem | None:
    """The problem of fewer classes with its labels, and the ignored class, renumbered."""
    new_place = np.full(problem.classes, -1)
    new_place[classes] = np.arange(len(classes))
    # Labels from C on are out of range on purpose and stay as far out of range as they are.
    shift = problem.classes - len(classes)

    def moved(label: int) -> int:
        """New label, -1 where its class is gone."""
        if not 0 <= label < problem.classes:
            return label - shift if problem.classes <= label < problem.classes + FAR_OUT else label
        return int(new_place[label])

    sentinel = problem.ignored_label
    inside = sentinel is not None and 0 <= sentinel < problem.classes
    if inside and sentinel is not None and (problem.ignore_index is None or moved(sentinel) < 0):
        return None
    labels = np.array([moved(v) if v == sentinel else _or_first(moved(v), v) for v in problem.labels().tolist()])
    target = labels.astype(np.int64).astype(problem.target.dtype).reshape(problem.target.shape)
    passed = None if problem.ignore_index is None else moved(problem.ignore_index)
    return fewer.with_(target=target, ignore_index=passed)


def _or_first(moved: int, label: int) -> int:
    """The new label, or the first class if its class was removed."""
    return 0 if moved < 0 <= label else moved


def in_the_dtype_of_the_logits(problem: Problem, array: str) -> Problem:
    """The problem with an array in the dtype of the logits, rounded to it where that is narrower."""
    return problem.with_(**{array: getattr(problem, array).astype(problem.logits.dtype, order="K")})
