"""Bounds: correct implementations stay within, the worst admissible one comes near, other numbers are far out."""

import ml_dtypes
import numpy as np
import pytest

from truth import worst
from xent_conformance.bounds import Bounds
from xent_conformance.conventions import Conventions
from xent_conformance.formats import FLOATING, dtype_of, format_named
from xent_conformance.judging.findings import compare
from xent_conformance.oracle import Answer
from xent_conformance.precision import TIERS, WEAKEST, Precision
from xent_conformance.problem import Problem
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.streams import JOINT, Draw, recipes_of

#: The tier that admits sums over the batch in any order.
LOOSEST = list(TIERS.values())[-1]

#: Quantity to the largest share of its bound that the implementations of ``worst`` reach, in the order of FLOATING.
MEASURED = {
    "log_softmax": (0.94, 0.94, 0.60, 0.49),
    "softmax": (0.59, 0.93, 0.58, 0.49),
    "loss none": (0.63, 0.50, 0.60, 0.48),
    "loss sum": (0.47, 0.52, 0.42, 0.47),
    "loss mean": (0.46, 0.41, 0.40, 0.46),
    "grad_logits": (0.58, 0.86, 0.56, 0.49),
    "grad_target": (0.63, 0.46, 0.59, 0.48),
    "hessian": (0.31, 0.24, 0.29, 0.32),
}


@pytest.mark.parametrize("dtype", FLOATING)
def test_correct_implementations_reach_the_measured_share_of_each_bound(dtype):
    """Another exp or log moves the shares a little; a bound twice too wide or too tight moves them more than that."""
    for quantity, largest in worst.largest_shares(dtype).items():
        measured = MEASURED[quantity][FLOATING.index(dtype)]
        assert 0.6 * measured <= largest < 1.0, quantity
        assert largest <= 1.6 * measured, quantity


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


def test_a_divisor_that_is_too_small_makes_a_quotient_larger_by_more_than_its_own_error():
    """The weights of the two rows cancel but for 2**-19, which a stored sum may miss by the fraction d."""
    weight = np.array([1.0, -1.0 + 2**-19], dtype=np.float32)
    answer = Answer(Problem(np.zeros((2, 2), np.float32), np.array([0, 1]), weight), Conventions())
    bounds = Bounds(answer, Precision())
    off = bounds.divisor_error
    assert 0.1 < off < 0.25
    exact, v = answer.grad_logits.value, np.array([[1.0, -1.0]] * 2)
    assert (np.abs(exact / (1 - off) - exact) <= bounds.grad_logits).all()
    product = answer.hessian_times(v).value
    assert (np.abs(product / (1 - off) - product) <= bounds.hessian_times(v)).all()


def test_the_product_of_mass_and_probability_may_underflow_before_a_vector_multiplies_it():
    logits, weight = np.float16([[0.0, -15.0]]), np.float16([0.1, 1.0])
    cotangent, v = np.float16([32.0]), np.array([[-16.0, 16.0]])
    answer = Answer(Problem(logits, np.array([0]), weight, reduction="none", cotangent=cotangent), Conventions())
    exact = answer.hessian_times(v)
    stored = weight[0] * np.float16(np.exp(-15.0))
    observed = np.array([[exact.value[0, 0], cotangent[0] * (stored * np.float16(32.0))]], np.float64)
    bound = Bounds(answer, Precision()).hessian_times(v)
    assert compare("hvp", observed, exact, bound, format_named("float16")).ratio <= 1.0


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


def test_a_sum_in_blocks_loses_at_most_the_height_of_its_tree_for_any_number_of_rows():
    """Three levels of 16 terms in bfloat16, where the same terms added one by one stop growing at 256."""
    problem = Problem(np.zeros((1, 2), dtype_of("bfloat16")), np.array([0]))
    model = Bounds(Answer(problem, Conventions()), WEAKEST).model
    u, dtype = format_named("bfloat16").unit_roundoff, dtype_of("bfloat16")
    errors = []
    for size in np.arange(128, 256) / 128:
        partial = np.full(4096, size)
        while partial.size > 1:
            partial = in_sequence(partial.reshape(-1, 16), dtype)[:, 0]
        errors.append(abs(float(partial[0]) / (4096 * size) - 1))
    bound = model.batch(np.ones(4096))
    assert bound / 10 < max(errors) <= bound
    assert bound == pytest.approx((1 + u) ** 57 - 1)
    assert float(in_sequence(np.ones((1, 4096)), dtype)[0, 0]) == 256
    assert (
        model.batch(np.ones(1 << 20)) < 0.5 < Bounds(Answer(problem, Conventions()), LOOSEST).model.batch(np.ones(4096))
    )


TINY = np.float32(1e-39)  # subnormal: a unit that flushes makes 0 of it


