"""Defects of the judge: what it overlooks, what it excuses, what it says of a comparison."""

from __future__ import annotations

from collections.abc import Iterator

from truth.sabotage import Sabotage
from xent_conformance.judging.findings import Finding, numbers
from xent_conformance.requirements import checks

RATIO, ANYWHERE, OWN_BOUND, SIGN, OWN_EXCUSE, OWN_INFINITY, EXERCISED = (
    f"test_judge.test_{name}"
    for name in (
        "ratio",
        "one_wrong_element_fails_wherever_it_stands",
        "each_element_has_its_own_bound",
        "an_error_of_either_sign_counts",
        "an_excuse_holds_for_its_own_elements_only",
        "an_infinite_bound_excuses_its_own_element_only",
        "a_bound_as_large_as_the_effect_does_not_count_as_exercised",
    )
)
BLOCKS = "test_blocks.test_a_gradient_compared_in_blocks_has_the_same_finding"
COMPARE, RATIOS = numbers.compare, numbers._ratios

#: (name, function, old, new, tests that must fail).
DEFECTS = [
    ("the last element is not judged", COMPARE, "np.argmax(ratios)", "np.argmax(ratios.reshape(-1)[: max(ratios.size - 1, 1)])", (ANYWHERE,)),
    ("only the first row is judged", COMPARE, "np.argmax(ratios)", "np.argmax(ratios[:1])", (ANYWHERE,)),
    ("the best element is judged", COMPARE, "np.argmax(ratios)", "np.argmin(ratios)", (ANYWHERE,)),
    ("the largest error is judged, whatever its bound", COMPARE, "np.argmax(ratios)", "np.argmax(np.nan_to_num(error))", (ANYWHERE,)),
    ("the largest bound is everybody's", COMPARE, "error / tolerance)", "error / tolerance.max())", (OWN_BOUND,)),
    ("the bound is counted twice", COMPARE, "error / tolerance)", "error / (2 * tolerance))", (RATIO,)),
    ("an error without a bound is none", COMPARE, "np.where(error == 0, 0.0, error / tolerance)", "np.nan_to_num(error / tolerance, posinf=0.0)", (RATIO,)),
    ("signs are forgotten", COMPARE, "np.abs(exact.minus(got))", "np.abs(np.abs(exact.value) - np.abs(got))", (SIGN,)),
    ("too small is right", COMPARE, "np.abs(exact.minus(got))", "np.maximum(got - exact.value, 0)", (SIGN,)),
    ("the residual is forgotten", COMPARE, "np.abs(exact.minus(got))", "np.abs(exact.value - got)", ("test_judge.test_residual_of_the_exact_value_counts",)),
    ("what is observed is rounded to float32", COMPARE, "dtype=np.float64)\n    tolerance", "dtype=np.float32).astype(np.float64)\n    tolerance", (RATIO,)),
    ("any nan is undefined", COMPARE, "np.isnan(got) & np.asarray(undefined, dtype=bool)", "np.isnan(got)", (RATIO, ANYWHERE)),
    ("undefined excuses every value", COMPARE, "np.isnan(got) & np.asarray(undefined, dtype=bool)", "np.asarray(undefined, dtype=bool)", (OWN_EXCUSE,)),
    ("everything is exercised", COMPARE, "exercised=telling", "exercised=True", (EXERCISED,)),
    ("nothing is exercised", COMPARE, "exercised=telling", "exercised=False", (EXERCISED,)),
    ("the effect is forgotten", COMPARE, "np.maximum(size, 1.0) if effect is None else np.asarray(effect)", "np.maximum(size, 1.0)", (EXERCISED,)),
    ("nothing to compare is exercised", COMPARE, "exercised=False", "exercised=True", ("test_judge.test_nothing_to_compare_is_not_exercised",)),
    ("got and expected change places", COMPARE, "expected=float(exact.value[index])", "expected=float(got[index])", ("test_judge.test_the_worst_element_is_named",)),
    ("nan is forgotten", RATIOS, "(finite_want & ~finite_got & ~excused)", "(finite_want & np.isinf(got) & ~excused)", (RATIO, ANYWHERE)),
    ("infinity is forgotten", RATIOS, "(finite_want & ~finite_got & ~excused)", "(finite_want & np.isnan(got))", (RATIO, ANYWHERE)),
    ("inf is -inf", RATIOS, "(got != want)", "(np.abs(got) != np.abs(want))", (RATIO,)),
    ("an infinite answer is not judged", RATIOS, " | (np.isinf(want) & (got != want))", "", (RATIO,)),
    ("a nan that is due is not asked for", RATIOS, "wrong |= np.isnan(want) & ~np.isnan(got)", "pass", (RATIO,)),
    ("overflow excuses the wrong sign", RATIOS, "(np.sign(got) == np.sign(want)) | (want == 0)", "True", (RATIO,)),
    ("overflow excuses the opposite sign", RATIOS, "np.sign(got) == np.sign(want)", "np.sign(got) != np.sign(want)", (RATIO,)),
    ("overflow of zero has a sign", RATIOS, " | (want == 0)", "", ("test_judge.test_an_infinity_of_either_sign_may_stand_for_an_overflow_of_zero",)),
    ("everything may overflow", RATIOS, "overflows | ", "True | ", (RATIO, OWN_EXCUSE)),
    ("overflow of one element excuses all", RATIOS, "overflows | ", "overflows.any() | ", (OWN_EXCUSE,)),
    ("the largest number excuses nothing", RATIOS, "overflows | (np.abs(want) + tolerance >= fmt.max_finite)", "overflows", (RATIO,)),
    ("an infinite bound excuses all elements", RATIOS, "np.where(judged, result, 0.0)", "np.where(judged.all(), result, 0.0)", (OWN_INFINITY,)),
    ("an infinite bound excuses nothing", RATIOS, "np.where(judged, result, 0.0)", "result", (RATIO, OWN_INFINITY)),
    ("finite elements beside infinite ones are not judged", RATIOS, "np.where(wrong, np.inf, ratio)", "np.where(wrong, np.inf, 0.0)", (ANYWHERE,)),
    ("ulps are half as many", numbers._ulp, "2 * fmt.unit_roundoff", "4 * fmt.unit_roundoff", ("test_judge.test_ulps_are_counted_in_the_format_of_the_logits",)),
    ("a ratio of nan holds", Finding.failed, "not self.ratio <= 1.0", "self.ratio > 1.0", ("test_judge.test_a_ratio_of_nan_would_fail",)),
    ("only the first block is judged", numbers.worst_of, "np.argmax(", "0 * np.argmax(", (BLOCKS,)),
    ("ulps are those of the last block", numbers.worst_of, "max(each.ulp for each in found)", "found[-1].ulp", (BLOCKS,)),
    ("every block starts at the first row", checks._gradient_in_blocks, "rows.start + found.index[0]", "found.index[0]", (BLOCKS,)),
    ("blocks are always exercised", checks._gradient_in_blocks, "undefined or least <= TELLING * largest", "True", (BLOCKS,)),
]  # fmt: skip


def catalogue() -> Iterator[Sabotage]:
    """Every defect of the judge."""
    return (Sabotage(f"judge: {name}", *rest) for name, *rest in DEFECTS)
