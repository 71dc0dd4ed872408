"""Defects of the oracle: in the softmax, in each arithmetic, in the normal form, and in what is made of them."""

from __future__ import annotations

from collections.abc import Iterator

from truth.sabotage import Sabotage
from xent_conformance.oracle import Answer, answer, arb, arithmetic, blocks, log1p_form, normal_form

FLOAT64, WIDE, ARB = (
    f"test_oracle.test_{name}"
    for name in (
        "float64_matches_the_definition",
        "longdouble_matches_the_definition",
        "arb_matches_the_definition_as_far_as_two_float64_go",
    )
)
TINY, TIES, DEGENERATE, DECLARED, NOTHING, DIVISORS = (
    f"test_oracle.test_{name}"
    for name in (
        "a_large_gap_leaves_the_tiny_loss",
        "equal_logits_have_the_logarithm_of_their_number",
        "degenerate_problems_follow_the_documented_conventions",
        "declared_conventions_change_the_answer",
        "the_gradient_of_a_mean_of_nothing_is_as_declared",
        "mean_divisors_differ_as_declared",
    )
)
OPTIONS = "test_language_models.test_loss_and_gradient_are_those_of_the_definition"
BLOCKS, MEMORY = (
    f"test_blocks.test_{name}"
    for name in (
        "blocks_have_the_same_numbers_bit_for_bit",
        "exact_answers_take_at_most_twice_the_memory_of_the_logits",
    )
)
SOFTMAX, ROW = log1p_form.softmax_parts, arb._row_at_precision

