"""Bounds: correct implementations stay within, the worst admissible one comes near, other numbers are far out."""

import numpy as np
import pytest

from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.formats import FLOATING, dtype_of, format_named
from xent_conformance.judging.judge import compare
from xent_conformance.oracle import Answer
from xent_conformance.precision import TIERS, WEAKEST, Precision
from xent_conformance.problem import Problem
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.streams import JOINT, Draw, recipes_of


def in_sequence(values, dtype):
    """Sum along the last axis one by one, each partial sum rounded to dtype."""
    return np.add.accumulate(values.astype(dtype), axis=-1, dtype=dtype)[..., -1:]


def log_softmax_in(logits, dtype, form="A"):
    x = logits.astype(dtype)
    m = x.max(axis=-1, keepdims=True)
    log_sum = np.log(in_sequence(np.exp(x - m), dtype))
    return (x - m) - log_sum if form == "A" else x - (m + log_sum)


@pytest.mark.parametrize("form", ["A", "B"])
@pytest.mark.parametrize("dtype", FLOATING)
def test_a_sequential_sum_stays_within_the_bound(dtype, form):
    internal = np.float64 if dtype == "float64" else np.float32
    precision, worst = Precision(form=form), 0.0
    for recipe in recipes_of(JOINT, dtype, Draw(11, 120)):
        problem = recipe.build(dtype, EVERYTHING)
        answer = Answer(problem, Conventions())
        with np.errstate(all="ignore"):
            observed = log_softmax_in(problem.logits_by_row(), internal, form).astype(dtype_of(dtype))
        bound = Bounds(answer, precision).log_softmax
        worst = max(worst, compare("lsm", observed, answer.log_softmax, bound, problem.format).ratio)
    assert worst <= 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_worst_admissible_implementation_reaches_a_fifth_of_the_bound(dtype):
    """Ties, summed in sequence: rounding errors of equal summands all have one sign."""
    worst = 0.0
    for classes in (33, 257, 1025, 4097):
        for value in (0.0, 0.7, -3.3):
            logits = np.full((1, classes), value)
            logits[0, 0] += 1.1
            logits = logits.astype(dtype)
            answer = Answer(Problem(logits, np.array([0]), reduction="none"), Conventions())
            observed = log_softmax_in(logits, np.dtype(dtype))
            bound = Bounds(answer, Precision()).log_softmax
            worst = max(worst, compare("lsm", observed, answer.log_softmax, bound, format_named(dtype)).ratio)
    assert 0.2 <= worst <= 1.0


def test_negative_weights_do_not_shrink_the_bound():
    logits = np.array([[0.0, 1.0], [3.0, -1.0]], dtype=np.float32)
    weight = np.array([1.0, -1.0], dtype=np.float32)
    for reduction in ("none", "sum"):
        plain = Problem(logits, np.array([0, 1]), np.abs(weight), reduction=reduction)
        signed = plain.with_(weight=weight)
        bounds = [Bounds(Answer(p, Conventions()), Precision()).loss for p in (plain, signed)]
        assert (bounds[1] >= 0.5 * bounds[0]).all()


def test_a_divisor_lost_to_cancellation_is_not_judged():
    weight = np.array([1.0, -1.0 + 2**-22], dtype=np.float32)
    problem = Problem(np.zeros((2, 2), np.float32), np.array([0, 1]), weight, reduction="mean")
    assert np.isinf(Bounds(Answer(problem, Conventions()), Precision()).loss)


def test_overflow_admits_a_signed_infinity_and_nothing_else():
    problem = Problem(np.array([[60000.0, -60000.0]], np.float16), np.array([1]), reduction="sum")
    answer = Answer(problem, Conventions())
    bounds = Bounds(answer, Precision())

    def ratio(value):
        return compare("loss", np.array(value), answer.loss, bounds.loss, problem.format, overflows=bounds.overflows)

    assert not ratio(np.inf).failed
    assert ratio(-np.inf).failed
    assert ratio(np.nan).failed
    assert ratio(0.0).failed


