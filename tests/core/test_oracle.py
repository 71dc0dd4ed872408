"""The oracle against the definition in decimal arithmetic, and its conventions against numbers worked out by hand."""

from collections import defaultdict
from decimal import Decimal

import numpy as np
import pytest

from truth.cases import CONVENTIONS, Case, cases, error
from truth.reference import MOST, Reference, digits
from xent_conformance.conventions import Conventions
from xent_conformance.oracle import Answer
from xent_conformance.oracle.arithmetic import ARB, FLOAT64, LONGDOUBLE, WIDE_ENOUGH, arithmetic_for
from xent_conformance.problem import Problem

#: The worst error of each quantity in each arithmetic, in units of the size that its rounding is relative to.
MEASURED = {
    FLOAT64: {
        "loss": 3.0e-16,
        "log_softmax": 3.3e-16,
        "softmax": 2.6e-16,
        # Where Q_j is nearly all of S, S - Q_j has the rounding of S.
        "grad_logits": 1.6e-15,
        "grad_target": 4.0e-16,
        "hessian": 3.9e-16,
    },
    LONGDOUBLE: {
        "loss": 1.7e-19,
        "log_softmax": 1.2e-19,
        "softmax": 7.7e-20,
        "grad_logits": 4.7e-19,
        "grad_target": 1.2e-19,
        "hessian": 1.4e-19,
    },
    ARB: {
        "loss": 4.7e-33,
        "log_softmax": 5.3e-33,
        "softmax": 4.3e-33,
        "grad_logits": 4.7e-33,
        "grad_target": 5.3e-33,
        "hessian": 5.7e-33,
    },
}
#: What an error may be, in units of the worst that was measured.
MARGIN = 10
NARROW = ("float16", "bfloat16", "float32")


def worst_errors(dtype, arithmetic):
    worst = defaultdict(float)
    for case in cases(dtype):
        for quantity, size in case.errors(Answer(case.problem, case.conventions, arithmetic)):
            worst[quantity] = max(worst[quantity], size)
    return worst


def assert_as_measured(worst, arithmetic):
    assert set(worst) == set(MEASURED[arithmetic])
    for quantity, measured in MEASURED[arithmetic].items():
        assert worst[quantity] <= MARGIN * measured, quantity


@pytest.mark.parametrize("dtype", NARROW)
def test_float64_matches_the_definition(dtype):
    assert_as_measured(worst_errors(dtype, FLOAT64), FLOAT64)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < WIDE_ENOUGH, reason="longdouble is not wide here")
def test_longdouble_matches_the_definition():
    assert_as_measured(worst_errors("float64", LONGDOUBLE), LONGDOUBLE)


def test_arb_matches_the_definition_as_far_as_two_float64_go():
    assert_as_measured(worst_errors("float64", ARB), ARB)


@pytest.mark.parametrize("dtype", [*NARROW, "float64"])
def test_the_problems_meet_every_choice(dtype):
    """What no problem has, no comparison with the definition checks."""
    problems = [case.problem for case in cases(dtype)]
    assert {p.reduction for p in problems} == {"none", "sum", "mean"}
    assert {p.has_probabilities and bool(p.label_smoothing) for p in problems} == {True, False}
    assert {bool(p.label_smoothing) for p in problems if not p.has_probabilities} == {True, False}
    assert any(p.ignored().any() and not p.ignored().all() for p in problems)
    assert any(p.weight is not None and (p.weight < 0).any() for p in problems)
    assert {id(case.conventions) for case in cases(dtype)} == {id(c) for c in CONVENTIONS}


@pytest.mark.parametrize("gap", [20.0, 40.0, 300.0, 700.0])
def test_a_large_gap_leaves_the_tiny_loss(gap):
    """The naive m + log(sum) - x_t gives 0 from a gap of 40 on. Measured: less than 1.1e-16."""
    answer = Answer(Problem(np.array([[gap, 0.0]]), np.array([0]), reduction="none"), Conventions(), FLOAT64)
    with digits(MOST):
        exact = float((Decimal(-gap).exp() + 1).ln())
    assert answer.loss.value[0] == pytest.approx(exact, rel=1.1e-15, abs=0)