#: (name, function, old, new, tests that must fail).
DEFECTS = [
    ("exp is off by 1e-14", SOFTMAX, "np.exp(d)", "np.exp(d) * (1 + 1e-14)", (FLOAT64,)),
    ("exp is computed in float32", SOFTMAX, "np.exp(d)", "np.exp(d.astype(np.float32)).astype(d.dtype)", (FLOAT64, WIDE)),
    ("exp is off by 1e-17, for longdouble", SOFTMAX, "np.exp(d)", "np.exp(d) * (1 + np.longdouble(1e-17))", (WIDE,)),
    ("log1p is log", SOFTMAX, "np.log1p(t)", "np.log(1 + t)", (FLOAT64, TINY)),
    ("log1p is three terms of its series", SOFTMAX, "np.log1p(t)", "np.where(t < 1e-3, t - t**2 / 2 + t**3 / 3, np.log1p(t))", (FLOAT64,)),
    ("the largest logit is counted again", SOFTMAX, "np.isnan(e[rows, top]), np.nan, 0", "np.isnan(e[rows, top]), np.nan, 1", (FLOAT64, TINY, TIES)),
    ("1 - p cancels", SOFTMAX, "one_minus_p[rows, top] = (t / (1 + t))[:, 0]", "one_minus_p = 1 - e / (1 + t)", (FLOAT64,)),
    ("a row of -inf alone has a softmax", SOFTMAX, "np.where(np.isinf(m), np.nan, x - m)", "np.where(x == m, 0, x - m)", (DEGENERATE,)),
    ("equal logits are counted once", ROW, "int(n) - (i == len(values) - 1)", "1 - (i == len(values) - 1)", (ARB, TIES)),
    ("the largest logit is counted again, in arb", ROW, "int(n) - (i == len(values) - 1)", "int(n)", (ARB, TIES)),
    ("the sum is a float", ROW, "log_sum = t.log1p()", "log_sum = arb(float(t)).log1p()", (ARB,)),
    ("arb's probabilities are floats", ROW, '"p": [x / (1 + t) for x in e]', '"p": [arb(float(x / (1 + t))) for x in e]', (ARB,)),
    ("the residual is dropped", arithmetic._split_floats, "values - high, 0)", "0 * values, 0)", (WIDE,)),
    ("the residual has the wrong sign", arithmetic._split_floats, "values - high", "high - values", (WIDE,)),
    ("arb's residual is dropped", arithmetic._split_arb, "float((v - arb(h)).mid()) if np.isfinite(h) else 0.0", "0.0", (ARB,)),
    ("smoothing spreads over the other classes", normal_form.smoothing_shares, "eps / max(problem.classes, 1)", "eps / max(problem.classes - 1, 1)", (FLOAT64, WIDE, ARB)),
    ("smoothing keeps the target whole", normal_form.smoothing_shares, "return 1 - eps, ", "return 1 + 0 * eps, ", (FLOAT64,)),
    ("the others' smoothing leaves out the target's part", normal_form.smoothing_shares, "1 - eps - other", "1 - eps", (FLOAT64,)),
    ("smoothing is weighted by the target", normal_form.normal_form, 'conventions.smoothing_weight == "per_target" and ', "", (FLOAT64,)),
    ("smoothing by the target is not weighted by it", normal_form.normal_form, "and not problem.has_probabilities", "and problem.has_probabilities", (FLOAT64,)),
    ("ignored rows keep their share", normal_form.normal_form, "q[ignored] = arithmetic.number(0)", "pass", (FLOAT64,)),
    ("weights are ignored", normal_form.normal_form, "q = q * weight", "q = q * 1", (FLOAT64,)),
    ("the divisor ignores weights", normal_form.normal_form, "target * weight, arithmetic)", "target, arithmetic)", (FLOAT64, DIVISORS)),
    ("ignored rows count in the divisor", normal_form._divisor_terms, "else ~problem.ignored()", "else np.ones(problem.rows)", (FLOAT64, DIVISORS)),
    ("all rows are the valid ones", normal_form._divisor_terms, 'or conventions.mean_divisor == "all_rows"', "", (FLOAT64, DIVISORS)),
    ("probabilities are divided by their weights", normal_form._divisor_terms, 'conventions.probability_divisor == "weighted"', "True", (FLOAT64,)),
    ("probabilities are never smoothed", normal_form._smoothed, "not problem.label_smoothing", "problem.has_probabilities or not problem.label_smoothing", (FLOAT64,)),
    ("the sum forgets its last row", Answer.loss, "self.row_losses.sum()", "self.row_losses[:-1].sum()", (FLOAT64,)),
    ("the mean is the sum", Answer.loss, 'total if self.problem.reduction == "sum" else self._mean(total)', "total", (FLOAT64,)),
    ("the mean of ignored rows is as of no rows", answer.Answer._mean, "if self.problem.rows else", "if not self.problem.rows else", (DECLARED,)),
    ("weights of zero have no mean", answer.Answer._mean, 'self.conventions.zero_weight_loss == "zero"', "False", (DECLARED,)),
    ("a share of zero reads its infinity", Answer.read, "return ~zero", "return np.ones_like(zero)", (DECLARED,)),
    ("an infinity without a share is not read", Answer.read, "np.broadcast_to(~self.form.ignored[:, None], zero.shape)", "~zero", (DEGENERATE,)),
    ("the gradient has the wrong sign", Answer.grad_mapped, "self.scale[:, None] * plain", "-self.scale[:, None] * plain", (FLOAT64,)),
    ("the gradient forgets 1 - p", Answer.grad_mapped, "- q * self.parts.one_minus_p", "- q", (FLOAT64,)),
    ("the gradient is p - Q", Answer.grad_mapped, "(q.sum(axis=1, keepdims=True) - q)", "(1 - q)", (FLOAT64,)),
    ("the gradient of a mean of nothing is zero", Answer.grad_mapped, 'self.conventions.all_ignored_gradient == "zero"', "True", (NOTHING,)),
    ("the gradient forgets the divisor", Answer.scale, 'if self.problem.reduction == "mean" else cotangent', "if False else cotangent", (FLOAT64,)),
    ("the cotangent is forgotten", Answer.scale, "self.problem.cotangents()", "np.ones_like(self.problem.cotangents())", (FLOAT64,)),
    ("the gradient of targets forgets smoothing", Answer.grad_target, "slope = keep * weighted", "slope = weighted", (FLOAT64,)),
    ("the gradient of targets forgets weights", Answer.grad_target, "self.parts.nlp * self.arithmetic.array(self.problem.class_weights())", "self.parts.nlp", (FLOAT64,)),
    ("the z-loss has half its gradient", Answer.grad_mapped, "2 * self.problem.lse_square_scale", "self.problem.lse_square_scale", (OPTIONS,)),
    ("ignored rows have a z-loss", Answer.z_losses, "np.where(self.form.ignored, 0, square)", "square", (OPTIONS,)),
    ("a divisor is ignored", normal_form._divisor_terms, "if problem.divisor is not None", "if False", (OPTIONS,)),
    ("capped logits have the gradient of others", Answer.grad_logits, "self.grad_mapped * self.slope", "self.grad_mapped * 1", (OPTIONS,)),
    ("the second derivative is not centred", Answer.hessian_times, "(v - (p * v).sum(axis=1, keepdims=True))", "v", (FLOAT64,)),
    ("the second derivative forgets the shares", Answer.hessian_times, "self.scale * self.form.q.sum(axis=1)", "self.scale", (FLOAT64,)),
    ("the mean of a block is over its own rows", Answer.divisor, "return self._whole.divisor", "return self.form.divisor", (BLOCKS,)),
    ("a block is left as if it were the whole", Answer.any_row_left, "if self._whole is None else self._whole.any_row_left", "", (BLOCKS,)),
    ("a block has its first row everywhere", blocks._fill, "out[rows] = part", "out[rows] = part[:1]", (BLOCKS,)),
    ("a block has the cotangents of the first rows", blocks.rows_of, "cotangent.reshape(-1)[rows]", "cotangent.reshape(-1)[: rows.stop - rows.start]", (BLOCKS,)),
    ("a block of examples starts at the first position", blocks._some, "[rows.start - first * within : rows.stop - first * within]", "[: rows.stop - rows.start]", (BLOCKS,)),
    ("a row is added up in pairs if it is a block", blocks._alone, "abs(rows.strides[1]) <= abs(rows.strides[0])", "True", (BLOCKS,)),
    ("a large problem has no blocks", blocks.blocks_of, "problem.logits.size <= AT_ONCE", "True", (MEMORY,)),
    ("blocks are as large as the problem", blocks._even, "BLOCK // each", "count", (MEMORY,)),
]  # fmt: skip


def catalogue() -> Iterator[Sabotage]:
    """Every defect of the oracle."""
    return (Sabotage(f"oracle: {name}", *rest) for name, *rest in DEFECTS)
