"""Failures of a record that are the same fault are one cause."""

import msgspec
import numpy as np
import pytest

from mutants.edges import NoClassesGivesZero
from xent_conformance.causes.variants import WITHOUT
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.causes import causes
from xent_conformance.records.lines import ArrayLine, ExceptionLine, Failure, ProblemLine, VerdictLine
from xent_conformance.records.situations import ALWAYS, FACTS, FAINT, UNKNOWN, described, fact
from xent_conformance.records.status import Level, Status
from xent_conformance.requirements.registry import load

SMALL = ArrayLine(dtype="float32", shape=(1, 2), values=(0.0, 1.0))
LABEL = ArrayLine(dtype="int64", shape=(1,), values=(0,))
#: What two requirements that are about an option cannot decide.
UNKNOWNS = ("smoothing",), ("probability targets", "targets that do not sum to 1")


def verdict(requirement, *failures, dtype="float32", backend="b", level=Level.MUST, status=Status.FAIL):
    return VerdictLine(
        backend=backend,
        requirement=requirement,
        dtype=dtype,
        device="cpu",
        status=status,
        level=level,
        examples=1,
        exercised=1,
        failures=failures,
    )


def failure(*situation, undecided=(), kind="wrong-value", raised=None, size=2, quantity="loss", **more):
    return Failure(
        **more,
        kind=kind,
        quantity=quantity,
        message="loss is 1, expected 2",
        exception=raised,
        situation=situation,
        undecided=undecided,
        problem=ProblemLine(
            logits=ArrayLine(dtype="float32", shape=(1, size), values=(0.0,) * size), target=LABEL, reduction="none"
        ),
    )


def raised(line, kind="ValueError", message="no"):
    return ExceptionLine(type=kind, message=message, file="library.py", line=line)


def grouped(*verdicts):
    return [set(cause.requirements) for cause in causes(verdicts)]


def test_one_situation_is_one_cause_whatever_it_breaks():
    lines = [verdict(name, failure("smoothing", "class weights"), dtype=d) for name in "abc" for d in ("x", "y")]
    (cause,) = causes(lines)
    assert (cause.requirements, cause.dtypes) == (("a", "b", "c"), ("x", "y"))
    assert cause.situation == "with label smoothing and class weights"


def test_a_cause_is_said_by_a_failure_whose_numbers_are_known_to_matter():
    """A requirement about equal logits cannot say whether other ones would do."""
    unknown = verdict("a", failure(undecided=("no smoothing", "tied largest logits")))
    (cause,) = causes([unknown, verdict("b", failure("particular logits", "tied largest logits"))])
    assert (cause.requirements, cause.situation) == (("a", "b"), "with tied largest logits")
    (alone,) = causes([unknown])
    assert alone.situation == "perhaps only with tied largest logits"


def test_a_number_where_there_is_no_class_is_a_missing_check():
    """It is not the same fault as other wrong numbers."""
    requirement = load()["edges.labels-without-classes"]
    trial = Trial(Subject.of(NoClassesGivesZero(), "float32"), Problem(np.zeros((1, 0), np.float32), np.array([0])))
    (found,) = findings(requirement, trial)
    assert (found.kind, found.failed) == ("accepted", True)
    assert "loss is 0.0, expected an error or nan" in found.message


def test_two_situations_are_two_causes_also_in_one_verdict():
    both = failure("smoothing", "class weights"), failure("spatial")
    assert grouped(verdict("a", *both), verdict("b", both[1])) == [{"a", "b"}, {"a"}]


def test_numbers_that_a_witness_happens_to_have_make_no_cause():
    faint = sorted(name for name in FACTS if fact(name).weight is FAINT)
    lines = [verdict(name, failure("smoothing", other)) for name, other in zip("abcd", faint, strict=False)]
    assert len(causes(lines)) == 1


def test_an_exception_is_known_by_its_place():
    here, there = failure("smoothing", raised=raised(7), kind="raised"), failure("spatial", raised=raised(9))
    assert grouped(verdict("a", here), verdict("b", there), verdict("c", here)) == [{"a", "c"}, {"b"}]
    other = failure("smoothing", raised=raised(7, "TypeError"), kind="raised")
    assert len(causes([verdict("a", here), verdict("b", other)])) == 2