@pytest.mark.parametrize("classes", [2, 7, 1000])
@pytest.mark.parametrize("value", [0.0, -3.3, 1e30, -1e38])
def test_equal_logits_have_the_logarithm_of_their_number(classes, value):
    """Every one of them counts, also where logits are grouped, and whatever they are. Measured: 0."""
    problem = Problem(np.full((1, classes), value), np.array([classes - 1]), reduction="sum")
    exact = float(Decimal(classes).ln())
    for arithmetic in (FLOAT64, LONGDOUBLE, ARB):
        answer = Answer(problem, Conventions(), arithmetic)
        assert float(answer.loss.value) == pytest.approx(exact, rel=2.2e-15, abs=0)
        assert np.abs(answer.softmax.value * classes - 1).max() <= 2.2e-15


def test_logits_beyond_the_range_of_exp_are_shifted():
    x = np.array([[1.5, 0.25, -3.0, 1.5]])
    for offset in (2.0**20, -(2.0**40)):
        plain, moved = (
            Answer(Problem(at, np.array([2]), reduction="sum"), Conventions(), FLOAT64) for at in (x, x + offset)
        )
        assert plain.loss.value == moved.loss.value
        assert (plain.grad_logits.value == moved.grad_logits.value).all()


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (Problem(np.zeros((2, 3)), np.array([-100, -100]), sentinel=-100), np.nan),
        (Problem(np.zeros((2, 3)), np.array([-100, -100]), sentinel=-100, reduction="sum"), 0.0),
        (Problem(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)), np.nan),
        (Problem(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), reduction="sum"), 0.0),
        (Problem(np.array([[np.nan, 0.0]]), np.array([7]), ignore_index=7, reduction="sum"), 0.0),
        (Problem(np.array([[np.nan, 0.0]]), np.array([1]), reduction="sum"), np.nan),
        (Problem(np.array([[np.inf, 0.0]]), np.array([1]), reduction="sum"), np.nan),
        (Problem(np.array([[-np.inf, -np.inf]]), np.array([1]), reduction="sum"), np.nan),
        (Problem(np.array([[-np.inf, 0.0]]), np.array([1]), reduction="sum"), 0.0),
        (Problem(np.array([[-np.inf, 0.0]]), np.array([0]), reduction="sum"), np.inf),
        (Problem(np.array([[-np.inf, 0.0]]), np.array([[0.0, 1.0]]), reduction="sum"), np.nan),
        (Problem(np.zeros((1, 2)), np.array([1]), np.array([1.0, 0.0])), np.nan),
    ],
)
def test_degenerate_problems_follow_the_documented_conventions(problem, expected):
    for arithmetic in (FLOAT64, LONGDOUBLE, ARB):
        assert np.array_equal(Answer(problem, Conventions(), arithmetic).loss.value, expected, equal_nan=True)


