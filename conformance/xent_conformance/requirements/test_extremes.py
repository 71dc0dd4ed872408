"""Logits at the ends of their range, infinite and nan ones, and their effect on other rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import backward, forward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, NON_FINITE_LOGITS, Need, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements import references
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.functions import has_softmax
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.spoiled_rows import LEAKS, all_nan, with_spoiled_row
from xent_conformance.requirements.twins import ALL_REDUCTIONS, ROWS, in_reduction, with_logits, without_weight
from xent_conformance.strategies.situations import EXTREME, SPOILED


def _may_be_zero(subject: Subject) -> bool:
    claims = subject.capabilities
    return claims.weight or claims.label_smoothing or claims.probability_targets


@requirement(
    "extremes.loss",
    "loss at the ends of the range",
    source=EXTREME,
    references=["https://github.com/NVIDIA/Megatron-LM/issues/7464", *references.LARGE_LOGITS],
)
def test_loss_at_the_ends_of_the_range(trial: Trial) -> Iterator[Finding]:
    """Finite logits, up to the largest and down to the smallest of their format, give the loss within its bound: never
    nan, and infinite only where the exact loss or an intermediate sum overflows. A product of zero and a distance that
    overflows is judged by extremes.zero-share.
    """
    yield loss_finding(trial)


def _and_with_a_weight_of_zero_far_away(problem: Problem) -> Iterable[Problem]:
    """The problem, and one where the class of a row has weight zero and is as far from the largest as possible.

    Few of the drawn weights of zero belong to a class at such a distance.
    """
    yield problem
    counted = np.flatnonzero(~problem.ignored())
    if problem.weight is None or problem.has_probabilities or problem.classes < 2 or not counted.size:  # noqa: PLR2004
        return
    row, logits = counted[0], problem.logits_by_row()
    label = problem.labels()[row]
    logits[row, label], logits[row, label - 1] = -problem.format.max_finite, problem.format.max_finite
    yield with_logits(without_weight(problem, row), logits)


@requirement(
    "extremes.zero-share",
    "a class without a share counts for nothing, however far away",
    level=Level.SHOULD,
    source=EXTREME,
    derive=_and_with_a_weight_of_zero_far_away,
    needs=[Need("a weight, smoothing or probability of zero", _may_be_zero)],
)
def test_a_class_without_a_share_counts_for_nothing(trial: Trial) -> Iterator[Finding]:
    """For finite logits, a class whose weight or target probability is zero adds nothing to the loss, and with
    label_smoothing=1 neither does the unsmoothed part: they do not make it nan, even if their distance overflows.
    """
    bounds = trial.bounds
    if np.any(bounds.undefined):
        yield trial.compare("loss", trial.loss(), trial.answer.loss, bounds.loss, overflows=bounds.overflows)


@requirement(
    "extremes.gradient",
    "gradient at the ends of the range",
    source=EXTREME,
    needs=[GRADIENT],
    references=["https://github.com/NVIDIA/Megatron-LM/issues/7464", *references.LARGE_LOGITS],
)
def test_gradient_at_the_ends_of_the_range(trial: Trial) -> Iterator[Finding]:
    """Finite logits, up to the largest and down to the smallest of their format, give a finite gradient within its
    bound.
    """
    yield gradient_finding(trial)


@requirement(
    "extremes.other-rows",
    "nan and infinity stay in their row",
    source=SPOILED,
    derive=with_spoiled_row,
    needs=[NON_FINITE_LOGITS, ROWS],
    references=LEAKS,
)
def test_nan_and_infinity_stay_in_their_row(trial: Trial) -> Iterator[Finding]:
    """A row with nan or +inf, or of only -inf, leaves the losses and gradients of all other rows within their bounds.
    The row itself is not judged here.
    """
    problem = trial.problem
    spoiled = ~has_softmax(problem)
    if problem.reduction != "none" or not spoiled.any() or spoiled.all():
        return
    bounds = trial.bounds
    tolerance = np.where(spoiled, np.inf, bounds.loss)
    yield trial.compare("loss", trial.loss(), trial.answer.loss, tolerance, **bounds.loss_excuses)
    if GRADIENT.met_by(trial.subject):
        gradient = trial.answer.grad_logits
        limits = np.where(spoiled[:, None], np.inf, bounds.grad_logits)
        yield trial.compare("grad_logits", trial.gradients().logits, gradient, limits, call=backward(problem))


def _nan_in_a_reduced_batch(problem: Problem) -> Iterable[Problem]:
    """A nan in one row that is not ignored, with each reduction of the batch."""
    with_nan = next(iter(with_spoiled_row(problem)), None)
    if with_nan is not None:
        for reduction in ("sum", "mean"):
            yield in_reduction(with_nan, reduction)


@requirement(
    "extremes.other-rows-of-a-batch",
    "a nan reaches no gradient of another row through the sum over the batch",
    source=SPOILED,
    derive=_nan_in_a_reduced_batch,
    needs=[NON_FINITE_LOGITS, ALL_REDUCTIONS, GRADIENT],
    references=LEAKS,
)
def test_a_nan_reaches_no_gradient_of_another_row(trial: Trial) -> Iterator[Finding]:
    """A nan in a row that is not ignored makes the sum and the mean of a batch nan, and leaves the gradients of all
    other rows within their bounds: they depend on the number of rows, not on the loss.
    """
    spoiled, limits = ~has_softmax(trial.problem), trial.bounds.grad_logits
    if not spoiled.any() or spoiled.all():
        return
    limits = np.where(spoiled[:, None], np.inf, limits)
    gradient, observed = trial.answer.grad_logits, trial.gradients().logits
    yield trial.compare("grad_logits", observed, gradient, limits, call=backward(trial.problem))


def _poisoned(trial: Trial) -> npt.NDArray[np.bool_]:
    """Rows that are not ignored and have a nan among their logits, (rows,)."""
    x = trial.problem.logits_by_row()
    undefined = np.isnan(trial.answer.row_losses.astype(np.float64))
    return np.asarray(np.isnan(x).any(axis=1) & ~trial.problem.ignored() & undefined)


@requirement(
    "extremes.nan-gradient",
    "a nan logit makes the gradient of its row nan",
    level=Level.SHOULD,
    source=SPOILED,
    derive=with_spoiled_row,
    needs=[NON_FINITE_LOGITS, ROWS, GRADIENT],
    references=["https://github.com/ml-explore/mlx/issues/576"],
)
def test_a_nan_logit_makes_the_gradient_of_its_row_nan(trial: Trial) -> Iterator[Finding]:
    """A nan among the logits of a row that is not ignored makes the whole gradient of that row nan: with finite numbers
    training would continue unnoticed. A row without a share in the loss, or with a cotangent of zero, is not judged.
    """
    problem = trial.problem
    counted = (trial.bounds.mass > 0) & (np.asarray(trial.answer.scale).astype(np.float64) != 0)
    rows = _poisoned(trial) & counted
    if problem.reduction == "none" and rows.any():
        yield all_nan("grad_logits", trial.gradients().logits, rows, backward(problem))


@requirement(
    "extremes.nan-is-not-hidden",
    "a nan logit makes the loss nan",
    source=SPOILED,
    derive=with_spoiled_row,
    needs=[NON_FINITE_LOGITS, ROWS],
    references=["https://github.com/ml-explore/mlx/issues/576"],
)
def test_a_nan_logit_makes_the_loss_nan(trial: Trial) -> Iterator[Finding]:
    """A nan among the logits of a row that is not ignored makes the loss of that row nan, never a plausible number."""
    problem, poisoned = trial.problem, _poisoned(trial)
    if problem.reduction == "none" and poisoned.any():
        yield all_nan("loss", trial.loss(), poisoned, forward(problem))