def test_a_message_is_the_same_whatever_its_numbers():
    """What one ``raise`` says about a label, a share or a shape; another sentence is another fault."""
    said = ("label -7 of (2, 3)", "label 12 of (5,)", "label -1e-05 of (1, 2, 3)", "label nan of ()")
    lines = [
        verdict(name, failure(raised=raised(7, message=m), kind="raised")) for name, m in zip("abcd", said, strict=True)
    ]
    assert len(causes(lines)) == 1
    other = verdict("e", failure(raised=raised(7, message="target 3 of (2, 3)"), kind="raised"))
    assert len(causes([*lines, other])) == 2


def test_a_message_is_the_same_whatever_made_the_tensor():
    """torch names the operation that has made a tensor which was changed in place, if it has recorded one."""
    changed = "modified by an inplace operation: [torch.FloatTensor [1]]{} is at version 5; expected version 3"
    lines = [
        verdict(name, failure(raised=raised(7, message=changed.format(by)), kind="raised"))
        for name, by in (
            ("a", ""),
            ("b", ", which is output 0 of Clone,"),
            ("c", ", which is output 1 of UnbindBackward0,"),
        )
    ]
    assert len(causes(lines)) == 1


def test_a_message_is_the_same_whatever_its_dtypes():
    """What one ``raise`` says about the dtypes that it was given, as NumPy, PyTorch and JAX name them."""
    for said in (
        ("expected scalar type Float but found Half", "expected scalar type Float but found BFloat16"),
        ("not implemented for torch.HalfTensor", "not implemented for torch.DoubleTensor"),
        ("dot got float8_e4m3fn[2,3]", "dot got f32[4]", "dot got u8[]"),
        ("dtype('float16') and dtype('int64')", "dtype('bfloat16') and dtype('uint8')"),
    ):
        lines = [
            verdict(m, failure(raised=raised(7, message=m), kind="raised"), dtype=str(i)) for i, m in enumerate(said)
        ]
        assert len(causes(lines)) == 1, said
        other = verdict("e", failure(raised=raised(7, message=f"{said[0]} twice"), kind="raised"))
        assert len(causes([*lines, other])) == 2


def test_what_an_accepted_call_should_have_been_rejected_for_is_not_its_situation():
    """Without it the call is valid, and so no variant says whether it matters."""
    (cause,) = causes([verdict("a", failure(kind="accepted", undecided=("smoothing", "labels")))])
    assert cause.situation == "with any input"


def test_what_comes_and_goes_is_one_cause():
    """Whether a call is compared with itself or with the exact answer, and whatever the witnesses look like."""
    lines = [
        verdict("again", failure("spatial", kind="not-repeatable")),
        verdict("sometimes", failure("class weights", intermittent=True)),
        verdict("after", failure("smoothing", calls_before=2)),
    ]
    assert grouped(*lines, verdict("always", failure("smoothing"))) == [{"after", "again", "sometimes"}, {"always"}]


def test_a_stray_read_that_comes_and_goes_is_that_stray_read_and_the_steady_one_is_shown():
    """What lies beside the inputs may be the same with and without them moved."""

    def read(**more):
        return failure(kind="stray-read", got="logits", **more)

    sometimes = [verdict(name, read(intermittent=True)) for name in "abc"]
    always = verdict("always", read(size=9))
    other = verdict("other", failure("smoothing", intermittent=True))
    first, second = causes([*sometimes, always, other])
    assert set(first.requirements) == {"a", "b", "c", "always"}
    assert first.shown.verdict is always
    assert second.requirements == ("other",)


def test_reading_an_array_as_if_it_were_contiguous_is_one_cause():
    """The wrong number is said, where that array is strided in every read; otherwise the read is the cause of it."""
    wrong = verdict("wrong", failure("target not contiguous"))

    def read(*undecided):
        return verdict("read", failure(kind="stray-read", got="read outside: target", undecided=undecided))

    for undecided, shown in ((("labels", "target not contiguous"), "wrong"), (("labels",), "read")):
        (cause,) = causes([read(*undecided), wrong])
        assert (cause.requirements, cause.shown.verdict.requirement) == (("read", "wrong"), shown)
    assert len(causes([read("target not contiguous"), verdict("other", failure("logits not contiguous"))])) == 2


