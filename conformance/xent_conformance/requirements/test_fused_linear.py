"""The loss of a linear map, fused: logits = hidden @ weight.T + bias that are never there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import Factors
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import FUSED_LINEAR, HALF, LINEAR_GRADIENT, STRIDES, Subject, so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.precision import RECOMMENDED, Precision
from xent_conformance.problem import Problem
from xent_conformance.requirements.factors import factors_of
from xent_conformance.requirements.linear_products import exact_enough, gradients_beside_exact, loss_beside_exact
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import FREE_SHAPES, problem_of
from xent_conformance.strategies.language_models import LINEAR
from xent_conformance.strategies.layouts import REPEATED, laid_out
from xent_conformance.strategies.sources import listed

MANY_ROWS = (513, 4097)
#: Layouts beside that of a stride of zero.
VIEWS = ("transposed", "strided", "sliced", "reversed")
_MANY_ROWS = [
    "https://github.com/linkedin/Liger-Kernel/issues/512",
    "https://github.com/axolotl-ai-cloud/axolotl/pull/1601",
]
_REFERENCES = [
    "https://github.com/pytorch/pytorch/pull/195829",
    "https://github.com/linkedin/Liger-Kernel/pull/1391",
    "https://github.com/apple/ml-cross-entropy/issues/14",
]


@requirement(
    "fused_linear.loss",
    "loss of a linear map",
    source=LINEAR,
    needs=[FUSED_LINEAR],
    references=[*_REFERENCES, "https://github.com/verl-project/verl/pull/5349"],
)
def test_loss_of_a_linear_map_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """Where hidden @ weight.T + bias is exact in any arithmetic, the fused loss is within the bound of the loss of
    those logits, without a bias and, where that is claimed, with one: in every reduction, with ignored rows and
    smoothing.
    """
    for factors in _with_and_without_bias(trial):
        yield loss_beside_exact(trial, factors)


@requirement(
    "fused_linear.gradients",
    "gradients of a linear map",
    source=LINEAR,
    needs=[FUSED_LINEAR, LINEAR_GRADIENT],
    references=[*_REFERENCES, "https://github.com/linkedin/Liger-Kernel/issues/968"],
)
def test_gradients_of_a_linear_map_are_within_their_bound(trial: Trial) -> Iterator[Finding]:
    """The gradients of hidden, weight and bias are within the bound of the exact ones: those of the logits times
    weight, times hidden, and summed over the rows. The bound grows with rows and classes, not with chunks of them.
    """
    yield from gradient_findings(trial)


def gradient_findings(trial: Trial, precision: Precision | None = None) -> Iterator[Finding]:
    """The gradients of hidden, weight and bias beside the exact ones; the precision is by default the declared one."""
    exact = trial.answer.grad_logits
    if not np.isfinite(exact.value).all() or not exact_enough(trial):
        return
    bounds = None if precision is None else trial.bounds_under(precision)
    for factors in _with_and_without_bias(trial):
        yield from gradients_beside_exact(trial, factors, trial.linear_gradients(factors), bounds)


@listed("many rows")
def many_rows(subject: Subject) -> Iterator[Problem]:
    """Equal rows, so many that a sum of their gradients stands still in the narrow formats."""
    for rows in MANY_ROWS:
        labels = np.zeros(rows, dtype=np.int64)
        problem = problem_of(
            subject, np.resize([1.0, 0.0, -1.0], (rows, 3)), labels, subject.capabilities.reductions[-1]
        )
        yield problem.with_(cotangent=np.ones_like(problem.cotangent))


@requirement(
    "fused_linear.many-rows",
    "gradients of a linear map over many rows",
    source=many_rows,
    needs=[FUSED_LINEAR, LINEAR_GRADIENT, FREE_SHAPES, so_many(min(MANY_ROWS))],
    references=_MANY_ROWS,
)
def test_gradients_of_a_linear_map_do_not_stand_still(trial: Trial) -> Iterator[Finding]:
    """Over 4097 equal rows the gradients of weight and bias are as many times that of one row: they are not added in
    the dtype of the logits chunk by chunk, which loses what is small beside the sum.
    """
    yield from gradient_findings(trial)


@requirement(
    "fused_linear.many-rows-in-float32",
    "gradients of a linear map over many rows, added in float32",
    level=Level.SHOULD,
    source=many_rows,
    needs=[FUSED_LINEAR, LINEAR_GRADIENT, FREE_SHAPES, HALF, so_many(min(MANY_ROWS))],
    references=_MANY_ROWS,
)
def test_gradients_of_a_linear_map_are_added_in_float32(trial: Trial) -> Iterator[Finding]:
    """Over 4097 equal rows the gradients of hidden, weight and bias are as accurate as sums in float32 make them,
    whatever precision is declared.
    """
    if not any(finding.failed for finding in gradient_findings(trial)):
        yield from gradient_findings(trial, RECOMMENDED)


@listed("linear layouts")
def linear_layouts(subject: Subject) -> Iterator[Problem]:
    """A few rows in every reduction; the labels differ, and so do the cotangents of the rows."""
    labels, default = np.array([2, 0, 1, 2, 0]), subject.capabilities.default_ignore_index
    if default is not None:
        labels[3] = default
    for reduction in subject.capabilities.reductions:
        yield problem_of(subject, [[1, -2, 3], [0, 4, 2], [2, 2, -1], [-3, 1, 0], [5, 0, 1]], labels, reduction)


@requirement(
    "fused_linear.layout",
    "views instead of copies in a linear map",
    source=linear_layouts,
    needs=[FUSED_LINEAR, STRIDES],
    references=[
        "https://github.com/linkedin/Liger-Kernel/issues/968",
        "https://github.com/pytorch/pytorch/issues/67167",
    ],
)
def test_a_linear_map_reads_views_as_copies(trial: Trial) -> Iterator[Finding]:
    """Loss and gradients are within their bounds where hidden, weight, bias, target or cotangent is transposed, has
    gaps, runs backwards, or has one element behind a stride of zero.
    """
    for factors in _with_and_without_bias(trial):
        for view, viewed in _views(trial, factors):
            yield loss_beside_exact(view, viewed)
            if LINEAR_GRADIENT.met_by(trial.subject) and np.isfinite(view.answer.grad_logits.value).all():
                yield from gradients_beside_exact(view, viewed, view.linear_gradients(viewed))


def _views(trial: Trial, factors: Factors) -> Iterator[tuple[Trial, Factors]]:
    """Each array in each layout that it can have, beside the others as they are."""
    for layout in VIEWS:
        for name, array in factors._asdict().items():
            if array is not None and (view := laid_out(array, layout)) is not array:
                yield trial, factors._replace(**{name: view})
        for name in ("target", "cotangent"):
            array = getattr(trial.problem, name)
            if array is not None and (view := laid_out(array, layout)) is not array:
                yield trial.laid_out(trial.problem.with_(**{name: view})), factors
    for name in ("target", "cotangent"):
        array = getattr(trial.problem, name)
        if array is not None and array.ndim and array.size:
            yield trial.related(trial.problem.with_(**{name: laid_out(array, REPEATED)})), factors


def _with_and_without_bias(trial: Trial) -> Iterator[Factors]:
    for bias in (True, False) if trial.subject.capabilities.linear_bias else (False,):
        factors = factors_of(trial.problem, bias=bias)
        if factors is not None:
            yield factors
