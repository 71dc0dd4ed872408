"""Bounds: correct implementations stay within, the worst admissible one comes near, other numbers are far out."""

import numpy as np
import pytest

from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.formats import FLOATING, dtype_of, format_named
from xent_conformance.judge import compare
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
