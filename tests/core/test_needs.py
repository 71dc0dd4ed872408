"""Facts about problems, variants without each, and what a failing problem needs of them."""

from itertools import islice

import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.causes.diagnosis import Shown, needs
from xent_conformance.causes.facts import facts
from xent_conformance.causes.numbers import PARTICULAR
from xent_conformance.causes.variants import WITHOUT, variants
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.records.situations import described, implied
from xent_conformance.requirements.registry import load
from xent_conformance.strategies.streams import JOINT
from xent_conformance.verdicts.tally import Tally
from xent_conformance.witnesses.behind import causes

RICH = Problem(
    np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32).transpose(2, 1, 0),
    np.random.default_rng(1).integers(0, 5, size=(7, 3)),
    weight=np.array([0, 9, 1, 9, 2, 9, -1, 9, 3, 9], np.float32)[::2],
    label_smoothing=0.1,
    reduction="mean",
    cotangent=np.array(2, np.float32),
    sentinel=-100,
)


class NothingIsNan(NumpyTwin):
    """Logits that are not finite are replaced by numbers."""

    def by_row(self, array):
        return np.nan_to_num(super().by_row(array), nan=0, posinf=1, neginf=-1)


#: Every array has one element for all.
EXPANDED = Problem(
    np.broadcast_to(np.float32(1), (3, 4)),
    np.broadcast_to(np.int64(2), 3),
    weight=np.broadcast_to(np.float32(0.5), 4),
    reduction="none",
    cotangent=np.broadcast_to(np.float32(2), 3),
)


def drawn():
    subject = Subject.of(NumpyTwin(), "float32")
    yield from (trial.problem for trial in trials(subject, JOINT, Settings("quick")))
    yield RICH
    yield RICH.with_(weight=None, divisor=3.0, lse_square_scale=0.1, logit_scale=2.0, softcap=5.0)
    yield RICH.with_(reduction="none", cotangent=np.ones((7, 6), np.float32)[:, ::2])
    yield RICH.with_(weight=RICH.weight * np.float32(2**-20))
    yield EXPANDED
    yield Problem(np.eye(1, 4, dtype=np.float32), np.array([3]))
    yield Problem(np.zeros((2, 1), np.float32), np.zeros(2, np.int64))
    yield Problem(np.zeros((2, 3), np.float32), np.zeros(3, np.int64))
    yield Problem(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))
    yield Problem(np.zeros((2, 0), np.float32), np.zeros(2, np.int64))
    for odd in (np.nan, np.inf, -np.inf):
        yield Problem(np.array([[odd, 1], [1, 0]], np.float32), np.array([1, 1]))
        yield Problem(np.array([[odd, 1], [1, 0]], np.float32), np.array([-100, 1]), sentinel=-100)
    yield Problem(np.full((2, 2), -np.inf, np.float32), np.array([1, 1]))
    for other in (np.float16, np.float64):
        weight, shares = np.array([1, 2, 0.5], other), np.array([[1, 0, 0], [0, 1, 0]], other)
        yield Problem(np.zeros((2, 3), np.float32), np.array([0, 1]), weight=weight)
        yield Problem(np.zeros((2, 3), np.float32), shares)
    yield Problem(np.zeros((20_000, 2), np.float32), np.zeros(20_000, np.int64))
    yield Problem(np.zeros((1, 20_000), np.float32), np.zeros(1, np.int64))
    yield Problem(np.zeros((1_100, 1_000), np.float32), np.zeros(1_100, np.int64))


@pytest.mark.parametrize(
    "changes",
    [
        {"target": np.array([0, 1, 0])},
        {"target": np.array([0, 3])},
        {"target": np.full((1, 3), 0.5, np.float32)},
        {"weight": np.ones(4, np.float32)},
        {"reduction": "banana"},
        {"label_smoothing": -0.1},
        {"logits": np.zeros((2, 3), np.int8)},
        {"target": np.array([False, True])},
    ],
)
def test_invalid_arguments_are_named_where_valid_ones_pass(changes):
    problem = Problem(np.zeros((2, 3), np.float32), np.array([0, 1])).with_(**changes)
    found = needs(problem, fails_with("invalid arguments"), of=["invalid arguments"])
    assert found.situation == ("invalid arguments",)
    variant, *_ = variants(problem, "invalid arguments")
    assert "invalid arguments" not in facts(variant)


