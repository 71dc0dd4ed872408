"""Gradients of softmax and log_softmax alone, for cotangents of their own shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.calling.calls import primitive_backward
from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import LOG_SOFTMAX_GRADIENT, SOFTMAX_GRADIENT
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import AnyArray, F64Array, Problem, by_row, from_rows
from xent_conformance.requirements.agreement import effect_of
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.situations import FORMS

_WRONG = ["https://github.com/pytorch/pytorch/issues/190746"]


def cotangents(problem: Problem) -> Iterator[AnyArray]:
    """Numbers of both signs in the layout of the logits, and ones as the gradient of a sum is: one number expanded."""
    digits = rounded(np.array([1.0, -0.5, 0.3, -2.1, 0.0, 1.7, 0.73]), problem.dtype)
    rows = np.resize(digits, (problem.rows, problem.classes))
    several = np.empty_like(problem.logits)
    several[...] = from_rows(rows, problem.logits, problem.class_axis)
    yield several
    yield np.broadcast_to(np.ones((), problem.logits.dtype), problem.logits.shape)


def _rows(problem: Problem, array: AnyArray) -> F64Array:
    return np.asarray(by_row(array, problem.class_axis), dtype=np.float64)


def _unreduced(problem: Problem, target: AnyArray) -> Problem:
    """The losses of the rows of the same logits for another target, each with 1 as its cotangent."""
    return Problem(problem.logits, target, cotangent=np.ones(problem.row_shape, problem.logits.dtype), reduction="none")


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
        loss = trial.related(_unreduced(trial.problem, np.negative(cotangent)))
        exact = loss.answer.grad_logits
        yield trial.compare(
            "grad_logits",
            trial.primitive_gradient("log_softmax", cotangent),
            exact,
            loss.bounds.grad_logits,
            effect=effect_of(exact.value),
            call=primitive_backward("log_softmax", cotangent, trial.problem.logits),
        )


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
    # Of the likeliest class, whose loss is finite wherever one is.
    likeliest = np.argmax(problem.logits.astype(np.float64), axis=problem.class_axis)
    loss = trial.related(_unreduced(problem, np.asarray(likeliest)))
    undefined = ~np.isfinite(loss.bounds.grad_logits)
    for cotangent in cotangents(problem):
        along = _rows(problem, cotangent)
        exact = loss.answer.hessian_times(along)
        yield trial.compare(
            "grad_logits",
            trial.primitive_gradient("softmax", cotangent),
            exact,
            np.where(undefined, np.inf, loss.bounds.hessian_times(along)),
            effect=effect_of(exact.value),
            call=primitive_backward("softmax", cotangent, problem.logits),
        )