def test_a_read_beside_strided_probabilities_is_one_beside_strided_logits():
    def read(array, *undecided):
        return verdict(f"read {array}", failure(kind="stray-read", got=f"read outside: {array}", undecided=undecided))

    wrong = verdict("wrong", failure("logits not contiguous"))
    logits = read("logits", "labels", "logits not contiguous")
    shares = read("target", "probability targets", "target not contiguous")
    assert grouped(wrong, shares, logits) == [{"wrong", "read target", "read logits"}]
    assert len(causes([wrong, read("target", "labels", "target not contiguous"), logits])) == 2


def test_a_strided_array_misread_in_a_narrower_situation_is_the_read_beside_it():
    """What the array needs in order to matter, such as a reduction for a cotangent, is no fault of its own."""
    read = failure(kind="stray-read", got="read outside: cotangent", undecided=("reduction none",))
    wrong = failure("reduction none", "a cotangent other than ones", "several rows", "cotangent not contiguous")
    assert grouped(verdict("read", read), verdict("wrong", wrong)) == [{"read", "wrong"}]


def test_an_input_is_overwritten_where_memory_beside_it_is():
    beside = failure("logits not contiguous", kind="stray-write")
    over = failure("logits not contiguous", "as many rows as classes", kind="input-changed", size=1)
    (cause,) = causes([verdict("over", over), verdict("beside", beside)])
    assert cause.shown.verdict.requirement == "beside"
    assert len(causes([verdict("over", failure("smoothing", kind="input-changed")), verdict("beside", beside)])) == 2


def test_a_requirement_that_makes_the_calls_itself_sees_what_depends_on_earlier_ones():
    """All results that depend on earlier calls may need class weights, and the wrong numbers do need them."""
    after = [
        verdict(name, failure(calls_before=1, undecided=("class weights", other)))
        for name, other in zip("abcde", ("spatial", "smoothing", "unbatched", "labels", "divisor"), strict=True)
    ]
    itself, other = verdict("itself", failure("class weights")), verdict("other", failure("spatial"))
    assert grouped(*after, itself, other) == [{*"abcde", "itself"}, {"other"}]
    assert len(causes([*after[:1], itself])) == 2


def test_what_differs_in_threads_is_the_result_that_a_later_call_overwrites():
    changed = verdict("changed", failure(kind="result-changed"))
    one, other = (failure(kind="not-repeatable", size=1) for _ in range(2))
    threads = msgspec.structs.replace(one, message="loss is 1 while 3 others run in other threads, 2 alone")
    (cause,) = causes([verdict("threads", threads), changed])
    assert cause.shown.verdict.requirement == "changed"
    assert len(causes([verdict("state", other), changed])) == 2


def test_of_two_gradients_one_overwrites_the_other_where_results_share_memory():
    changed = verdict("changed", failure(kind="result-changed", quantity="grad_logits"))
    wrong = verdict("wrong", failure("probability targets", quantity="grad_logits"))
    (cause,) = causes([wrong, changed])
    assert cause.shown.verdict.requirement == "changed"
    for other in (failure("probability targets"), failure("spatial", quantity="grad_logits")):
        assert len(causes([verdict("other", other), changed])) == 2


def test_special_numbers_that_two_failures_need_are_one_fault():
    """A requirement about smoothing, say, adds smoothing to them."""
    far = ("particular logits", "large logits", "a row far from zero")
    assert len(causes([verdict("a", failure(*far)), verdict("b", failure("smoothing", *far))])) == 1
    assert len(causes([verdict("a", failure("particular logits")), verdict("b", failure("smoothing"))])) == 2


def test_the_few_facts_that_may_matter_are_said():
    """A requirement about empty batches cannot say whether it takes one."""
    assert described([], ["no rows", "no smoothing"]) == "perhaps only with a batch without rows"
    assert described([], ["no smoothing"]) == ALWAYS
    assert described([], ["no rows", "spatial", "smoothing"]) == UNKNOWN