def test_arguments_of_which_a_row_is_ignored_are_valid():
    problem = Problem(np.zeros((2, 3), np.float32), np.array([0, -100]), sentinel=-100)
    assert "invalid arguments" not in facts(problem)


def fails_with(*needed):
    return lambda problem: Shown.FAILS if set(needed) <= facts(problem) else Shown.PASSES


@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0), (0, 3, 2)])
@pytest.mark.parametrize("shares", [True, False])
def test_a_batch_without_rows_is_named_where_one_with_a_row_passes(shape, shares):
    logits = np.zeros(shape, np.float32)
    target = logits if shares else np.zeros(shape[:1] + shape[2:], np.int64)
    problem = Problem(logits, target, reduction="none", cotangent=np.zeros(shape[:1] + shape[2:], np.float32))
    variant, *_ = variants(problem, "no rows")
    assert variant.rows
    assert variant.cotangent.shape == variant.row_shape
    assert "no rows" in needs(problem, fails_with("no rows")).situation


@pytest.mark.parametrize("shape", [(2, 0), (0,), (2, 0, 3)])
@pytest.mark.parametrize("shares", [True, False])
def test_logits_without_classes_are_named_where_those_with_one_pass(shape, shares):
    logits = np.zeros(shape, np.float32)
    target = logits if shares else np.zeros(shape[:1] * (len(shape) > 1) + shape[2:], np.int64)
    problem = Problem(logits, target, weight=np.zeros(0, np.float32))
    variant, *_ = variants(problem, "no classes")
    assert (variant.classes, variant.row_shape, variant.weight.shape) == (1, problem.row_shape, (1,))
    assert "no classes" in needs(problem, fails_with("no classes")).situation


def test_every_fact_is_taken_away_from_some_problem_that_has_it():
    taken = set()
    for problem in drawn():
        for fact in facts(problem):
            made = variants(problem, fact)
            assert fact == PARTICULAR or not any(fact in facts(variant) for variant in made)
            taken |= {fact} if made else set()
    assert set(WITHOUT) <= taken
    assert {"logits not contiguous", "target not contiguous", "weight not contiguous"} <= taken


@pytest.mark.parametrize(
    "needed",
    [
        ("smoothing",),
        ("class weights", "reduction mean"),
        ("spatial", "logits not contiguous"),
        ("a negative weight", "smoothing"),
        ("several rows", "no ignored rows"),
        ("more than 4 classes",),
    ],
)
def test_the_situation_is_what_the_failure_needs(needed):
    found = needs(RICH, fails_with(*needed))
    assert set(needed) <= set(found.situation)
    assert not found.undecided
    # What else is in it goes with these: no weight is negative where there are none.
    implied = {
        "class weights",
        "a reduced loss",
        "spatial",
        "several rows",
        "logits not contiguous",
        "weight not contiguous",
    }
    implied |= {"labels", "more than 4 classes"}
    assert set(found.situation) <= set(needed) | implied


def test_a_stride_of_zero_is_named_where_other_strides_pass():
    zero, any_stride = "cotangent with a stride of zero", "cotangent not contiguous"
    assert set(needs(EXPANDED, fails_with(zero)).situation) == {zero, any_stride, "several rows", "reduction none"}
    assert zero not in needs(EXPANDED, fails_with(any_stride)).situation
    assert described([any_stride, zero, "reduction none"]) == "with a cotangent with a stride of zero"


@pytest.mark.parametrize("shape", [(2, 65_536), (65_536, 2), (1, 65_536), (300, 300)])
def test_many_logits_are_needed_however_many_they_are(shape):
    problem = Problem(np.zeros(shape, np.float32), np.zeros(shape[0], np.int64))
    assert "more than 10000 logits" in needs(problem, fails_with("more than 10000 logits")).situation


