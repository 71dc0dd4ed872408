"""How a cause is said: its situation in words, and the failure by which it is shown."""

import msgspec
import pytest
from cause_lines import failure, grouped, verdict

from xent_conformance.causes.variants import WITHOUT
from xent_conformance.records.causes import causes
from xent_conformance.records.situations import ALWAYS, FACTS, UNKNOWN, described, fact
from xent_conformance.records.status import Level, Status


def test_a_cause_is_said_by_a_failure_whose_numbers_are_known_to_matter():
    """A requirement about equal logits cannot say whether other ones would do."""
    unknown = verdict("a", failure(undecided=("no smoothing", "tied largest logits")))
    (cause,) = causes([unknown, verdict("b", failure("particular logits", "tied largest logits"))])
    assert (cause.requirements, cause.situation) == (("a", "b"), "with tied largest logits")
    (alone,) = causes([unknown])
    assert alone.situation == "perhaps only with tied largest logits"


def test_the_few_facts_that_may_matter_are_said():
    """A requirement about empty batches cannot say whether it takes one."""
    assert described([], ["no rows", "no smoothing"]) == "perhaps only with a batch without rows"
    assert described([], ["no smoothing"]) == ALWAYS
    assert described([], ["no rows", "spatial", "smoothing"]) == UNKNOWN


def test_a_witness_whose_situation_is_known_is_shown():
    vague = failure(undecided=("masked logits", "labels"), size=1)
    special = failure("masked logits", size=1)
    (cause,) = causes([verdict("a", vague), verdict("b", special), verdict("c", failure(size=2))])
    assert cause.shown.verdict.requirement == "c"


def test_a_size_that_a_smaller_failure_refutes_is_not_said():
    """Where labels wrap around, 257 classes may fail and 256 pass although 129 fail too."""
    beyond = "more than 4 classes", "more than 100 classes"
    small = failure(*beyond, "more than 128 classes", size=129)
    large = failure(*beyond, "more than 256 classes", size=257)
    (cause,) = causes([verdict("a", large), verdict("b", large), verdict("c", small)])
    assert (cause.shown.verdict.requirement, cause.situation) == ("c", "with more than 128 classes")
    # A note in brackets: the call that fails is another one, such as that of every row twice.
    other = msgspec.structs.replace(small, message="loss is 1, expected 2 (in the other call: from every row twice)")
    (cause,) = causes([verdict("a", large), verdict("b", large), verdict("c", other)])
    assert cause.situation == "with more than 256 classes"


def test_an_exact_size_that_a_smaller_failure_refutes_is_not_said():
    exact = failure("class weights", "more than 100 classes", "just 131 classes", size=131)
    (cause,) = causes([verdict("a", exact), verdict("b", failure("class weights", "more than 100 classes", size=110))])
    assert cause.shown.verdict.requirement == "b"
    (cause,) = causes([verdict("a", exact), verdict("b", failure("class weights", "more than 100 classes", size=200))])
    assert cause.situation == "with class weights and 131 classes (130 and 132 pass)"


def test_an_option_that_every_problem_of_a_requirement_has_is_decided_by_the_others():
    about_weights = failure("reduction mean", undecided=("class weights",))
    alone = causes([verdict("weights", about_weights)])
    assert [cause.situation for cause in alone] == ["with reduction='mean'"]
    needs_them = failure("reduction mean", "class weights", size=4)
    (cause,) = causes([verdict("a", about_weights), verdict("b", about_weights), verdict("c", needs_them)])
    assert cause.situation == "with reduction='mean' and class weights"


def test_a_fact_that_other_failures_do_not_have_is_not_said_to_be_possible():
    threads = [
        failure(undecided=facts, kind="result-changed") for facts in (("reduction mean", "spatial"), ("spatial",))
    ]
    (cause,) = causes([verdict("a", threads[0]), verdict("b", threads[1])])
    assert cause.situation == "perhaps only with spatial logits (N, C, d...)"


def test_the_reduction_of_a_call_that_runs_in_another_thread_is_not_said_beside_the_shown_call():
    threads = failure(undecided=("reduction none", "reduction mean", "spatial"), kind="not-repeatable")
    assert threads.problem.reduction == "none"
    (cause,) = causes([verdict("a", threads)])
    assert cause.situation == "perhaps only with spatial logits (N, C, d...)"


def test_what_most_failures_do_not_need_is_an_accident_of_the_one_that_is_shown():
    special = failure("class weights", "one row", size=1)
    assert causes([verdict("a", special)])[0].situation == "with class weights and a batch of one row"
    plain = [verdict(name, failure("class weights", undecided=("masked logits",), size=99)) for name in "bc"]
    (cause,) = causes([verdict("a", special), *plain])
    assert (cause.shown.verdict.requirement, cause.situation) == ("a", "with class weights")


