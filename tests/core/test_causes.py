"""Failures of a record that are the same fault are one cause."""

import pytest

from xent_conformance.causes.variants import WITHOUT
from xent_conformance.records.causes import FAINT, FINE, IMPLIED, causes, described
from xent_conformance.records.lines import ArrayLine, ExceptionLine, Failure, ProblemLine, VerdictLine
from xent_conformance.records.status import Level, Status

SMALL = ArrayLine(dtype="float32", shape=(1, 2), values=(0.0, 1.0))
LABEL = ArrayLine(dtype="int64", shape=(1,), values=(0,))


def verdict(requirement, *failures, dtype="float32", backend="b", level=Level.MUST):
    return VerdictLine(
        backend=backend,
        requirement=requirement,
        dtype=dtype,
        device="cpu",
        status=Status.FAIL,
        level=level,
        examples=1,
        exercised=1,
        failures=failures,
    )


def failure(*situation, undecided=(), kind="wrong-value", raised=None, size=2):
    return Failure(
        kind=kind,
        quantity="loss",
        message="loss is 1, expected 2",
        exception=raised,
        situation=situation,
        undecided=undecided,
        problem=ProblemLine(
            logits=ArrayLine(dtype="float32", shape=(1, size), values=(0.0,) * size), target=LABEL, reduction="none"
        ),
    )


def raised(line, kind="ValueError"):
    return ExceptionLine(type=kind, message="no", file="library.py", line=line)


def grouped(*verdicts):
    return [set(cause.requirements) for cause in causes(verdicts)]


def test_one_situation_is_one_cause_whatever_it_breaks():
    lines = [verdict(name, failure("smoothing", "class weights"), dtype=d) for name in "abc" for d in ("x", "y")]
    (cause,) = causes(lines)
    assert (cause.requirements, cause.dtypes) == (("a", "b", "c"), ("x", "y"))
    assert cause.situation == "smoothing, class weights"


def test_two_situations_are_two_causes_also_in_one_verdict():
    both = failure("smoothing", "class weights"), failure("spatial")
    assert grouped(verdict("a", *both), verdict("b", both[1])) == [{"a", "b"}, {"a"}]


def test_numbers_that_a_witness_happens_to_have_make_no_cause():
    lines = [verdict(name, failure("smoothing", fact)) for name, fact in zip("abcd", sorted(FAINT), strict=False)]
    assert len(causes(lines)) == 1


def test_an_exception_is_known_by_its_place():
    here, there = failure("smoothing", raised=raised(7), kind="raised"), failure("spatial", raised=raised(9))
    assert grouped(verdict("a", here), verdict("b", there), verdict("c", here)) == [{"a", "c"}, {"b"}]
    other = failure("smoothing", raised=raised(7, "TypeError"), kind="raised")
    assert len(causes([verdict("a", here), verdict("b", other)])) == 2


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
    assert {"unbatched", "every row ignored"} <= set(cause.situation.split(", "))


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


@pytest.mark.parametrize("name", sorted(FAINT | FINE | set(IMPLIED)))
def test_weighed_facts_are_facts(name):
    assert name in WITHOUT


def test_a_situation_leaves_out_what_goes_without_saying():
    assert described(("no smoothing", "a reduced loss", "reduction mean", "class weights", "a negative weight")) == (
        "reduction mean, a negative weight"
    )