def test_what_always_fails_needs_nothing():
    assert needs(RICH, lambda _: Shown.FAILS).situation == ()


def test_what_cannot_be_judged_without_a_fact_is_undecided():
    def shown(problem):
        return Shown.FAILS if "smoothing" in facts(problem) else Shown.NOTHING

    found = needs(RICH, shown)
    assert (found.situation, found.undecided) == ((), ("smoothing",))


def test_a_comparison_of_layouts_needs_the_layout():
    def shown(problem):
        return Shown.FAILS if "logits not contiguous" in facts(problem) else Shown.NOTHING

    assert needs(RICH, shown).situation == ("logits not contiguous",)


def test_other_numbers_keep_the_memory_layout():
    for fact in ("particular logits", "a weight of zero", "a negative weight"):
        for variant in variants(RICH, fact):
            assert variant.logits.strides == RICH.logits.strides


def test_where_one_row_is_counted_the_others_keep_what_is_in_them():
    """Ignored rows of nan fail whether or not another row is counted: that is not every row ignored."""
    problem = Problem(np.full((1, 2), np.nan, np.float32), np.array([-100]), sentinel=-100)
    found = needs(problem, fails_with("ignored rows that are not finite"))
    assert "ignored rows that are not finite" in found.situation
    assert "every row ignored" not in found.situation


def test_as_many_rows_as_classes_may_be_what_it_takes():
    problem = Problem(np.zeros((2, 2), np.float32), np.array([0, 1]), reduction="none")
    assert "as many rows as classes" in needs(problem, fails_with("as many rows as classes")).situation


ALONE = Problem(np.array([[0, 1, 3]], np.float32), np.array([1]), reduction="none", cotangent=np.ones(1, np.float32))


@pytest.mark.parametrize("alone", [ALONE, ALONE.with_(logits=ALONE.logits[..., None], target=ALONE.target[..., None])])
def test_a_batch_of_one_row_may_be_what_it_takes(alone):
    alone = alone.with_(cotangent=np.ones(alone.row_shape, np.float32))
    assert "one row" in needs(alone, fails_with("one row")).situation
    assert "one row" not in needs(alone, fails_with("labels")).situation


BINARY = Problem(
    np.array([[0, 1, 9], [2, -1, 9]], np.float32)[:, :2],
    np.array([1, 0]),
    reduction="none",
    cotangent=np.ones(2, np.float32),
)


@pytest.mark.parametrize("target", [BINARY.target, np.eye(2, dtype=np.float32)])
def test_two_classes_may_be_what_it_takes(target):
    found = needs(BINARY.with_(target=target), fails_with("two classes"))
    assert "two classes" in found.situation
    assert not {"as many rows as classes", "several rows", "logits not contiguous"} & set(found.situation)


@pytest.mark.parametrize("needed", ["logits not contiguous", "several rows", "particular logits"])
def test_a_binary_problem_does_not_need_two_classes_where_it_fails_with_three(needed):
    assert "two classes" not in needs(BINARY, fails_with(needed)).situation


@pytest.mark.parametrize("weights", [(1e-12, 1), (0, -1e-12), (1e-3, 1e-3)])
def test_small_weights_are_named_where_larger_ones_pass(weights):
    problem = Problem(np.zeros((1, 2), np.float32), np.array([0]), weight=np.array(weights, np.float32))
    found = needs(problem, fails_with("small weights"))
    assert described(found.situation) == "with small class weights"
    variant, *_ = variants(problem, "small weights")
    np.testing.assert_array_equal(np.sign(variant.weight), np.sign(weights))


def test_labels_of_another_dtype_keep_their_strides():
    labels = np.broadcast_to(np.array(1, np.int32), (3,))
    problem = Problem(np.zeros((3, 2), np.float32), labels)
    found = needs(problem, lambda p: Shown.FAILS if 0 in p.target.strides else Shown.PASSES)
    assert "target not contiguous" in found.situation
    assert "int32 labels" not in found.situation


