"""Functions that language-model training calls beside the loss: logsumexp, log-probabilities of tokens, entropy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from xent_conformance.bounds import Bounds
from xent_conformance.bounds import of_rows as bounds_of
from xent_conformance.calling.calls import primitive, primitive_backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import (
    ENTROPY,
    ENTROPY_GRADIENT,
    LOGSUMEXP,
    LOGSUMEXP_GRADIENT,
    TOKEN_LOG_PROBS,
    TOKEN_LOG_PROBS_GRADIENT,
)
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import AnyArray, F64Array, Problem, array_of
from xent_conformance.requirements.checks import function_gradient_finding, likeliest, of_both_signs
from xent_conformance.requirements.functions import function_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.broad import FORMS

_ENTROPY = ["https://github.com/huggingface/trl/issues/7221", "https://github.com/ByteDance-Seed/VeOmni/pull/720"]
_LOG_PROBS = ["https://github.com/huggingface/trl/pull/2799"]


def cotangents(problem: Problem) -> Iterator[AnyArray]:
    """Numbers of both signs for the rows, and ones as the gradient of a sum is: one number expanded."""
    yield array_of(of_both_signs(problem, problem.row_shape), problem.dtype)
    yield np.broadcast_to(np.ones((), problem.logits.dtype), problem.row_shape)


def _gradients(
    trial: Trial, name: str, exact: Callable[[F64Array], Exact], bound: Callable[[Bounds, F64Array], F64Array]
) -> Iterator[Finding]:
    """The gradient of a function of the logits for each cotangent, beside the exact one for these numbers (rows,)."""
    for cotangent in cotangents(trial.problem):
        g = np.asarray(cotangent.astype(np.float64)).reshape(-1)
        call = primitive_backward(name, cotangent, trial.problem.logits)
        yield function_gradient_finding(trial, call, exact(g), bound(trial.bounds, g))


@requirement(
    "language_model.logsumexp",
    "logsumexp within its bound",
    source=FORMS,
    needs=[LOGSUMEXP],
    references=["https://github.com/tensorflow/tensorflow/issues/11692"],
)
def test_logsumexp_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """Logsumexp is log sum_j exp(x_j) for each row, in every rank, size and layout: large and small logits alike."""
    yield function_finding(trial, "logsumexp")


@requirement(
    "language_model.logsumexp-gradient",
    "gradient of logsumexp within its bound",
    source=FORMS,
    needs=[LOGSUMEXP, LOGSUMEXP_GRADIENT],
    references=["https://github.com/pytorch/pytorch/issues/31829"],
)
def test_gradient_of_logsumexp_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The gradient of logsumexp is g p for a cotangent g of the rows, dense or expanded."""
    yield from _gradients(trial, "logsumexp", trial.answer.logsumexp_gradient, bounds_of.logsumexp_gradient)


@requirement(
    "language_model.entropy",
    "entropy within its bound",
    source=FORMS,
    needs=[ENTROPY],
    references=_ENTROPY,
)
def test_entropy_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The entropy of a row is -sum_j p_j log p_j, in which a class of probability 0 has no part, such as one with a
    logit of -inf.
    """
    yield function_finding(trial, "entropy")


@requirement(
    "language_model.entropy-gradient",
    "gradient of the entropy within its bound",
    source=FORMS,
    needs=[ENTROPY, ENTROPY_GRADIENT],
    references=_ENTROPY,
)
def test_gradient_of_the_entropy_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The gradient of the entropy H is -g p (log p + H) for a cotangent g of the rows, dense or expanded: 0 for a class
    of probability 0.
    """
    yield from _gradients(trial, "entropy", trial.answer.entropy_gradient, bounds_of.entropy_gradient)


def _of_labels(trial: Trial, cotangent: AnyArray | None = None) -> Trial:
    """The losses of the rows for valid class indices: the problem's own, or else those of the likeliest classes."""
    problem = trial.problem
    target = likeliest(problem)
    if not problem.has_probabilities:
        target = np.where(problem.ignored().reshape(problem.row_shape), target, problem.target.astype(np.int64))
    labelled = Problem(problem.logits, target, cotangent=cotangent, reduction="none")
    within = trial.subject.within_claims(labelled)
    return trial.related(labelled if within is None else within)


@requirement(
    "language_model.token-log-probs",
    "log-probabilities of tokens within their bound",
    source=FORMS,
    needs=[TOKEN_LOG_PROBS],
    references=_LOG_PROBS,
)
def test_log_probabilities_of_tokens_are_within_their_bound(trial: Trial) -> Iterator[Finding]:
    """The log-probability of a row's class index is the negative of its loss, within the same bound."""
    loss = _of_labels(trial)
    call = primitive("token_log_probs", loss.problem.logits, loss.problem.target)
    value, residual = loss.answer.loss
    excuses = loss.bounds.loss_excuses
    exact = Exact(-value, -np.asarray(residual))
    yield loss.compare("token_log_probs", loss.of_rows(call), exact, loss.bounds.loss, call=call, **excuses)


@requirement(
    "language_model.token-log-probs-gradient",
    "gradient of log-probabilities of tokens within its bound",
    source=FORMS,
    needs=[TOKEN_LOG_PROBS, TOKEN_LOG_PROBS_GRADIENT],
    references=_LOG_PROBS,
)
def test_gradient_of_log_probabilities_of_tokens_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The gradient of the log-probability of a class index t is g ([j = t] - p_j) for a cotangent g of the rows, dense
    or expanded: that of the loss for -g.
    """
    for cotangent in cotangents(trial.problem):
        loss = _of_labels(trial, np.negative(cotangent))
        call = primitive_backward("token_log_probs", cotangent, loss.problem.logits, loss.problem.target)
        yield function_gradient_finding(loss, call, loss.answer.grad_logits, loss.bounds.grad_logits)