@pytest.mark.parametrize(
    "problem",
    [
        Problem(np.zeros((1, 2), np.float32), np.array([0]), np.array([TINY, 1], np.float32), reduction="none"),
        Problem(np.zeros((1, 4097), np.float32), np.full((1, 4097), TINY), reduction="sum"),
        Problem(np.zeros((1, 2), np.float16), np.array([0]), np.array([6e-8, 1], np.float16), reduction="none"),
    ],
)
def test_what_underflows_may_be_zero(problem):
    """The loss, each of its summands, and in float16 no more than a subnormal number."""
    answer = Answer(problem, Conventions())
    bounds = Bounds(answer, Precision())
    assert compare("loss", 0 * answer.loss.value, answer.loss, bounds.loss, problem.format).ratio <= 1
    plain = Answer(problem.with_(weight=None, target=np.array([0])), Conventions())
    loss = Bounds(plain, Precision()).loss
    assert compare("loss", 0 * plain.loss.value, plain.loss, loss, problem.format).ratio > 50


@pytest.mark.parametrize("target", [[0], [[0.0, 0.0]]])
@pytest.mark.parametrize(("gap", "weight"), [(260, None), (2000, None), (260, [2.0, 0.25])])
def test_a_share_too_small_for_its_format_is_off_by_an_absolute_amount(target, gap, weight):
    """Shares of label_smoothing=1e-6 stored in float16 are subnormal; dropped, they are still missed."""
    target = np.array(target, np.int64 if target == [0] else np.float16)
    weights = np.ones(2) if weight is None else np.array(weight)
    problem = Problem(
        np.array([[0, -gap]], np.float16),
        target,
        None if weight is None else weights.astype(np.float16),
        reduction="none",
        label_smoothing=1e-6,
    )
    answer = Answer(problem, Conventions())
    bound = Bounds(answer, Precision()).loss
    for stored in (np.round, np.floor):
        share = float(stored(0.5e-6 * 2**24) / 2**24)
        weighted = float(stored(share * weights[1] * 2**24) / 2**24)
        observed = np.array([weighted * gap])
        assert compare("loss", observed, answer.loss, bound, problem.format).ratio <= 1
    assert compare("loss", np.zeros(1), answer.loss, bound, problem.format).ratio > 1


def test_a_gradient_of_targets_that_underflows_may_be_zero():
    weight = np.array([TINY, 1], np.float32)
    problem = Problem(np.zeros((1, 2), np.float32), np.array([[0.5, 0.5]], np.float32), weight, reduction="sum")
    answer = Answer(problem, Conventions())
    bound, observed = Bounds(answer, Precision()).grad_target, answer.grad_target.value * [0, 1]
    assert compare("grad_target", observed, answer.grad_target, bound, problem.format).ratio <= 1


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_bounds_of_gradients_grow_with_the_cotangent(smoothing):
    x = np.array([[1.0, 0.25, -2.0]], np.float32)
    q, v = np.array([[0.5, 0.25, 0.25]], np.float32), np.array([[1.0, -0.5, 2.0]])
    once, thousand = (
        Problem(x, q, reduction="sum", label_smoothing=smoothing, cotangent=np.array(size, np.float32))
        for size in (1, 1024)
    )
    small, large = (Bounds(Answer(p, Conventions()), Precision()) for p in (once, thousand))
    assert large.grad_logits == pytest.approx(1024 * small.grad_logits)
    assert large.grad_target == pytest.approx(1024 * small.grad_target)
    assert large.hessian_times(v) == pytest.approx(1024 * small.hessian_times(v))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_gradient_of_a_row_may_be_stored_before_it_is_multiplied_with_the_cotangent(dtype):
    """Two roundings, of p - y and of its product; a power of two leaves the second out, and is allowed one only."""
    stored, worst = dtype_of(dtype), {True: 0.0, False: 0.0}
    for logit in np.arange(0.5, 1, 1 / 64):
        for size in (1.0, 2.0, 1.25, 1.375, 1.75):
            logits, cotangent = np.array([[1, logit]], stored), np.array(size, stored)
            problem = Problem(logits, np.array([1]), reduction="sum", cotangent=cotangent)
            answer = Answer(problem, Conventions())
            row = answer.grad_logits.value / size
            observed = (row.astype(stored).astype(np.float64) * size).astype(stored).astype(np.float64)
            error, bound = np.abs(observed - answer.grad_logits.value).max(), Bounds(answer, Precision()).grad_logits
            power = size in (1.0, 2.0)
            worst[power] = max(worst[power], float(error / np.abs(answer.grad_logits.value).max()))
            assert (np.abs(observed - answer.grad_logits.value) <= bound).all()
    u = format_named(dtype).unit_roundoff
    assert worst[True] <= u < worst[False]