def test_an_exception_in_a_narrow_situation_that_gives_wrong_numbers_too_is_the_same_fault():
    wrong = verdict("wrong", failure("reduction mean", "spatial", "several rows"))

    def fails(*situation):
        return verdict("raises", failure(*situation, raised=raised(7), kind="raised", size=1))

    (cause,) = causes([fails("reduction mean", "spatial"), wrong])
    assert cause.shown.verdict.requirement == "wrong"
    assert len(causes([fails("spatial"), wrong])) == 2
    assert len(causes([fails("smoothing", "spatial"), wrong])) == 2


def test_a_wrong_loss_is_no_consequence_of_a_wrong_second_derivative():
    second = verdict("second", failure(quantity="product"))
    loss = failure(undecided=("probability targets", "large logits", "particular logits"))
    assert grouped(second, verdict("loss", loss)) == [{"loss"}, {"second"}]
    also = failure(undecided=("probability targets", "large logits", "particular logits"), quantity="product")
    assert grouped(second, verdict("also", also)) == [{"also", "second"}]


def test_a_negative_weight_makes_rows_count_differently():
    """Of a mean with smoothing, class weights need be no fact beside a narrower one about them."""
    plain = verdict("plain", failure("smoothing", "class weights", "reduction mean"))
    narrow = verdict("narrow", failure("smoothing", "class weights", "a negative weight", "reduction mean"))
    assert grouped(plain, narrow) == [{"plain", "narrow"}]


def test_nan_in_ignored_rows_is_no_chance():
    tail = [verdict(name, failure("class weights", "more than 100 classes"), dtype=name) for name in "ab"]
    ignored = failure("ignored rows", "ignored rows that are not finite", "masked logits", "more than 100 classes")
    assert len(causes([*tail, verdict("c", ignored)])) == 2


def test_an_exception_after_other_calls_is_part_of_what_depends_on_them():
    lines = [
        verdict("state", failure(kind="not-repeatable")),
        verdict("sometimes", failure(kind="raised", raised=raised(7), intermittent=True)),
        verdict("always", failure(kind="raised", raised=raised(8))),
    ]
    assert grouped(*lines) == [{"state", "sometimes"}, {"always"}]
    assert len(grouped(*lines[1:])) == 2


def test_rows_that_count_differently_are_the_same_fact_where_another_one_is_undecided():
    """A comparison of an unbatched row with a batch of one cannot say whether it needs the unbatched row."""
    whole = failure("class weights", "reduction mean", "unbatched")
    part = failure("class weights", "reduction mean", undecided=("unbatched",))
    other = failure("reduction mean", "every row ignored", "ignored rows")
    lines = [*(verdict(name, whole) for name in "ab"), verdict("part", part), *(verdict(n, other) for n in "xyz")]
    assert sorted(grouped(*lines), key=len) == [{"a", "b", "part"}, {"x", "y", "z"}]


def test_a_cache_by_address_is_no_stray_read_and_is_said_by_calls_one_after_the_other():
    """A result that once changed with the memory around the inputs, of a backend that remembers earlier calls."""
    once = verdict("once", failure(kind="stray-read", got="target", intermittent=True))
    threads = verdict("threads", failure(kind="not-repeatable", size=1))
    threads = msgspec.structs.replace(
        threads,
        failures=(
            msgspec.structs.replace(threads.failures[0], message="loss is 1 while 3 others run in other threads"),
        ),
    )
    after = verdict("after", failure(calls_before=5, size=9))
    (cause,) = causes([once, threads, after])
    assert cause.shown.verdict is after
    assert len(causes([once])) == 1


def problem_of_float64(logits, cotangent=(1.0,)):
    return ProblemLine(
        logits=ArrayLine(dtype="float64", shape=(1, 2), values=logits),
        target=LABEL,
        cotangent=ArrayLine(dtype="float64", shape=(1,), values=cotangent),
        reduction="none",
    )