def test_equal_logits_hide_no_wrong_label():
    """Without a fact, the label is wrong too, and that shows where logits differ."""
    problem = Problem(np.zeros((2, 3), np.float32), np.array([-100, -100]), sentinel=-100, reduction="mean")

    def shown(variant):
        equal = np.ptp(variant.logits) == 0 and not variant.ignored().all()
        return Shown.PASSES if equal else Shown.FAILS

    assert "every row ignored" not in needs(problem, shown).situation


@pytest.mark.parametrize("classes", [1, 2])
def test_few_classes_are_not_needed_where_more_of_the_same_fail(classes):
    problem = Problem(np.full((2, classes), -100, np.float32), np.zeros(2, np.int64))

    def shown(variant):
        return Shown.FAILS if variant.logits.max() < -90 else Shown.PASSES

    assert not {"one class", "two classes"} & set(needs(problem, shown).situation)


@pytest.mark.parametrize("array", ["logits", "target", "weight"])
def test_a_fault_of_strides_needs_no_fact_whose_removal_makes_new_arrays(array):
    """Without a fact of sizes and shapes, arrays that were strided still are in one of the variants."""
    square = RICH.with_(logits=RICH.logits[:5, :, 0], target=np.tile(RICH.target[:5, :1], 2)[:, 0])
    for problem in (RICH, square, BINARY.with_(target=np.array([1, 9, 0, 9])[::2])):
        if getattr(problem, array) is None or getattr(problem, array).flags.c_contiguous:
            continue
        found = needs(problem, fails_with(f"{array} not contiguous"))
        fact = f"{array} not contiguous"
        assert set(found.situation) - implied([fact]) == {fact}


class ReadsRowsAsDense(NumpyTwin):
    """Takes the numbers of each row of classes in the order in which they lie in memory."""

    def softmax(self, logits):
        rows = np.moveaxis(logits, min(1, logits.ndim - 1), -1)
        as_dense = rows.ravel(order="K").reshape(rows.shape)
        return super().softmax(np.moveaxis(as_dense, -1, min(1, logits.ndim - 1)))


@pytest.mark.parametrize("logits", [RICH.logits, np.ones((2, 3, 4)), np.ones((3, 2)).T, np.ones((4, 6))[::2, ::2]])
def test_classes_apart_in_memory_are_a_fact_of_spatial_and_of_strided_logits(logits):
    problem = Problem(logits, np.zeros(logits.shape[:1] + logits.shape[2:], np.int64))
    variant, *_ = variants(problem, "classes apart in memory")
    np.testing.assert_array_equal(variant.logits, logits)
    assert ("logits not contiguous" in facts(variant)) == (logits.ndim > 2 or not logits.flags.c_contiguous)


def test_rows_read_as_dense_are_one_cause_whether_logits_are_spatial_or_transposed():
    values = np.array([[0, -1], [0, 1]], np.float32)
    for logits in (values.reshape(1, 2, 2), np.asfortranarray(values)):
        problem = Problem(logits, np.zeros(2, np.int64).reshape(logits.shape[:1] + logits.shape[2:]))

        def shown(variant):
            wrong, right = (twin().softmax(variant.logits) for twin in (ReadsRowsAsDense, NumpyTwin))
            return Shown.PASSES if np.allclose(wrong, right) else Shown.FAILS

        assert "classes apart in memory" in needs(problem, shown).situation


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("extremes.nan-is-not-hidden", "with logits of nan"),
        ("extremes.nan-gradient", "with logits of nan"),
        ("conventions.infinite-row", "with logits of +inf"),
        ("conventions.all-masked-row", "with a row of only -inf"),
    ],
)
def test_the_source_of_a_nan_that_a_result_hides_is_needed(requirement, said):
    """The requirement does not apply without it, so that no variant shows this."""
    judged = load()[requirement]
    subject, tally = Subject.of(NothingIsNan("nothing-is-nan", ("float32",)), "float32"), Tally()
    for trial in islice(trials(subject, judged.source, Settings()), 8):
        for derived, found in judge(judged, trial):
            tally.count(derived, found, excused=False)
    cause, *_ = causes(judged, subject, tally.failing)
    assert described(cause.needs.situation, cause.needs.undecided) == said
