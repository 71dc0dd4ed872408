"""Failures of a record that are the same fault are one cause."""

import numpy as np
from cause_lines import failure, grouped, raised, verdict

from mutants.edges import NoClassesGivesZero
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.causes import causes, counted
from xent_conformance.records.lines import LOST
from xent_conformance.records.status import Level, Status
from xent_conformance.requirements.registry import load


def test_one_situation_is_one_cause_whatever_it_breaks():
    lines = [verdict(name, failure("smoothing", "class weights"), dtype=d) for name in "abc" for d in ("x", "y")]
    (cause,) = causes(lines)
    assert (cause.requirements, cause.dtypes) == (("a", "b", "c"), ("x", "y"))
    assert cause.situation == "with label smoothing and class weights"


def test_a_number_where_there_is_no_class_is_a_missing_check():
    """It is not the same fault as other wrong numbers."""
    requirement = load()["edges.labels-without-classes"]
    trial = Trial(Subject.of(NoClassesGivesZero(), "float32"), Problem(np.zeros((1, 0), np.float32), np.array([0])))
    (found,) = findings(requirement, trial)
    assert (found.kind, found.failed) == ("accepted", True)
    assert "loss is 0.0, expected an error or nan" in found.message


def test_a_message_that_says_too_little_is_one_cause_of_invalid_arguments():
    """Labels of a floating-point dtype look like probabilities of one, which has nothing to do with it."""
    unnamed = (
        failure("targets of another dtype than the logits", kind="wrong-message"),
        failure(kind="wrong-message", undecided=("invalid arguments", "labels")),
    )
    (cause,) = causes([verdict("names-the-dtype", *unnamed)])
    assert cause.situation == "with invalid arguments"


def test_two_situations_are_two_causes_also_in_one_verdict():
    both = failure("smoothing", "class weights"), failure("spatial")
    assert grouped(verdict("a", *both), verdict("b", both[1])) == [{"a", "b"}, {"a"}]


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


def test_an_exception_in_a_narrow_situation_that_gives_wrong_numbers_too_is_the_same_fault():
    wrong = verdict("wrong", failure("reduction mean", "spatial", "several rows"))

    def fails(*situation):
        return verdict("raises", failure(*situation, raised=raised(7), kind="raised", size=1))

    (cause,) = causes([fails("reduction mean", "spatial"), wrong])
    assert cause.shown.verdict.requirement == "wrong"
    assert len(causes([fails("spatial"), wrong])) == 2
    assert len(causes([fails("smoothing", "spatial"), wrong])) == 2


def test_a_situation_counts_once_however_many_requirements_see_it():
    """Many witnesses that need one fact more than a few others are no second fault for being many."""
    more = [verdict(f"more {i}", failure("class weights", "reduction mean", "ignored rows")) for i in range(20)]
    fewer = [verdict(f"fewer {i}", failure("class weights", "reduction mean")) for i in range(3)]
    (cause,) = causes([*more, *fewer])
    assert cause.situation == "with class weights, reduction='mean' and ignored rows"


def test_every_check_that_is_missing_is_a_cause():
    accepted = failure(kind="accepted")
    assert grouped(verdict("a", accepted), verdict("a", accepted, dtype="x"), verdict("b", accepted)) == [{"a"}, {"b"}]


def test_an_accepted_call_is_one_cause_whatever_it_returns_and_reduces_to():
    """A label beyond the classes gives what lies in memory, which may be another number after other calls."""
    lines = [
        verdict("a", failure(kind="accepted", undecided=("invalid arguments", "reduction sum", "class weights"))),
        verdict("a", failure(kind="accepted", undecided=("invalid arguments", "reduction none")), dtype="float16"),
        verdict("a", failure(kind="accepted", calls_before=8), dtype="float64"),
    ]
    (cause,) = causes(lines)
    assert cause.shown.failure.calls_before == 0
    # With probability targets, which one of them needs, another check may be missing.
    needed = failure("probability targets", kind="accepted")
    assert len(causes([*lines, verdict("a", needed, dtype="bfloat16")])) == 2


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


def test_second_derivatives_that_are_wrong_with_any_input_are_one_cause():
    """A backward that is not meant to be differentiated also raises, and returns nan, for some inputs."""
    call = "cross_entropy_hvp"
    raises = verdict("raises", failure(raised=raised(7), kind="raised", call=call))
    wrong = verdict("wrong", failure(call=call), failure("reduction mean", call=call))
    (cause,) = causes([raises, wrong])
    assert cause.situation == "with any input"
    assert [i.failure.kind for i in cause.instances] == ["wrong-value", "wrong-value", "raised"]
    assert len(causes([raises, verdict("wrong", failure("smoothing", call=call))])) == 2


def test_a_weakness_does_not_explain_a_wrong_result():
    """However many requirements it breaks; but a wrong result explains others that are only less accurate."""
    weak = [verdict(name, failure(), level=Level.SHOULD) for name in "abcd"]
    wrong = verdict("wrong", failure("more than 100 classes"))
    first, second = causes([*weak, wrong])
    assert (first.requirements, second.requirements) == (("wrong",), ("a", "b", "c", "d"))
    (cause,) = causes([*weak, verdict("wrong", failure(size=9))])
    assert cause.shown.verdict.requirement == "wrong"


def test_shoulds_that_fail_no_run_are_counted_apart():
    """As in the head of a report; one that crashes fails the run as any other requirement does."""
    weak = verdict("weak", failure("smoothing"), level=Level.SHOULD, status=Status.WEAK)
    must = [verdict(name, failure("smoothing")) for name in "ab"]
    (cause,) = found = causes([*must, weak])
    assert counted(found) == "1 cause, 2 requirements and 1 SHOULD"
    assert cause.summary.endswith("(breaks a, b and the SHOULD weak)")
    assert cause.requirements == ("a", "b", "weak")
    (alone,) = found = causes([weak])
    assert counted(found) == "1 cause, 1 SHOULD"
    assert alone.summary.endswith("(breaks the SHOULD weak)")
    crashed = verdict("weak", failure("smoothing", kind=LOST), level=Level.SHOULD, status=Status.CRASH)
    assert counted(causes([crashed])) == "1 cause, 1 requirement"