def test_what_is_computed_in_float32_is_one_cause_of_float64():
    """Whatever the witnesses need: their numbers are those of float32, near the exact ones."""

    def wrong(*situation, got, expected, size=2):
        return failure(*situation, got=got, expected=expected, size=size)

    near = wrong("class weights", got=0.6931471824645996, expected=0.6931471805599453)
    spatial = wrong("spatial", got=0.3333333134651184, expected=1 / 3)
    zero = wrong("a cotangent other than ones", got=2.0**-24, expected=0.0)
    far = wrong("smoothing", got=0.5, expected=0.25)
    finer = wrong("smoothing", got=1 / 3 + 1e-9, expected=1 / 3)
    lines = [
        verdict(name, f, dtype="float64") for name, f in zip("abcde", (near, spatial, zero, far, finer), strict=True)
    ]
    first, second = causes(lines)
    assert (first.requirements, first.situation) == (("a", "b", "c"), "in float64, as accurate as float32")
    assert second.requirements == ("d", "e")
    assert len(causes([verdict("a", near), verdict("b", spatial)])) == 2
    # Neither a frequent situation nor a measured size makes a witness clearer than a small problem does.
    sized = wrong("several rows", "more than 1 rows", got=0.3333333134651184, expected=1 / 3, size=9)
    (cause,) = causes([verdict(name, f, dtype="float64") for name, f in (("s", sized), ("t", sized), ("a", near))])
    assert cause.shown.failure is near
    # What float32 cannot represent gives any number. By itself that says nothing.
    huge = msgspec.structs.replace(far, problem=problem_of_float64(logits=(1e300, 0.0)))
    close = msgspec.structs.replace(far, problem=problem_of_float64(logits=(1e9 + 1, 1e9)))
    tiny = msgspec.structs.replace(far, problem=problem_of_float64(logits=(1.0, 0.0), cotangent=(1e-200,)))
    plain = msgspec.structs.replace(far, problem=problem_of_float64(logits=(1e5, 1 / 3), cotangent=(0.0,)))
    beyond = [verdict(name, f, dtype="float64") for name, f in zip("xyzp", (huge, close, tiny, plain), strict=True)]
    first, second = causes([*lines, *beyond])
    assert (first.requirements, second.requirements) == (("a", "b", "c", "x", "y", "z"), ("d", "e", "p"))
    assert causes(beyond)[0].situation == "with label smoothing"
    # Few bits say nothing by themselves, and a sum in float64 whose terms cancel leaves an error as small as this one.
    residue = wrong("many rows", got=-1_234_567 * 2.0**-70, expected=0.0)
    for alone in (zero, residue):
        assert causes([verdict("c", alone, dtype="float64")])[0].situation != first.situation


def test_a_situation_counts_once_however_many_requirements_see_it():
    """Many witnesses that need one fact more than a few others are no second fault for being many."""
    more = [verdict(f"more {i}", failure("class weights", "reduction mean", "ignored rows")) for i in range(20)]
    fewer = [verdict(f"fewer {i}", failure("class weights", "reduction mean")) for i in range(3)]
    (cause,) = causes([*more, *fewer])
    assert cause.situation == "with class weights, reduction='mean' and ignored rows"


def test_in_a_mean_of_something_special_ignored_rows_stand_for_class_weights():
    """Both make rows count differently; where nothing else is needed they are the paths of two faults."""
    weighted, ignored = ("class weights", "reduction mean"), ("ignored rows", "reduction mean")
    assert len(causes([verdict("a", failure(*weighted, "spatial")), verdict("b", failure(*ignored, "spatial"))])) == 1
    assert len(causes([verdict("a", failure(*weighted)), verdict("b", failure(*ignored))])) == 2


def test_wrong_numbers_where_inputs_are_overwritten_are_the_same_fault():
    overwritten = failure("reduction none", kind="input-changed", size=9)
    wrong = [verdict("a", failure("reduction none", "no smoothing")), verdict("b", failure("reduction none"))]
    (cause,) = causes([*wrong, verdict("c", overwritten)])
    assert (cause.shown.verdict.requirement, cause.requirements) == ("c", ("a", "b", "c"))
    assert len(causes([verdict("a", failure("smoothing")), verdict("c", overwritten)])) == 2
    assert len(causes([verdict("a", failure()), verdict("c", failure(kind="input-changed"))])) == 2


