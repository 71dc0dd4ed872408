"""Defects of the bounds: each ten times too wide or too tight, and terms of them forgotten.

Some terms are missing here because no problem and no implementation of this repository needs them: log's error away
from 1, an approximate log, the rounding of a native class sum, the stored logarithm, underflow of exp and of
log_softmax, and single roundings of the loss, the mean and the gradients that are small beside their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

from truth.sabotage import Sabotage
from xent_conformance.bounds import Bounds, class_sum, error_model, gradients, logit_map, mean_error, overflow
from xent_conformance.bounds.error_model import ErrorModel

SHARES = ("test_bounds.test_correct_implementations_reach_the_measured_share_of_each_bound",)
BLOCKS = ("test_bounds.test_a_sum_in_blocks_loses_at_most_the_height_of_its_tree_for_any_number_of_rows",)
BATCH = ("test_bounds.test_a_sum_over_the_batch_loses_at_most_the_partial_sums_of_the_worst_tree",)
MEAN = ("test_mean_error.test_the_bound_of_the_mean_is_far_below_that_of_one_loss",)
CHANGED = ("test_language_models.test_logits_within_their_error_change_log_probabilities_by_less_than_the_bound",)
SLOPE = ("test_language_models.test_one_minus_the_square_of_tanh_is_within_its_error",)
#: Bound to its function and the start of the expression that is the bound.
WHOLE = {
    "log_softmax": (Bounds.log_softmax, "return self.log_probability_error"),
    "softmax": (Bounds.softmax, "return np.asarray("),
    "the row losses": (Bounds.row_losses, "return np.asarray("),
    "the sum": (Bounds.loss, "return np.asarray(tolerance)"),
    "the mean": (Bounds.loss, "return np.asarray((tolerance / divisor"),
    "the gradient of the logits": (gradients.of_mapped_logits, "return np.asarray(np.where(judged"),
    "the gradient of the targets": (gradients.of_target, "return np.asarray("),
    "the second derivative": (gradients.hessian_times, "return np.asarray("),
    "a log-probability": (Bounds.log_probability_error, "return np.asarray("),
    "the class sum": (class_sum.log_sum_error, "return np.asarray("),
    "a sum over the batch": (ErrorModel._in_any_order, "return (height + 1)"),
    "a sum in blocks": (ErrorModel._in_blocks, "return math.expm1("),
    "the slope of a cap": (logit_map.slope_error, "return np.asarray(scale"),
}
#: Tests of the bounds in ``WHOLE`` whose share is not measured.
OWN_KILLERS = {"a sum over the batch": BATCH, "a sum in blocks": BLOCKS, "the slope of a cap": SLOPE}
#: (name, function, old, new, tests that must fail): one term each.
TERMS = [
    ("exp's own error", class_sum.log_sum_error, "model.k_exp * u_i", "0", ("test_bounds.test_a_sequential_sum_stays_within_the_bound",)),
    ("the part of a mean error with one sign", mean_error.mean_loss_error, "one_sided.mean()", "0.0", MEAN),
    ("the additions of a mean error", mean_error.mean_loss_error, "(partial_sums**2).sum(axis=1)", "0.0", MEAN),
    ("the chance of a mean error", mean_error.mean_loss_error, "2 * math.log(2 / chance)", "1.0", MEAN),
    ("the height of the class sum", class_sum.log_sum_error, "model.u_a * (_height(parts, model) if height is None else height)", "0", SHARES),
    ("the stored class sum", class_sum.log_sum_error, "theta = theta + (u_i if u_i > model.u_a else 0.0) + model.u_s", "theta = theta + (u_i if u_i > model.u_a else 0.0)", SHARES),
    ("log's error near 1", class_sum.log_sum_error, "model.c_log * near_one", "0", SHARES),
    ("the number of classes", class_sum._height, "model.classes(classes)", "1", SHARES),
    ("the worst tree", class_sum._height, "parts.worst_tree", "1", SHARES),
    ("the spacing of logsumexp in form B", Bounds.log_probability_error, "np.maximum(parts.distance, parts.log_sum_exp) if model.form_b else parts.distance", "parts.distance", SHARES),
    ("the shift", Bounds.log_probability_error, "(distance + self.nlp)", "self.nlp", SHARES),
    ("the stored log-probability of a loss", Bounds.stored_error, " + self.model.u_lp * self.nlp", "", SHARES),
    ("the stored log_softmax", Bounds.log_softmax, " + self.model.u_narrow * self.nlp", "", SHARES),
    ("the stored softmax", Bounds.softmax, " + model.u_narrow", "", SHARES),
    ("underflow of softmax", Bounds.softmax, " + model.eta", "", SHARES),
    ("roundings of the shares in the loss", Bounds.row_losses, "self.roundings * model.u_o * (q * self.nlp).sum(axis=1)", "0", SHARES),
    ("the sum of the row's terms", Bounds.row_losses, "self.class_height *", "0 *", SHARES),
    ("underflow of summands", Bounds.row_losses, "self.problem.classes * model.eta", "0.0", ("test_bounds.test_what_underflows_may_be_zero",)),
    ("underflow of the shares", Bounds.row_losses, "model.eta * self._underflowing_shares()", "0.0", ("test_bounds.test_a_share_too_small_for_its_format_is_off_by_an_absolute_amount",)),
    ("underflow of the loss", Bounds.row_losses, "model.eta * (2 + self.roundings) * (1 + self.mass)", "0.0", ("test_bounds.test_what_underflows_may_be_zero",)),
    ("rows that cancel at infinity", Bounds.row_losses, "overflow.cancelling_rows(self)", "False", ("test_bounds.test_terms_that_overflow_with_both_signs_are_not_judged",)),
    ("the number of rows", ErrorModel._in_any_order, "(height + 1)", "2", SHARES),
    ("the sum over the batch", Bounds.loss, " + model.batch(values) * values.sum()", "", SHARES),
    ("cancellation of the divisor", Bounds.divisor_error, "* float(magnitudes.sum() / total)", "", ("test_bounds.test_a_divisor_lost_to_cancellation_is_not_judged",)),
    ("a divisor lost to cancellation", Bounds.divisor_error, "if error <= WORST_DIVISOR_ERROR else math.inf", "", ("test_bounds.test_a_divisor_lost_to_cancellation_is_not_judged",)),
    ("cancellation of smoothed targets", Bounds.shares, "np.abs(weighted) + np.abs(shares - weighted)", "np.abs(shares)", ("test_bounds.test_negative_probabilities_that_smoothing_cancels_keep_their_rounding",)),
    ("the stored log-probability of a gradient", gradients.of_mapped_logits, "expm1(bounds.stored_error)", "0", SHARES),
    ("roundings of the gradient", gradients.of_mapped_logits, "relative * np.abs(exact)", "0", SHARES),
    ("the product with the cotangent", gradients.of_mapped_logits, "model.u_o * _scaled_by_the_cotangent(bounds)", "0", ("test_bounds.test_the_gradient_of_a_row_may_be_stored_before_it_is_multiplied_with_the_cotangent",)),
    ("overflow of the second derivative", gradients.hessian_times, "scaled >= bounds.limit", "scaled < 0", ("test_bounds.test_a_second_derivative_that_overflows_on_the_way_is_not_judged",)),
    ("underflow of the gradient", gradients.of_mapped_logits, "model.eta * (4 + 2 * mass + bounds.roundings) * np.maximum(1.0, scale)", "0", SHARES),
    ("the scale", gradients.of_mapped_logits, "scale * core", "core", ("test_bounds.test_bounds_of_gradients_grow_with_the_cotangent",)),
    ("the scale of the gradient of targets", gradients.of_target, "scale * error", "error", SHARES),
    ("underflow of the gradient of targets", gradients.of_target, "4 * model.eta * (np.maximum(1.0, scale) + bounds.nlp)", "0", ("test_bounds.test_a_gradient_of_targets_that_underflows_may_be_zero",)),
    ("the errors of p in the second derivative", gradients.hessian_times, "2 * relative + height", "height", SHARES),
    ("the roundings of the second derivative", gradients.hessian_times, "2 * relative + height", "2 * relative", SHARES),
    ("underflow of the second derivative", gradients.hessian_times, "model.eta * (2 + size + mean + factor * (1 + size + mean) + scale * places)", "0", SHARES),
    ("underflow before a vector multiplies it", gradients.hessian_times, "factor * (1 + size + mean)", "factor", ("test_bounds.test_the_product_of_mass_and_probability_may_underflow_before_a_vector_multiplies_it",)),
    ("the quotient by a divisor with an error", gradients._relative_error, "/ (1 - of_divisor)", "", ("test_bounds.test_a_divisor_that_is_too_small_makes_a_quotient_larger_by_more_than_its_own_error",)),
    ("lost shares of the second derivative", gradients.hessian_times, " + p * centred * _lost_of_mass(bounds)", "", ("test_bounds.test_shares_that_underflow_once_scaled_change_a_second_derivative_too",)),
    ("the divisor of the second derivative", gradients.hessian_times, " + centred * common", "", SHARES),
    ("the largest number", Bounds.limit, "(1 - 64 * self.model.u_o)", "2", ("test_bounds.test_a_batch_sum_that_overflows_excuses_infinity_only_where_it_is_stored",)),
    ("overflow of log-probabilities", overflow.of_loss, "rows >= bounds.limit", "rows > np.inf", ("test_bounds.test_infinity_is_accepted_where_a_stored_log_probability_overflows_and_not_below",)),
    ("overflow of the sum", overflow.of_loss, "sums >= bounds.limit_of_sums", "False", ("test_bounds.test_a_batch_sum_that_overflows_excuses_infinity_only_where_it_is_stored", "test_bounds.test_a_batch_sum_in_float32_overflows_where_bfloat16_does")),
    ("the largest number of a wide sum", Bounds.limit_of_sums, "return self.limit", "return np.inf", ("test_bounds.test_a_batch_sum_that_overflows_excuses_infinity_only_where_it_is_stored",)),
    ("a zero share of what overflows", overflow.times_zero, "(vanishing & ", "(~vanishing & ", ("test_bounds.test_infinity_is_accepted_where_a_stored_log_probability_overflows_and_not_below",)),
    ("the sum of logits with errors", logit_map.ChangedParts.__init__, "self.shift = error + self.shift_of_sum", "self.shift = error", CHANGED),
    ("the distance of logits with errors", logit_map.ChangedParts.__init__, "parts.distance + error + np.maximum(of_top, 0.0)", "parts.distance", CHANGED),
    ("subnormal float16", error_model.underflow, "2 * fmt.unit_roundoff * fmt.smallest_normal", "0.0", ("test_bounds.test_what_underflows_may_be_zero",)),
    ("the rows outside of a block", Bounds.divisor_error, "return self._whole.divisor_error", "pass", ("test_blocks.test_blocks_have_the_same_numbers_bit_for_bit",)),
]  # fmt: skip


def wide_and_tight() -> Iterator[Sabotage]:
    for bound, (function, start) in WHOLE.items():
        for factor, word in ((10, "wide"), (0.1, "tight")):
            new = start.replace("return ", f"return {factor} * ", 1)
            yield Sabotage(
                f"bounds: {bound} is ten times too {word}", function, start, new, OWN_KILLERS.get(bound, SHARES)
            )


def catalogue() -> Iterator[Sabotage]:
    yield from wide_and_tight()
    for name, *rest in TERMS:
        yield Sabotage(f"bounds: {name} is forgotten", *rest)
