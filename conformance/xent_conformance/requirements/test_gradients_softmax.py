"""Gradients of softmax and log_softmax alone, for cotangents of their own shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import primitive_backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import LOG_SOFTMAX_GRADIENT, SOFTMAX_GRADIENT
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import AnyArray, Problem, by_row, from_rows
from xent_conformance.requirements.checks import direction, function_gradient_finding, likeliest, product_bound
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.broad import FORMS

_WRONG = ["https://github.com/pytorch/pytorch/issues/190746"]


def cotangents(problem: Problem) -> Iterator[AnyArray]:
    """Numbers of both signs in the layout of the logits, and ones as the gradient of a sum is: one number expanded."""
    several = np.empty_like(problem.logits)
    several[...] = from_rows(direction(problem), problem.logits, problem.class_axis)
    yield several
    yield np.broadcast_to(np.ones((), problem.logits.dtype), problem.logits.shape)


def _unreduced(trial: Trial, target: AnyArray) -> Trial:
    """The losses of the rows of the same logits for another target, each with 1 as its cotangent."""
    logits, ones = trial.problem.logits, np.ones(trial.problem.row_shape, trial.problem.logits.dtype)
    return trial.related(Problem(logits, target, cotangent=ones, reduction="none"))


@requirement(
    "gradients.log-softmax",
    "gradient of log_softmax within its bound",
    source=FORMS,
    needs=[LOG_SOFTMAX_GRADIENT],
    references=_WRONG,
)
def test_gradient_of_log_softmax_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The gradient of log_softmax is g - p sum(g) for a cotangent g of the logits' shape, dense or expanded: that of
    the loss whose probabilities are -g, within its bound.
    """
    for cotangent in cotangents(trial.problem):
        loss = _unreduced(trial, np.negative(cotangent))
        call = primitive_backward("log_softmax", cotangent, trial.problem.logits)
        yield function_gradient_finding(trial, call, loss.answer.grad_logits, loss.bounds.grad_logits)


@requirement(
    "gradients.softmax",
    "gradient of softmax within its bound",
    source=FORMS,
    needs=[SOFTMAX_GRADIENT],
    references=_WRONG,
)
def test_gradient_of_softmax_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """The gradient of softmax is p (g - <p, g>) for a cotangent g of the logits' shape, dense or expanded: the second
    derivative of the loss times g, within its bound.
    """
    problem = trial.problem
    loss = _unreduced(trial, likeliest(problem))
    for cotangent in cotangents(problem):
        along = np.asarray(by_row(cotangent, problem.class_axis), dtype=np.float64)
        call = primitive_backward("softmax", cotangent, problem.logits)
        yield function_gradient_finding(trial, call, loss.answer.hessian_times(along), product_bound(loss, along))