def test_stored_bfloat16_sums_are_allowed_only_by_the_tiers_that_say_so():
    """The loss of [[6, 0]] is 0.00248; an implementation that stores log(1.0025) in bfloat16 returns 0."""
    logits = np.array([[6.0, 0.0]]).astype(dtype_of("bfloat16"))
    problem = Problem(logits, np.array([0]), reduction="none")
    answer = Answer(problem, Conventions())
    ratios = {
        name: compare("loss", np.zeros(1), answer.loss, Bounds(answer, tier).loss, problem.format).ratio
        for name, tier in TIERS.items()
    }
    assert ratios["float32 internals, form B"] > 50
    assert ratios["float32 internals, form A, sums stored in the dtype"] < 1


@pytest.mark.parametrize("dtype", FLOATING)
def test_tiers_only_widen_towards_the_weakest(dtype):
    problem = recipes_of(JOINT, dtype, Draw(2, 20))[0].build(dtype, EVERYTHING)
    answer = Answer(problem, Conventions())
    weakest = Bounds(answer, WEAKEST)
    for tier in TIERS.values():
        assert (Bounds(answer, tier).log_softmax <= weakest.log_softmax * (1 + 1e-12)).all()


def test_ignored_rows_have_no_tolerance_for_their_gradient():
    problem = Problem(np.zeros((2, 3), np.float32), np.array([1, -100]), sentinel=-100)
    bound = Bounds(Answer(problem, Conventions()), Precision()).grad_logits
    assert (bound[1] == 0).all()
    assert (bound[0] > 0).all()


def test_negative_probabilities_that_smoothing_cancels_keep_their_rounding():
    """Q = (1 - eps) q + eps / C is almost 0, its rounding error is not."""
    q = np.array([[-0.25, 1.25]])
    eps, logits = 1 / 3, np.zeros((1, 2))
    problem = Problem(logits, q, reduction="sum", label_smoothing=eps)
    bound = Bounds(Answer(problem, Conventions()), Precision())
    assert bound.shares[0, 0] == pytest.approx(1 / 3)
    computed = (1 - eps) * q + eps / 2
    gradient = 0.5 * computed.sum() - computed
    exact = Answer(problem, Conventions()).grad_logits
    assert compare("grad", gradient, exact, bound.grad_logits, problem.format).ratio <= 1.0


def test_a_second_derivative_is_divided_by_a_sum_with_an_error():
    """The mean's divisor over a thousand rows, summed in sequence, is off by more than one row's roundings."""
    rows = 1025
    logits, weight = np.tile(np.float32([1.0, 0.0]), (rows, 1)), np.float32([1.3527234, 1.0])
    problem = Problem(logits, np.zeros(rows, np.int64), weight)
    answer = Answer(problem, Conventions())
    v = np.tile([1.0, -0.5], (rows, 1))
    divisor = in_sequence(np.full((1, rows), weight[0]), np.float32)[0, 0]
    exact = answer.hessian_times(v)
    observed = exact.value * (rows * float(weight[0])) / float(divisor)
    ratio = compare("hvp", observed, exact, Bounds(answer, Precision()).hessian_times(v), problem.format).ratio
    assert 0.1 <= ratio <= 1.0


def test_a_sum_over_the_batch_loses_at_most_the_partial_sums_of_the_worst_tree():
    """Half of n - 1 for equal losses, next to nothing where one loss outweighs all others; no order exceeds it."""
    model = Bounds(Answer(Problem(np.zeros((1, 2), np.float32), np.array([0])), Conventions()), Precision()).model
    u = format_named("float32").unit_roundoff
    equal, dominated = np.full(4097, 0.7), np.array([1.0] + [1e-12] * 4096)
    assert model.batch(equal) == pytest.approx((4097 / 2 + 2) * u, rel=1e-2)
    assert model.batch(dominated) == pytest.approx(4097 * u, rel=1e-2)
    for seed in range(20):
        values = np.sort(np.random.default_rng(seed).exponential(size=4097).astype(np.float32))
        for terms in (values, values[::-1], np.full(4097, values[99])):
            exact = terms.astype(np.float64).sum()
            error = abs(in_sequence(terms[None], np.float32)[0, 0] - exact) / exact
            assert error <= model.batch(terms.astype(np.float64))
