"""A label of a class of -inf: the exact answer and its bounds, and what the requirements accept."""

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Answer
from xent_conformance.precision import Precision
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load

LOSS, GRADIENT = (load()[f"extremes.label-of-a-masked-class{part}"] for part in ("", "-gradient"))


def problem(reduction, **options):
    logits = np.array([[-np.inf, 0.0], [0.0, 0.0]], np.float32)
    cotangent = np.ones(2 if reduction == "none" else (), np.float32)
    return Problem(logits, np.array([0, 1]), reduction=reduction, cotangent=cotangent, **options)


@pytest.mark.parametrize(("reduction", "divisor"), [("none", 1), ("sum", 1), ("mean", 2)])
def test_the_loss_is_infinite_and_the_gradient_is_not(reduction, divisor):
    answer = Answer(problem(reduction), Conventions())
    expected = [np.inf, np.log(2)] if reduction == "none" else np.inf
    assert answer.loss.value.tolist() == pytest.approx(expected)
    assert (answer.grad_logits.value * divisor).tolist() == [[-1.0, 1.0], [0.5, -0.5]]
    bounds = Bounds(answer, Precision())
    assert np.isinf(bounds.grad_logits[0]).all()
    assert (bounds.grad_logits_of_infinite_losses < 1e-6).all()
    assert (bounds.grad_logits[1] == bounds.grad_logits_of_infinite_losses[1]).all()


def test_a_row_without_a_softmax_has_no_bound():
    logits = np.array([[-np.inf, -np.inf], [0.0, -np.inf]], np.float32)
    answer = Answer(Problem(logits, np.array([0, 1]), reduction="none"), Conventions())
    bound = Bounds(answer, Precision()).grad_logits_of_infinite_losses
    assert np.isinf(bound).all(axis=1).tolist() == [True, False]


class Wrong(NumpyBackend):
    """The loss of the other rows, or the gradient, is infinite or nan as well."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        return np.full_like(loss, np.inf) if np.isinf(loss).any() else loss

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        found = super().cross_entropy_vjp(cotangent, logits, target, **options)
        gradient = np.where(np.isneginf(logits), np.nan, found.grad_logits)
        return found._replace(grad_logits=gradient)


def failed(requirement, backend, one):
    return any(f.failed for f in findings(requirement, Trial(Subject.of(backend, "float32"), one)))


def test_other_rows_and_finite_gradients_are_judged():
    assert not failed(LOSS, NumpyBackend(), problem("none"))
    assert not failed(GRADIENT, NumpyBackend(), problem("mean"))
    assert failed(LOSS, Wrong(), problem("none"))
    assert not failed(LOSS, Wrong(), problem("mean"))
    assert failed(GRADIENT, Wrong(), problem("mean"))
