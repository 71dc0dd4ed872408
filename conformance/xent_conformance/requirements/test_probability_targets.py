"""Probability targets: the loss is linear in the target, whatever its sum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, PROBABILITY_TARGETS, Need
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import F64Array, Problem, array_of, from_rows
from xent_conformance.requirements.agreement import agree, gradient_of, gradients_agree, loss_of
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.situations import PROBABLE

UNNORMALISED = Need("targets that do not sum to 1", lambda s: s.conventions.unnormalised_targets == "accepted")
_SUMS = [
    "https://github.com/tensorflow/tensorflow/issues/46672",
    "https://github.com/tensorflow/tensorflow/issues/60314",
    "https://github.com/NVIDIA-NeMo/Automodel/pull/2428",
]


def _with_target(problem: Problem, q: F64Array) -> Problem:
    return problem.with_(target=array_of(from_rows(q, problem.logits, problem.class_axis), problem.dtype))


def _linear_mean(trial: Trial) -> bool:
    """Whether the call is linear in the target, so not a mean whose divisor depends on it."""
    return trial.problem.reduction != "mean" or trial.subject.conventions.probability_divisor == "batch"


def _dyadic(problem: Problem) -> Iterable[Problem]:
    """Targets that are multiples of 1/4, do not sum to one, and are zero on logits of -inf."""
    if problem.has_probabilities:
        q = np.round(problem.probabilities() * 4) / 4
        yield _with_target(problem, np.where(np.isfinite(problem.logits_by_row()), q, 0.0))


@requirement(
    "probability_targets.linear",
    "linear in the target",
    source=PROBABLE,
    derive=_dyadic,
    needs=[PROBABILITY_TARGETS, UNNORMALISED],
    references=[*_SUMS, "https://github.com/pytorch/pytorch/issues/134771"],
)
def test_the_loss_is_linear_in_the_target(trial: Trial) -> Iterator[Finding]:
    """The loss for a target q is twice that for (q + r) / 2 minus that for r, for any other target r; the same holds
    for the gradient of the logits.
    """
    problem = trial.problem
    if not problem.has_probabilities or not _linear_mean(trial):
        return
    q = problem.probabilities()
    other = np.where(np.isfinite(problem.logits_by_row()), q[:, ::-1], 0.0)
    between = (q + other) / 2
    if not np.array_equal(rounded(between, problem.dtype), between):
        return
    halfway, alone = (trial.related(_with_target(problem, t)) for t in (between, other))
    otherwise = "by linearity from two other targets"
    expected = loss_of(halfway).times(2.0) + loss_of(alone).times(-1.0)
    yield agree(trial, "loss", loss_of(trial), expected, otherwise)
    if GRADIENT.met_by(trial.subject):
        expected = gradient_of(halfway).times(2.0) + gradient_of(alone).times(-1.0)
        yield gradients_agree(trial, gradient_of(trial), expected, otherwise)


def _doubled(problem: Problem) -> Iterable[Problem]:
    if problem.has_probabilities:
        yield _with_target(problem, rounded(2 * problem.probabilities(), problem.dtype)).with_(label_smoothing=0.0)


@requirement(
    "probability_targets.homogeneous",
    "twice the target, twice the loss",
    source=PROBABLE,
    derive=_doubled,
    needs=[PROBABILITY_TARGETS, UNNORMALISED],
    references=_SUMS,
)
def test_twice_the_target_gives_twice_the_loss(trial: Trial) -> Iterator[Finding]:
    """Without smoothing, a target that sums to S gives S times the loss and gradient of the normalised target: the
    gradient is S p - q, not p - q.
    """
    problem = trial.problem
    if not problem.has_probabilities or problem.label_smoothing or not _linear_mean(trial):
        return
    half = problem.probabilities() / 2
    if not np.array_equal(rounded(half, problem.dtype), half):
        return
    twin, otherwise = trial.related(_with_target(problem, half)), "as twice that for half the target"
    yield agree(trial, "loss", loss_of(trial), loss_of(twin).times(2.0), otherwise)
    if GRADIENT.met_by(trial.subject):
        yield gradients_agree(trial, gradient_of(trial), gradient_of(twin).times(2.0), otherwise)


def _some_rows_empty(problem: Problem) -> Iterable[Problem]:
    """Targets of zeros in every second row."""
    if problem.has_probabilities:
        q = problem.probabilities()
        q[::2] = 0.0
        yield _with_target(problem, q).with_(label_smoothing=0.0)


@requirement(
    "probability_targets.all-zero-row",
    "a target of zeros: loss 0, gradient 0",
    source=PROBABLE,
    derive=_some_rows_empty,
    needs=[PROBABILITY_TARGETS, UNNORMALISED],
    references=_SUMS,
)
def test_a_target_of_zeros_costs_nothing(trial: Trial) -> Iterator[Finding]:
    """Without smoothing, a row whose target is zero for every class has a loss of zero and a gradient of exactly zero,
    and those of the other rows are unaffected.
    """
    problem = trial.problem
    if not problem.has_probabilities or problem.label_smoothing or problem.probabilities().any(axis=1).all():
        return
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject):
        yield gradient_finding(trial)


@requirement(
    "probability_targets.loss",
    "loss of probability targets within its bound",
    source=PROBABLE,
    needs=[PROBABILITY_TARGETS],
    references=[
        "https://github.com/PFCCLab/PaddleAPITest/pull/410",
        "https://github.com/PFCCLab/PaddleAPITest/pull/478",
    ],
)
def test_loss_of_probability_targets_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """For probability targets, dense, peaked, one-hot or with any sum, the loss is within its bound; the mean divides
    by the rows or by the weighted targets, as declared.
    """
    if trial.problem.has_probabilities:
        yield loss_finding(trial)