def test_shares_that_underflow_once_scaled_change_a_second_derivative_too():
    """G eps / C is less than half a unit of float16's subnormal numbers here, or more, and rounds to none or one."""
    logits = np.zeros((1, 60), np.float16)
    logits[0, 0], v = 4.0, np.full((1, 60), -8.0)
    v[0, 0] = 8.0
    for size in (2.0**-16, 2.0**-15):
        cotangent = np.array(size, np.float16)
        problem = Problem(logits, np.array([0]), reduction="sum", label_smoothing=0.1, cotangent=cotangent)
        answer = Answer(problem, Conventions())
        stored = np.float16([size * 0.9, *[size * 0.1 / 60] * 60]).astype(np.float64).sum()
        observed = answer.hessian_times(v).value * stored / size
        bound = Bounds(answer, Precision()).hessian_times(v)
        assert (np.abs(observed - answer.hessian_times(v).value) <= bound).all()
        # Not any other sum is accepted.
        assert (np.abs(answer.hessian_times(v).value) > bound)[0, 0]


def test_a_second_derivative_that_overflows_on_the_way_is_not_judged():
    """The vector times the cotangent is infinite here, and the sum over the classes inf or nan."""
    x, v = np.zeros((1, 4), np.float32), np.array([[2.0, -2.0, 2.0, -2.0]])
    large, small = (Problem(x, np.array([0]), reduction="sum", cotangent=np.array(g, np.float32)) for g in (2e38, 1e37))
    assert np.isinf(Bounds(Answer(large, Conventions()), Precision()).hessian_times(v)).all()
    assert np.isfinite(Bounds(Answer(small, Conventions()), Precision()).hessian_times(v)).all()


def loss_accepts(problem, value, precision=Precision()):  # noqa: B008 - it is frozen
    answer = Answer(problem, Conventions())
    bounds = Bounds(answer, precision)
    excuses = bounds.loss_excuses
    return not compare("loss", np.array(value), answer.loss, bounds.loss, problem.format, **excuses).failed


def half(logits, target, weight=None, reduction="sum", dtype=np.float16):
    weight = None if weight is None else np.array(weight, np.float16)
    target = np.array(target) if np.ndim(target) == 1 else np.array(target, np.float16)
    return Problem(np.array(logits, dtype), target, weight, reduction=reduction)


def test_infinity_is_accepted_where_a_stored_log_probability_overflows_and_not_below():
    over, below = half([[44992, -44992]], [1], [1, 0.25]), half([[31008, -31008]], [1], [1, 0.25])
    assert loss_accepts(over, np.inf)
    assert not loss_accepts(over, -np.inf)
    assert not loss_accepts(over, np.nan)
    assert not loss_accepts(below, np.inf)


def test_a_batch_sum_that_overflows_excuses_infinity_only_where_it_is_stored():
    problem = half([[15000, -15000]] * 4, [1] * 4, reduction="mean")
    assert loss_accepts(problem, np.inf, Precision(batch_sum="native"))
    assert not loss_accepts(problem, np.inf)


def test_a_batch_sum_in_float32_overflows_where_bfloat16_does():
    """Both formats end at 3.4e38, so that the sum of a mean may be infinite though the mean is not."""
    problem = half([[1e38, -1e38]] * 4, [1] * 4, reduction="mean", dtype=ml_dtypes.bfloat16)
    assert loss_accepts(problem, np.inf)
    assert not loss_accepts(problem, -np.inf)
    assert not loss_accepts(problem.with_(logits=problem.logits / 8), np.inf)


def test_nan_is_accepted_only_where_what_overflows_has_no_share():
    assert loss_accepts(half([[60000, -60000]], [[1, 0]]), np.nan)
    assert not loss_accepts(half([[3, -3]], [[1, 0]]), np.nan)
    assert not loss_accepts(half([[15000, -15000]], [[0.5, 0.5]]), np.nan)
    # A subnormal share may be flushed to zero; the smallest normal one may not.
    assert loss_accepts(half([[60000, -60000]], [[1, 2.0**-15]]), np.nan)
    assert not loss_accepts(half([[60000, -60000]], [[1, 2.0**-14]]), np.nan)
    # A share of 2 makes a distance overflow that does not by itself, before it is multiplied by a weight of zero.
    assert loss_accepts(half([[0, 40000]], [[2, 0]], [0, 1]), np.nan)
    assert not loss_accepts(half([[0, 30000]], [[2, 0]], [0, 1]), np.nan)


def test_terms_that_overflow_with_both_signs_are_not_judged():
    problem = half([[60000, -60000, -60000]], [[0, 0.5, 0.5]], [1, 1, -1])
    assert np.isinf(Bounds(Answer(problem, Conventions()), Precision()).loss)
    same_sign = problem.with_(weight=np.ones(3, np.float16))
    assert np.isfinite(Bounds(Answer(same_sign, Conventions()), Precision()).loss)