def test_a_witness_whose_situation_is_known_is_shown():
    vague = failure(undecided=("masked logits", "labels"), size=1)
    special = failure("masked logits", size=1)
    (cause,) = causes([verdict("a", vague), verdict("b", special), verdict("c", failure(size=2))])
    assert cause.shown.verdict.requirement == "c"


def test_many_logits_are_many_rows_or_many_classes():
    several = ("several rows", "more than 100 classes", "more than 10000 logits")
    assert len(causes([verdict("a", failure(*several)), verdict("b", failure("more than 100 classes"))])) == 1


def test_rows_read_as_dense_are_one_fault_of_spatial_and_of_strided_logits():
    spatial = failure("spatial", "several rows", "classes apart in memory")
    strided = failure("as many rows as classes", "logits not contiguous", "classes apart in memory", size=1)
    (cause,) = causes([verdict("a", spatial), verdict("b", strided)])
    assert cause.situation == "with classes that are not adjacent in memory"


def test_strides_of_logits_and_of_targets_like_them_are_one_fault_and_those_of_labels_another():
    logits = verdict("logits", failure("logits not contiguous"))
    shares = verdict("shares", failure("probability targets", "target not contiguous"))
    labels = verdict("labels", failure("target not contiguous", "several rows"))
    assert grouped(logits, shares, labels) == [{"logits", "shares"}, {"labels"}]


def test_many_accidents_of_witnesses_are_no_fault_of_their_own():
    others = ("spatial", "smoothing", "unbatched", "divisor", "softcap", "logit_scale", "class weights", "ignored rows")
    lines = [
        verdict(f"{fact} {other}", failure("several rows", *fact, undecided=other))
        for other in ((), *((name,) for name in others))
        for fact in ((), ("large logits",))
    ]
    assert len(causes(lines)) == 1


def test_a_gradient_that_is_as_near_to_a_wrong_loss_as_to_a_wrong_gradient_is_of_the_gradient():
    loss = verdict("loss", failure("spatial"))
    gradient = verdict("gradient", failure("smoothing", quantity="grad_logits"))
    both = verdict("both", failure("smoothing", "spatial", quantity="grad_logits"))
    for lines in ((loss, gradient, both), (both, gradient, loss)):
        assert sorted(map(sorted, grouped(*lines))) == [["both", "gradient"], ["loss"]]


def test_a_gradient_that_is_right_where_the_other_one_is_wrong_has_another_fault():
    """With one fault of both gradients both are wrong. Of failures in one situation, one that says so is enough."""
    unknown = ("probability targets",)
    logits = verdict("logits", failure("targets that do not sum to 1", undecided=unknown, quantity="grad_logits"))
    of_both = verdict("target", failure(undecided=unknown, quantity="grad_target"))
    of_one = verdict("one", failure(undecided=unknown, quantity="grad_target", right=("grad_logits",)))
    assert grouped(logits, of_both) == [{"logits", "target"}]
    assert sorted(map(sorted, grouped(logits, of_both, of_one))) == [["logits"], ["one", "target"]]


def test_a_size_that_several_failures_have_is_a_fault_beside_one_of_any_size():
    """One such failure alone may have its size by accident, and one whose size was not measured may have it too."""
    beyond = [verdict(name, failure("more than 4 classes", "more than 64 classes", size=65)) for name in "abc"]
    unmeasured = verdict("d", failure("more than 4 classes", size=80))
    small = [verdict("e", failure()), verdict("f", failure("labels", undecided=("smoothing",)))]
    assert sorted(map(sorted, grouped(*beyond, unmeasured, *small))) == [["a", "b", "c", "d"], ["e", "f"]]
    assert len(causes([beyond[0], *small])) == 1


def test_a_size_with_every_row_twice_is_one_that_several_failures_have():
    """A fault of more than 16 rows shows in 9 rows where they are repeated, and not in a single row."""
    mean = "several rows", "reduction mean"
    chunks = [
        verdict(name, failure(*mean, "more than 16 rows", undecided=u))
        for name, u in zip("abc", ((), *UNKNOWNS), strict=True)
    ]
    twice = verdict("d", failure(*mean, "more than 8 rows"))
    weights = [
        verdict(name, failure("class weights", "reduction mean", undecided=u))
        for name, u in zip("ef", UNKNOWNS, strict=True)
    ]
    assert sorted(map(sorted, grouped(*chunks, twice, *weights))) == [["a", "b", "c", "d"], ["e", "f"]]