def test_a_missing_check_is_said_without_dtypes():
    """The message says what was accepted, and each dtype may have been given other invalid calls."""
    accepted = failure(kind="accepted", undecided=("invalid arguments", "class weights"))
    (cause,) = causes([verdict("a", accepted), verdict("a", dtype="float64", status=Status.PASS)])
    assert cause.situation == "with invalid arguments"


def test_a_witness_without_infinity_is_shown():
    infinite = failure("two classes", undecided=("particular logits", "logits of infinity"))
    finite = failure("particular logits", "large logits", undecided=("two classes",))
    (cause,) = causes([verdict("a", infinite), verdict("b", infinite), verdict("c", finite)])
    assert cause.shown.verdict.requirement == "c"


def test_threads_are_not_blamed_for_what_also_happens_without_them():
    """Not even if it happens every time in threads, and now and then in one call after the other."""
    threads, again = failure(kind="not-repeatable"), failure(kind="not-repeatable", intermittent=True)
    threads = msgspec.structs.replace(threads, message="loss is 1 while 3 others run in other threads, 2 alone")
    (cause, *_) = causes([verdict("purity.threads", threads), verdict("purity.repeatable", again)])
    assert cause.shown.verdict.requirement == "purity.repeatable"


def test_what_a_passing_call_has_too_is_no_condition_of_a_failure_that_does_not_show_every_time():
    undecided = ("reduction sum", "more than 10000 logits", "just 70 classes")
    (cause,) = causes([verdict("a", failure("ignored rows", undecided=undecided, intermittent=True))])
    assert cause.situation == "not every time"
    narrow = verdict("b", failure(undecided=undecided, intermittent=True), dtype="float16")
    (cause,) = causes([narrow, verdict("b", status=Status.PASS)])
    assert cause.situation == "not every time in float16"


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


def test_a_narrower_case_of_what_may_be_needed_is_said_instead_of_it():
    undecided = "class weights", "a weight of zero", "a row far from zero", "large logits"
    assert described((), undecided) == "perhaps only with a class weight of zero and a row of logits far from zero"
    assert described((), ("two classes", "reduction none")) == ALWAYS


def test_what_may_be_needed_is_said_beside_what_says_little():
    labels = ("no smoothing", "labels")
    assert described(labels, ("smoothing", "full smoothing")) == (
        "with class indices as targets, perhaps only with label_smoothing=1"
    )
    assert described(labels, ("spatial", "unbatched", "no rows")) == "with class indices as targets"
    assert described((*labels, "spatial"), ("class weights",)) == (
        "with class indices as targets and spatial logits (N, C, d...)"
    )


def test_what_shows_without_threads_comes_before_what_shows_in_threads():
    in_threads = {"message": "a different loss while 3 others run in other threads: 1, alone 0"}
    threads = [
        verdict(name, msgspec.structs.replace(failure(kind="not-repeatable"), **in_threads)) for name in ("b", "c")
    ]
    first, second = causes([*threads, verdict("a", failure("smoothing"))])
    assert (first.requirements, second.requirements) == (("a",), ("b", "c"))


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


def test_a_failure_with_a_script_that_can_be_read_is_shown():
    """Of two that need the same, one may have thousands of numbers of many digits."""
    long, short = (failure("smoothing", reproducer=text) for text in (5000 * "#", "# the same with zeros\n"))
    (cause,) = causes([verdict("a", long), verdict("b", short)])
    assert cause.shown.verdict.requirement == "b"


def test_a_size_is_not_said_where_another_failure_of_the_fault_begins_at_another_one():
    """It then depends on the logits, or on rows and classes together."""

    def of(name, least, *more):
        return verdict(name, failure("more than 4 classes", f"more than {least} classes", *more, size=least + 1))

    (cause,) = causes([of("a", 64), of("b", 300, "large logits")])
    assert cause.situation in ("with more than 4 classes", "with more than 4 classes and large logits")
    for same in ([of("a", 64), of("b", 64), of("c", 300, "large logits")], [of("a", 64), of("b", 128, "large logits")]):
        (cause,) = causes(same)
        assert cause.situation == "with more than 64 classes"


def test_of_two_invalid_calls_the_one_that_gave_a_number_is_shown():
    """A library may give nan for a label past the classes and a plausible loss for a negative one."""
    nan, number = (failure(kind="accepted", got=f"returned loss {value}") for value in ("[nan, 0.5]", "[0.3, 0.5]"))
    (cause,) = causes([verdict("labels", nan, number)])
    assert cause.shown.failure is number
