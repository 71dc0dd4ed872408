"""What a fused linear map claims decides which calls are made of it."""

from dataclasses import replace

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load

PROBLEM = Problem(
    np.array([[1.0, -2.0, 3.0], [0.0, 4.0, 2.0]], dtype=np.float32),
    np.array([2, 0]),
    reduction="none",
    cotangent=np.array([1.0, -0.5], dtype=np.float32),
)


class WithoutBias(NumpyBackend):
    """A kernel that has no place for a bias."""

    def linear_cross_entropy(self, hidden, weight, bias, target, **options):
        if bias is not None:
            raise NotImplementedError("no bias")
        return super().linear_cross_entropy(hidden, weight, bias, target, **options)

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        if bias is not None:
            raise NotImplementedError("no bias")
        return super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)


class WrongWithoutBias(WithoutBias):
    def linear_cross_entropy(self, hidden, weight, bias, target, **options):
        return super().linear_cross_entropy(hidden, weight, bias, target, **options) * np.float32(1.5)

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        return found._replace(grad_hidden=found.grad_hidden * np.float32(1.5))


@pytest.mark.parametrize("requirement", ["fused_linear.loss", "fused_linear.gradients"])
@pytest.mark.parametrize(
    ("kind", "claimed", "fails"),
    [
        (NumpyBackend, True, False),
        (WithoutBias, True, True),
        (WithoutBias, False, False),
        (WrongWithoutBias, False, True),
    ],
)
def test_a_bias_is_passed_where_it_is_claimed_and_the_map_without_it_is_judged(kind, claimed, fails, requirement):
    backend = kind(capabilities=replace(NumpyBackend().capabilities, linear_bias=claimed))
    found = findings(load()[requirement], Trial(Subject.of(backend, "float32"), PROBLEM))
    assert any(f.exercised for f in found)
    assert any(f.failed for f in found) is fails