ALL_IGNORED = Problem(np.zeros((1, 3)), np.array([-100]), sentinel=-100)
EMPTY = Problem(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
MASKED = Problem(np.array([[-np.inf, 0.0]]), np.array([[0.0, 1.0]]), reduction="sum")


@pytest.mark.parametrize(
    ("problem", "choice", "expected"),
    [
        (ALL_IGNORED, {"all_ignored_loss": "zero"}, 0.0),
        (ALL_IGNORED, {"empty_batch_loss": "zero"}, np.nan),
        (EMPTY, {"all_ignored_loss": "zero"}, np.nan),
        (EMPTY, {"empty_batch_loss": "zero"}, 0.0),
        (MASKED, {"zero_times_infinity": "zero"}, 0.0),
        (Problem(np.zeros((1, 2)), np.array([1]), np.array([1.0, 0.0])), {"zero_weight_loss": "zero"}, 0.0),
    ],
)
def test_declared_conventions_change_the_answer(problem, choice, expected):
    assert np.array_equal(Answer(problem, Conventions(**choice)).loss.value, expected, equal_nan=True)


@pytest.mark.parametrize(("choice", "expected"), [("zero", 0.0), ("nan", np.nan)])
def test_the_gradient_of_a_mean_of_nothing_is_as_declared(choice, expected):
    gradient = Answer(ALL_IGNORED, Conventions(all_ignored_gradient=choice)).grad_logits.value
    assert np.array_equal(gradient, np.full((1, 3), expected), equal_nan=True)


def test_ignored_rows_have_no_gradient_whatever_they_hold():
    problem = Problem(np.array([[np.nan, 0.0], [1.0, 2.0]]), np.array([-100, 0]), sentinel=-100)
    answer = Answer(problem, Conventions())
    assert (answer.grad_logits.value[0] == 0).all()
    assert (answer.hessian_times(np.ones((2, 2)))[0][0] == 0).all()
    assert np.isfinite(answer.grad_logits.value).all()


def test_mean_divisors_differ_as_declared():
    """Measured: 0."""
    problem = Problem(np.zeros((3, 2)), np.array([0, 1, -100]), np.array([1.0, 3.0]), sentinel=-100)
    for divisor, count in {"target_weight": 4, "valid_rows": 2, "all_rows": 3}.items():
        loss = Answer(problem, Conventions(mean_divisor=divisor)).loss.value
        assert loss == pytest.approx(4 * np.log(2) / count, rel=2.2e-15, abs=0)


def test_a_difference_from_the_definition_is_measured():
    """The comparison itself: an error is one in units of its size, and a wrong infinity is infinitely wrong."""
    problem = Problem(np.array([[2.0, 0.0]]), np.array([1]), reduction="none")
    case = Case(problem, Conventions(), Reference(problem, Conventions()))
    exact, (values, sizes) = Answer(problem, Conventions()).loss, case.exact["loss"]
    assert error(exact._replace(value=exact.value * (1 + 1e-6)), values, sizes) == pytest.approx(1e-6, rel=1e-5)
    assert error(exact._replace(value=np.array([np.inf])), values, sizes) == np.inf
    assert error(exact._replace(value=np.array([np.nan])), values, sizes) == np.inf


def test_arithmetic_is_the_cheapest_that_is_accurate_enough():
    assert arithmetic_for("float32") is FLOAT64
    assert arithmetic_for("float64") in (LONGDOUBLE, ARB)


def test_an_answer_to_the_same_logits_is_the_same_with_their_softmax_at_hand():
    x, labels = np.array([[0.5, -1.0, 3.0], [2.0, 2.0, -np.inf]], np.float32), np.array([2, 0])
    one = Answer(Problem(x, labels), Conventions())
    smoothed = Problem(x, labels, label_smoothing=0.25, reduction="none")
    alone, beside = Answer(smoothed, Conventions()), Answer(smoothed, Conventions(), like=one)
    assert beside.parts is one.parts
    assert beside.plain_parts is one.plain_parts
    for quantity in ("loss", "grad_logits", "log_softmax"):
        assert np.array_equal(getattr(beside, quantity).value, getattr(alone, quantity).value, equal_nan=True)


@pytest.mark.parametrize("arithmetic", [None, ARB])
def test_a_softmax_of_other_logits_or_in_another_arithmetic_is_refused(arithmetic):
    x, labels = np.zeros((1, 3), np.float32), np.array([0])
    other = Answer(Problem(x if arithmetic else x.copy(), labels), Conventions(), arithmetic)
    with pytest.raises(ValueError, match="same array of logits"):
        Answer(Problem(x, labels), Conventions(), like=other)
