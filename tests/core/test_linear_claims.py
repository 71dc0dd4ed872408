"""What a fused linear map claims decides which calls are made of it."""

from dataclasses import replace

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements.factors import FEATURES, factors_of, rounding_factors
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


@pytest.mark.parametrize("shape", [(2, 3), (3, 21), (40, 5), (3, 65), (2, 600), (700, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_products_of_any_number_of_features_are_exact_in_any_order_and_format(shape, bias):
    for seed in range(6):
        logits = np.random.default_rng(seed).integers(-8, 9, shape)
        problem = Problem(array_of(logits, "bfloat16"), np.zeros(shape[0], int))
        hidden, weight, offset = factors_of(problem, bias=bias)
        parts = [array.astype(np.float64) for array in (hidden, weight)]
        summed = parts[0] @ parts[1].T + (0 if offset is None else offset.astype(np.float64))
        assert np.array_equal(summed, logits)
        # Multiples of 1/2, of which bfloat16 has all up to 128.
        assert (np.abs(parts[0]) @ np.abs(parts[1]).T).max() + 2 <= 128


def test_numbers_of_features_are_at_edges_of_tiles_and_as_few_as_possible_in_a_witness():
    def features(rows, classes, seed):
        logits = np.random.default_rng(seed).integers(-8, 9, (rows, classes)).astype(np.float32)
        return factors_of(Problem(logits, np.zeros(rows, int)), bias=False).hidden.shape[1]

    assert features(2, 3, 0) == 5
    assert {features(40, 5, seed) for seed in range(200)} == set(FEATURES)
    assert {features(2, 600, seed) for seed in range(200)} == set(FEATURES)
    assert features(1, 32768, 0) == 3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_logits_that_a_half_format_rounds_are_exact_in_float32(dtype):
    logits = np.array([[0, 1, 4, 5], [5, 0, 1, 4]])
    made = rounding_factors(Problem(array_of(logits, dtype), np.array([0, 1])))
    assert made is not None
    (hidden, weight, bias), rounded, wide = made
    assert bias is None
    products = hidden.astype(np.float64) @ weight.astype(np.float64).T
    assert np.array_equal(wide.logits.astype(np.float64), products)
    assert np.array_equal(rounded.logits, products.astype(rounded.logits.dtype))
    assert (rounded.logits.astype(np.float64) != products).any()
    assert (wide.dtype, wide.format.name, rounded.dtype) == (dtype, dtype, dtype)


@pytest.mark.parametrize(("logits", "dtype"), [([[0, 2]], "bfloat16"), ([[0.5, 1]], "float16"), ([[0, 1]], "float32")])
def test_other_logits_and_formats_are_not_rounded(logits, dtype):
    assert rounding_factors(Problem(array_of(logits, dtype), np.array([0]))) is None