def test_a_size_beside_numbers_that_are_not_needed_is_a_fault_of_its_own():
    """Also one that a single requirement sees, if the size was measured."""
    masked = verdict("masked", failure("particular logits", "masked logits"))
    long = "more than 4 classes", "more than 100 classes", "particular logits", "ignored rows that are not finite"
    for measured, count in (((), 1), (("more than 1025 classes",), 2)):
        assert len(causes([masked, verdict("long", failure(*long, *measured, undecided=("ignored rows",)))])) == count
    both = failure(*long, "masked logits", "more than 1025 classes", undecided=("ignored rows",))
    assert len(causes([masked, verdict("both", both)])) == 1


def test_exact_numbers_of_rows_are_one_fault_and_of_rows_and_classes_two():
    few, many = failure("several rows", "just 6 rows"), ("several rows", "more than 100 rows", "more than 10000 rows")
    assert len(causes([verdict("few", few), verdict("many", failure(*many, "just 13774 rows"))])) == 1
    classes = failure("more than 4 classes", "more than 100 classes", "more than 10000 classes", "just 13774 classes")
    for other in (failure(*many, "more than 13773 rows"), classes):
        assert len(causes([verdict("few", few), verdict("other", other)])) == 2


def test_a_size_that_was_measured_twice_is_one_fault():
    """Whatever else the second witness needs: a block without a counted row has no mean."""
    block = verdict("a", failure("several rows", "more than 16 rows"))
    nothing = failure("several rows", "ignored rows", "more than 16 rows")
    assert len(causes([block, verdict("b", nothing)])) == 1
    other = failure("several rows", "ignored rows", "more than 64 rows")
    assert len(causes([block, verdict("b", other)])) == 2


def test_every_check_that_is_missing_is_a_cause():
    accepted = failure(kind="accepted")
    assert grouped(verdict("a", accepted), verdict("a", accepted, dtype="x"), verdict("b", accepted)) == [{"a"}, {"b"}]


def test_failures_of_a_record_of_version_1_are_told_apart_by_requirement():
    old = failure(kind="unknown")
    assert grouped(verdict("a", old), verdict("a", old, dtype="x"), verdict("b", old)) == [{"a"}, {"b"}]


def test_backends_share_no_cause():
    assert len(causes([verdict("a", failure(), backend="p"), verdict("a", failure(), backend="q")])) == 2


def test_what_is_not_known_joins_the_cause_that_it_may_belong_to():
    lines = [verdict(name, failure("smoothing")) for name in "abc"] + [verdict(n, failure("spatial")) for n in "de"]
    vague = verdict("f", failure(undecided=("spatial", "class weights")))
    assert grouped(*lines, vague) == [{"a", "b", "c"}, {"d", "e", "f"}]


def test_unbatched_and_every_row_ignored_is_one_cause_of_sixteen_failures():
    """As a library on one device returns 0 for the mean of nothing."""
    plain = failure("unbatched", "reduction mean", "a reduced loss", "every row ignored", "ignored rows")
    about = failure("unbatched", "reduction mean", "a reduced loss", undecided=("every row ignored", "ignored rows"))
    which = {"accuracy.loss": plain, "extremes.loss": plain, "conventions.all-ignored-loss": about, "identity": plain}
    lines = [verdict(name, f, dtype=d) for name, f in which.items() for d in ("a", "b", "c", "d")]
    (cause,) = causes(lines)
    assert len(cause.instances) == 16
    assert cause.situation == "with one row (unbatched), reduction='mean' and every row ignored"


def test_the_worst_comes_first():
    lines = [
        verdict("slow", failure("spatial"), level=Level.SHOULD),
        verdict("wrong", failure("smoothing")),
        verdict("crashed", failure("class weights", kind="lost")),
    ]
    assert grouped(*lines) == [{"crashed"}, {"wrong"}, {"slow"}]


