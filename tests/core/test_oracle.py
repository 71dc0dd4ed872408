"""The oracle against a second implementation: the definition, evaluated naively with 2000 bits."""

import numpy as np
import pytest
from flint import arb, ctx

from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.oracle import Answer
from xent_conformance.oracle.arithmetic import ARB, FLOAT64, LONGDOUBLE, WIDE_ENOUGH, arithmetic_for
from xent_conformance.precision import Precision
from xent_conformance.problem import Problem
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.menu import SHAPES
from xent_conformance.strategies.streams import Draw, Stream, recipes_of

SMALL = Stream("oracle tests", only={"shape": {k: SHAPES[k] for k in ("small", "unbatched", "spatial")}})
BITS = 4000


def definition(problem: Problem) -> list[arb]:
    """Row losses from the definition: -sum_j q_j log(exp(x_j) / sum_k exp(x_k)), no trick of any kind."""
    ctx.prec = BITS
    x, w = problem.logits_by_row(), [arb(v) for v in problem.class_weights().tolist()]
    eps, classes = arb(problem.label_smoothing), problem.classes
    losses = []
    for i, row in enumerate(x.tolist()):
        if problem.ignored()[i]:
            losses.append(arb(0))
            continue
        exps = [arb(v).exp() if np.isfinite(v) else arb(0) for v in row]
        total = sum(exps, arb(0))
        if problem.has_probabilities:
            target = [arb(v) for v in problem.probabilities()[i].tolist()]
        else:
            target = [arb(int(j == problem.labels()[i])) for j in range(classes)]
        share = [w[j] * ((1 - eps) * target[j] + eps / classes) for j in range(classes)]
        terms = [-share[j] * (exps[j] / total).log() for j in range(classes) if share[j] != 0]
        losses.append(sum(terms, arb(0)))
    return losses


def cases(dtype: str, count: int) -> list[Problem]:
    """Problems whose loss is finite and defined."""
    built = [r.build(dtype, EVERYTHING).with_(reduction="none") for r in recipes_of(SMALL, dtype, Draw(5, count))]
    fits = [p for p in built if np.abs(p.logits.astype(np.float64)).max(initial=0) < 1e6]
    with_cotangent = [p.with_(cotangent=None) for p in fits]
    return [p for p in with_cotangent if np.isfinite(Answer(p, Conventions()).loss.value).all()]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_float64_is_far_more_accurate_than_narrow_formats_need(dtype):
    worst = 0.0
    for problem in cases(dtype, 60):
        got = Answer(problem, Conventions(), FLOAT64).loss.value
        for value, exact in zip(got.tolist(), definition(problem), strict=True):
            scale = max(abs(float(exact)), 1e-300)
            worst = max(worst, abs(float(arb(value) - exact)) / scale if value or float(exact) else 0.0)
    assert worst < 1e-9 * 2**-11 / 2**-53 * 2**-24  # a thousandth of a float32 unit roundoff and far below


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < WIDE_ENOUGH, reason="longdouble is not wide here")
def test_longdouble_and_arb_agree_on_everything():
    for problem in cases("float64", 60):
        wide, ball = (Answer(problem, Conventions(), a) for a in (LONGDOUBLE, ARB))
        # What each is a sum of: the terms of a loss or gradient cancel where weights have both signs, and no bound is
        # relative to what is left.
        parts = Bounds(ball, Precision())
        p = ball.softmax.value * (1 + parts.parts.distance)  # exp(d) is off by d times the rounding of d
        natural = {
            "loss": (parts.shares * parts.nlp).sum(axis=1),
            "grad_logits": p * parts.mass[:, None] + parts.shares,
            "softmax": p,
        }
        for name, size in natural.items():
            left, right = getattr(wide, name), getattr(ball, name)
            gap = np.abs((left.value - right.value) + (left.residual - right.residual))
            assert (gap <= 2.0**-58 * size + 1e-300).all(), name


def test_arb_agrees_with_the_definition_beyond_float64():
    for problem in cases("float64", 40):
        loss = Answer(problem, Conventions(), ARB).loss
        for value, residual, exact in zip(loss.value, loss.residual, definition(problem), strict=True):
            gap = abs(float(arb(float(value)) + arb(float(residual)) - exact))
            assert gap <= 2.0**-68 * abs(float(exact)) + 1e-320


