"""Memory layouts and ranks: the same numbers in other strides or with other axes give the same result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, STRIDES, keeps_strides
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.agreement import agree, both_agree, gradient_of, gradients_agree, loss_of
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import (
    FREE_SHAPES,
    SPATIAL,
    UNBATCHED,
    chosen_rows,
    cotangent_for,
    dense,
    flattened,
)
from xent_conformance.strategies.layouts import LAYOUTS, laid_out
from xent_conformance.strategies.situations import RELATIONS, SQUARE, VIEWS

_VIEWS = [
    "https://github.com/pytorch/pytorch/issues/67167",
    "https://github.com/pytorch/pytorch/issues/89673",
    "https://github.com/pytorch/pytorch/issues/190139",
]


def _views(problem: Problem) -> Iterable[Problem]:
    """All arrays of the problem in each layout, and each array alone repeated with a stride of zero."""
    for layout in (*LAYOUTS[1:], "read-only"):
        yield problem.with_(**{name: laid_out(array, layout) for name, array in problem.arrays().items()})
    for name in ("target", "weight"):
        array = problem.arrays().get(name)
        if array is not None and array.ndim and len(array) > 1:
            yield problem.with_(**{name: np.broadcast_to(array[:1], array.shape)})
    if problem.reduction == "none" and len(problem.row_shape) > 1:
        cotangent = cotangent_for(problem.row_shape, "none", problem.dtype)
        yield problem.with_(cotangent=np.broadcast_to(cotangent[..., :1], cotangent.shape))
    axis = problem.class_axis
    if problem.rows > 1:
        first = problem.logits[:1]
        yield problem.with_(logits=np.broadcast_to(first, problem.logits.shape))
    if problem.classes > 1:
        first = np.take(problem.logits, [0], axis=axis)
        yield problem.with_(logits=np.broadcast_to(first, problem.logits.shape))


def _odd(trial: Trial) -> list[str]:
    """The arrays of a problem that the backend receives in a layout that is not contiguous."""
    return [
        name
        for name, array in trial.problem.arrays().items()
        if not array.flags.c_contiguous and keeps_strides(trial.subject, array)
    ]


@requirement(
    "layout.loss",
    "loss of views = loss of copies",
    source=VIEWS,
    derive=_views,
    needs=[STRIDES],
    references=_VIEWS,
)
def test_loss_of_views_is_loss_of_copies(trial: Trial) -> Iterator[Finding]:
    """Transposed, strided, offset, reversed, broadcast and read-only logits, targets and weights give the loss of
    contiguous copies; layouts that the backend's arrays cannot have are left out.
    """
    odd = [name for name in _odd(trial) if name != "cotangent"]
    if not odd:
        return
    loss = loss_of(trial)
    copy = loss_of(trial.laid_out(dense(trial.problem)))
    yield agree(trial, "loss", loss, copy, f"with {' and '.join(odd)} contiguous")


@requirement(
    "layout.gradient",
    "gradient of views = gradient of copies",
    source=VIEWS,
    derive=_views,
    needs=[STRIDES, GRADIENT],
    references=["https://github.com/ROCm/TransformerEngine/pull/623", *_VIEWS],
)
def test_gradient_of_views_is_gradient_of_copies(trial: Trial) -> Iterator[Finding]:
    """Transposed, strided, offset, reversed, broadcast and read-only logits, targets, weights and cotangents give the
    gradient of contiguous copies; layouts that the backend's arrays cannot have are left out.
    """
    odd = _odd(trial)
    if not odd:
        return
    gradient = gradient_of(trial)
    copy = gradient_of(trial.laid_out(dense(trial.problem)))
    yield gradients_agree(trial, gradient, copy, f"with {' and '.join(odd)} contiguous")


def _spatial(problem: Problem) -> Iterable[Problem]:
    if problem.logits.ndim > 2:  # noqa: PLR2004 - has dimensions beside rows and classes
        yield problem


def _unbatched(problem: Problem) -> Iterable[Problem]:
    """The problem's last row as logits (C,) with a scalar target."""
    if problem.rows:
        row = chosen_rows(problem, np.array([problem.rows - 1]))
        target, cotangent = row.target[0], row.cotangent
        if problem.reduction == "none" and cotangent is not None:
            cotangent = np.asarray(cotangent.reshape(-1)[0])
        yield row.with_(logits=row.logits[0], target=np.asarray(target), cotangent=cotangent)


@requirement(
    "layout.spatial-is-flat",
    "spatial dimensions = more rows",
    source=RELATIONS,
    derive=_spatial,
    needs=[SPATIAL, FREE_SHAPES],
    references=["https://github.com/pytorch/pytorch/issues/85791", "https://github.com/pytorch/pytorch/issues/49882"],
)
def test_spatial_dimensions_are_more_rows(trial: Trial) -> Iterator[Finding]:
    """Logits (N, C, d1, ..., dk) have the same loss and gradient as (N d1 ... dk, C)."""
    if trial.problem.logits.ndim > 2:  # noqa: PLR2004 - see above
        yield from both_agree(trial, trial.related(flattened(trial.problem)), "with the spatial dimensions flattened")


@requirement(
    "layout.unbatched-is-one-row",
    "unbatched logits = a batch of one",
    source=RELATIONS,
    derive=_unbatched,
    needs=[UNBATCHED, FREE_SHAPES],
    references=["https://github.com/pytorch/pytorch/pull/77653"],
)
def test_unbatched_logits_are_a_batch_of_one(trial: Trial) -> Iterator[Finding]:
    """Logits (C,) with one target have the same loss and gradient as (1, C)."""
    if trial.problem.logits.ndim == 1:
        yield from both_agree(trial, trial.related(flattened(trial.problem)), "as a batch of one")


_AXES = ["https://github.com/kulinseth/pytorch/pull/233", "https://github.com/keras-team/keras/issues/21097"]


@requirement(
    "layout.square-loss", "as many classes as rows: the loss", source=SQUARE, references=_AXES, needs=[FREE_SHAPES]
)
def test_the_class_axis_is_found_among_equals_for_the_loss(trial: Trial) -> Iterator[Finding]:
    """If the number of classes equals the number of rows, or the length of every other axis, classes and weights are
    still taken along the class axis.
    """
    yield loss_finding(trial)


@requirement(
    "layout.square-gradient",
    "as many classes as rows: the gradient",
    source=SQUARE,
    needs=[GRADIENT, FREE_SHAPES],
    references=_AXES,
)
def test_the_class_axis_is_found_among_equals_for_the_gradient(trial: Trial) -> Iterator[Finding]:
    """If the number of classes equals the number of rows, or the length of every other axis, the gradient is still
    taken along the class axis.
    """
    yield gradient_finding(trial)
