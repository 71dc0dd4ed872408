"""Which failures that come from memory, layouts or earlier calls are the same fault."""

import msgspec
from cause_lines import failure, grouped, raised, verdict

from xent_conformance.records.causes import causes


def test_what_comes_and_goes_is_one_cause():
    """Whether a call is compared with itself or with the exact answer, and whatever the witnesses look like."""
    lines = [
        verdict("again", failure("spatial", kind="not-repeatable")),
        verdict("sometimes", failure("class weights", intermittent=True)),
        verdict("after", failure("smoothing", calls_before=2)),
        verdict("in the run", failure(only_in_run=True)),
    ]
    unsteady = {"after", "again", "sometimes", "in the run"}
    assert grouped(*lines, verdict("always", failure("smoothing"))) == [unsteady, {"always"}]


def test_of_failures_that_come_and_go_one_that_a_new_process_shows_is_shown():
    run, by_chance = verdict("run", failure(only_in_run=True)), verdict("chance", failure(intermittent=True))
    after = verdict("after", failure(calls_before=1))
    assert causes([run, by_chance])[0].shown.verdict is by_chance
    assert causes([run, by_chance, after])[0].shown.verdict is after


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


def test_a_read_beside_two_arrays_is_the_one_beside_one_of_them():
    """Whatever the order of their names, and whether probabilities are read as the logits are."""

    def read(name, arrays, *undecided):
        return verdict(name, failure(kind="stray-read", got=f"read outside: {arrays}", undecided=undecided))

    probabilities = "probability targets", "target not contiguous"
    alone, weighted = read("alone", "logits"), read("weighted", "logits, weight")
    both, all_three = read("both", "logits, target", *probabilities), read("three", "logits, target, weight")
    assert grouped(weighted, alone, both, all_three) == [{"weighted", "alone", "both", "three"}]
    assert grouped(both, read("beside", "logits, target")) == [{"both", "beside"}]
    assert len(causes([alone, read("weight", "weight"), weighted])) == 2
    assert len(causes([alone, read("target", "target", "labels")])) == 2


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


def test_an_exception_after_other_calls_is_part_of_what_depends_on_them():
    lines = [
        verdict("state", failure(kind="not-repeatable")),
        verdict("sometimes", failure(kind="raised", raised=raised(7), intermittent=True)),
        verdict("always", failure(kind="raised", raised=raised(8))),
    ]
    assert grouped(*lines) == [{"state", "sometimes"}, {"always"}]
    assert len(grouped(*lines[1:])) == 2


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


def test_wrong_numbers_where_inputs_are_overwritten_are_the_same_fault():
    overwritten = failure("reduction none", kind="input-changed", size=9)
    wrong = [verdict("a", failure("reduction none", "no smoothing")), verdict("b", failure("reduction none"))]
    (cause,) = causes([*wrong, verdict("c", overwritten)])
    assert (cause.shown.verdict.requirement, cause.requirements) == ("c", ("a", "b", "c"))
    assert len(causes([verdict("a", failure("smoothing")), verdict("c", overwritten)])) == 2
    assert len(causes([verdict("a", failure()), verdict("c", failure(kind="input-changed"))])) == 2


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