def test_a_small_witness_in_the_situation_itself_is_shown():
    large, small = failure("smoothing", size=9), failure("smoothing", size=2)
    further = failure("smoothing", "reduction mean", size=1)
    (cause,) = causes([verdict("a", large), verdict("b", further), verdict("c", small)])
    assert cause.shown.verdict.requirement == "c"


def test_a_witness_that_has_rows_and_says_at_which_size_the_failure_begins_is_shown():
    empty, plain = failure("smoothing", size=0), failure("smoothing", size=2)
    edge = failure("smoothing", "more than 64 classes", undecided=("labels",), size=65)
    (cause,) = causes([verdict("a", empty), verdict("b", plain)])
    assert cause.shown.verdict.requirement == "b"
    (cause,) = causes([verdict("a", empty), verdict("b", plain), verdict("c", edge)])
    assert cause.situation == "with label smoothing and more than 64 classes"


def test_of_witnesses_of_one_size_one_of_the_call_itself_is_shown():
    about_another = msgspec.structs.replace(failure("smoothing"), message="loss is 1, expected 2 (in the other call)")
    (cause,) = causes([verdict("a", about_another), verdict("b", failure("smoothing", "no class weights"))])
    assert cause.shown.verdict.requirement == "b"


@pytest.mark.parametrize("name", sorted(FACTS))
def test_what_is_said_of_facts_is_about_facts(name):
    assert name in WITHOUT
    assert all(other in WITHOUT for other in fact(name).implies)


def test_every_fact_that_can_be_taken_away_has_a_phrase():
    assert set(FACTS) == set(WITHOUT)


def test_a_situation_leaves_out_what_goes_without_saying():
    assert described(("no smoothing", "class weights", "reduction mean", "a reduced loss", "a negative weight")) == (
        "with reduction='mean' and a negative class weight"
    )
    assert described(("no smoothing",)) == described(()) == ALWAYS


def test_layouts_and_dtypes_have_phrases_of_their_own():
    assert described(("target not contiguous", "int32 labels", "more than 10000 classes")) == (
        "with non-contiguous target, int32 labels and more than 10,000 classes"
    )


def test_dtypes_are_said_where_the_cause_is_not_seen_in_all():
    smoothing = failure("smoothing")
    bad = [verdict("a", smoothing, dtype=d) for d in ("float16", "bfloat16")]
    good = verdict("a", dtype="float32", status=Status.PASS)
    (cause,) = causes([*bad, good])
    assert cause.situation == "with label smoothing in float16 and bfloat16"
    assert causes([*bad, verdict("a", dtype="float32", status=Status.NOT_APPLICABLE)])[0].situation == (
        "with label smoothing"
    )
    assert causes([*bad, verdict("b", dtype="float32", status=Status.PASS)])[0].situation == "with label smoothing"


def test_a_result_of_a_wrong_shape_takes_no_cotangent_of_the_right_one():
    """The exception of its gradient in that situation is a consequence; one elsewhere, or of another call, is not."""
    form = verdict("form", failure("reduction none", kind="wrong-form", call="cross_entropy"))

    def raises(*situation, call="cross_entropy_vjp"):
        return verdict("raises", failure(*situation, raised=raised(7), kind="raised", call=call))

    (cause,) = causes([raises("reduction none"), form])
    assert cause.shown.verdict is form
    assert causes([raises("reduction none", "spatial"), form])[0].requirements == ("form", "raises")
    for other in (raises("smoothing"), raises("reduction none", call="cross_entropy_layer")):
        assert len(causes([other, form])) == 2


def test_a_weakness_does_not_explain_a_wrong_result():
    """However many requirements it breaks; but a wrong result explains others that are only less accurate."""
    weak = [verdict(name, failure(), level=Level.SHOULD) for name in "abcd"]
    wrong = verdict("wrong", failure("more than 100 classes"))
    first, second = causes([*weak, wrong])
    assert (first.requirements, second.requirements) == (("wrong",), ("a", "b", "c", "d"))
    (cause,) = causes([*weak, verdict("wrong", failure(size=9))])
    assert cause.shown.verdict.requirement == "wrong"