@pytest.mark.parametrize("gap", [20.0, 40.0, 300.0, 700.0])
def test_a_large_gap_leaves_the_tiny_loss(gap):
    """The naive m + log(sum) - x_t gives 0 from a gap of 40 on; exp(-gap) is right."""
    answer = Answer(Problem(np.array([[gap, 0.0]]), np.array([0]), reduction="none"), Conventions())
    assert answer.loss.value[0] == pytest.approx(np.exp(-gap), rel=1e-15)


def test_gradient_matches_the_complex_step():
    """d loss / d x_j = Im loss(x + i h e_j) / h, exact for h = 1e-100: a check of the closed form itself."""
    rng = np.random.default_rng(3)
    x, w, target = rng.normal(size=(3, 4)), rng.random(4), np.array([1, 3, 0])
    problem = Problem(x, target, w, reduction="mean", label_smoothing=0.3)

    def loss(z):
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        rows = -(0.7 * w[target] * log_p[np.arange(3), target] + 0.3 / 4 * (w * log_p).sum(axis=1))
        return rows.sum() / w[target].sum()

    expected = np.empty_like(x)
    for i in range(3):
        for j in range(4):
            z = x.astype(complex)
            z[i, j] += 1e-100j
            expected[i, j] = loss(z).imag / 1e-100
    assert np.abs(Answer(problem, Conventions()).grad_logits.value - expected).max() < 1e-15


def test_second_derivative_matches_differences_of_the_gradient():
    rng = np.random.default_rng(4)
    x, v = rng.normal(size=(2, 5)), rng.normal(size=(2, 5))
    problem = Problem(x, np.array([1, 4]), reduction="sum", label_smoothing=0.2)
    step = 1e-5

    def gradient(at):
        return Answer(problem.with_(logits=at), Conventions()).grad_logits.value

    expected = (gradient(x + step * v) - gradient(x - step * v)) / (2 * step)
    assert np.abs(Answer(problem, Conventions()).hessian_times(v).value - expected).max() < 1e-9


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (Problem(np.zeros((2, 3)), np.array([-100, -100]), sentinel=-100), np.nan),
        (Problem(np.zeros((2, 3)), np.array([-100, -100]), sentinel=-100, reduction="sum"), 0.0),
        (Problem(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)), np.nan),
        (Problem(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), reduction="sum"), 0.0),
        (Problem(np.array([[np.nan, 0.0]]), np.array([7]), ignore_index=7, reduction="sum"), 0.0),
        (Problem(np.array([[-np.inf, 0.0]]), np.array([1]), reduction="sum"), 0.0),
        (Problem(np.array([[-np.inf, 0.0]]), np.array([0]), reduction="sum"), np.inf),
        (Problem(np.array([[-np.inf, 0.0]]), np.array([[0.0, 1.0]]), reduction="sum"), np.nan),
    ],
)
def test_degenerate_problems_follow_the_documented_conventions(problem, expected):
    assert np.array_equal(Answer(problem, Conventions()).loss.value, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"all_ignored_loss": "zero"}, 0.0),
        ({"empty_batch_loss": "zero"}, np.nan),
    ],
)
def test_declared_conventions_change_the_answer(choice, expected):
    problem = Problem(np.zeros((1, 3)), np.array([-100]), sentinel=-100)
    assert np.array_equal(Answer(problem, Conventions(**choice)).loss.value, expected, equal_nan=True)


def test_mean_divisors_differ_as_declared():
    problem = Problem(np.zeros((3, 2)), np.array([0, 1, -100]), np.array([1.0, 3.0]), sentinel=-100)
    total = 4 * np.log(2)
    for divisor, count in {"target_weight": 4, "valid_rows": 2, "all_rows": 3}.items():
        loss = Answer(problem, Conventions(mean_divisor=divisor)).loss.value
        assert loss == pytest.approx(total / count)


def test_smoothing_over_the_other_classes_keeps_the_target_sharper():
    problem = Problem(np.array([[2.0, 0.0, -1.0]]), np.array([0]), reduction="sum", label_smoothing=0.1)
    log_p = Answer(problem, Conventions()).log_softmax.value[0]
    other = Answer(problem, Conventions(smoothing_mass="other_classes")).loss.value
    assert other == pytest.approx(-(0.9 * log_p[0] + 0.05 * log_p[1] + 0.05 * log_p[2]))


def test_arithmetic_is_the_cheapest_that_is_accurate_enough():
    assert arithmetic_for("float32") is FLOAT64
    assert arithmetic_for("float64") in (LONGDOUBLE, ARB)
