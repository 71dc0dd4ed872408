"""Which failures that come from sizes, values, weights or gradients are the same fault."""

import msgspec
from cause_lines import LABEL, UNKNOWNS, failure, grouped, verdict

from xent_conformance.records.causes import causes
from xent_conformance.records.lines import ArrayLine, ProblemLine
from xent_conformance.records.situations import FACTS, FAINT, fact
from xent_conformance.records.status import Level

MANY = "more than 4 classes", "more than 100 classes"


def test_numbers_that_a_witness_happens_to_have_make_no_cause():
    faint = sorted(name for name in FACTS if fact(name).weight is FAINT)
    lines = [verdict(name, failure("smoothing", other)) for name, other in zip("abcd", faint, strict=False)]
    assert len(causes(lines)) == 1


def test_special_numbers_that_two_failures_need_are_one_fault():
    """A requirement about smoothing, say, adds smoothing to them."""
    far = ("particular logits", "large logits", "a row far from zero")
    assert len(causes([verdict("a", failure(*far)), verdict("b", failure("smoothing", *far))])) == 1
    assert len(causes([verdict("a", failure("particular logits")), verdict("b", failure("smoothing"))])) == 2


def test_a_wrong_loss_is_no_consequence_of_a_wrong_second_derivative():
    second = verdict("second", failure(quantity="product"))
    loss = failure(undecided=("probability targets", "large logits", "particular logits"))
    assert grouped(second, verdict("loss", loss)) == [{"loss"}, {"second"}]
    also = failure(undecided=("probability targets", "large logits", "particular logits"), quantity="product")
    assert grouped(second, verdict("also", also)) == [{"also", "second"}]


def test_a_wrong_gradient_is_no_consequence_of_a_wrong_second_derivative():
    """With any input the second may be wrong alone, as that of a backward that is not meant to be differentiated."""
    second = verdict("second", failure(quantity="second derivative"))
    assert grouped(second, verdict("first", failure(quantity="grad_logits"))) == [{"first", "second"}]
    inaccurate = verdict("first", failure(quantity="grad_logits"), level=Level.SHOULD)
    assert grouped(second, inaccurate) == [{"second"}, {"first"}]


def test_a_slight_error_does_not_explain_a_large_one_that_needs_an_option():
    """A mean that adds a small number to its divisor, and counts ignored rows."""
    slight = verdict("slight", failure("reduction mean", got=0.693147098, expected=0.693147181))
    for got, expected in ((0.346573591, 0.693147181), (1.386294361, 0.693147181), (-0.5, 1e-9)):
        large = verdict("large", failure("reduction mean", "ignored rows", got=got, expected=expected))
        assert grouped(slight, large) == [{"large"}, {"slight"}]
    alike = verdict("alike", failure("reduction mean", "ignored rows", got=0.69314709, expected=0.693147181))
    assert grouped(slight, alike) == [{"alike", "slight"}]
    # Values may make an error large.
    values = verdict("values", failure("reduction mean", "large logits", got=0.3, expected=0.7))
    assert grouped(slight, values) == [{"slight", "values"}]


def test_a_finite_wrong_number_is_no_consequence_of_what_shows_as_nan():
    """Even if its gradient happens to need as little. A wrong number may overflow, so that the reverse is possible."""
    faint = "no smoothing", "no class weights", "labels"

    def gradient(name, *situation, got, expected=0.0, undecided=()):
        numbers = {"quantity": "grad_logits", "got": got, "expected": expected}
        return verdict(name, failure(*situation, undecided=(*faint, *undecided), **numbers))

    many, nan = ("more than 4 classes", "particular logits"), float("nan")
    long = *many, "more than 100 classes"
    lines = [
        gradient("off", *many, got=4893.06, expected=4893.12),
        gradient("upstream", "a cotangent other than ones", "particular logits", got=nan),
        verdict("loss", failure(*long, "more than 201 classes", undecided=faint, got=5.309, expected=5.308, size=202)),
        gradient("both", *long, "a cotangent other than ones", "just 131 classes", got=0.0020075, expected=0.0020076),
        gradient("masked", "two classes", got=nan, undecided=("particular logits", "masked logits")),
    ]
    assert {"loss", "both"} in grouped(*lines)
    overflow = verdict("overflow", failure("particular logits", got=float("inf"), expected=5.3))
    assert grouped(lines[0], overflow) == [{"off", "overflow"}]


def test_a_negative_weight_makes_rows_count_differently():
    """Of a mean with smoothing, class weights need be no fact beside a narrower one about them."""
    plain = verdict("plain", failure("smoothing", "class weights", "reduction mean"))
    narrow = verdict("narrow", failure("smoothing", "class weights", "a negative weight", "reduction mean"))
    assert grouped(plain, narrow) == [{"plain", "narrow"}]


def test_nan_in_ignored_rows_is_no_chance():
    tail = [verdict(name, failure("class weights", "more than 100 classes"), dtype=name) for name in "ab"]
    ignored = failure("ignored rows", "ignored rows that are not finite", "masked logits", "more than 100 classes")
    assert len(causes([*tail, verdict("c", ignored)])) == 2


def test_nan_because_of_ignored_rows_is_no_consequence_of_a_masked_class():
    """That is nan in rows that count, for another reason."""
    content = failure(
        "ignored rows", "particular logits", "ignored rows that are not finite", got=float("nan"), expected=0.0
    )
    masked = failure("particular logits", "masked logits", got=float("nan"), expected=0.5)
    assert grouped(verdict("masked", masked), verdict("content", content)) == [{"content"}, {"masked"}]
    also = failure("particular logits", "masked logits", "ignored rows", got=float("nan"), expected=0.5)
    assert grouped(verdict("masked", masked), verdict("also", also)) == [{"also", "masked"}]


def test_rows_that_count_differently_are_the_same_fact_where_another_one_is_undecided():
    """A comparison of an unbatched row with a batch of one cannot say whether it needs the unbatched row."""
    whole = failure("class weights", "reduction mean", "unbatched")
    part = failure("class weights", "reduction mean", undecided=("unbatched",))
    other = failure("reduction mean", "every row ignored", "ignored rows")
    lines = [*(verdict(name, whole) for name in "ab"), verdict("part", part), *(verdict(n, other) for n in "xyz")]
    assert sorted(grouped(*lines), key=len) == [{"a", "b", "part"}, {"x", "y", "z"}]


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
    # One that is computed in float32 in part has an error of that size, and is no number of float32.
    partly = wrong("smoothing", got=0.3333333432674408 + 2**-40, expected=1 / 3)
    assert len(causes([verdict(name, f, dtype="float64") for name, f in (("a", near), ("b", partly))])) == 1
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


def test_in_a_mean_of_something_special_ignored_rows_stand_for_class_weights():
    """Both make rows count differently; where nothing else is needed they are the paths of two faults."""
    weighted, ignored = ("class weights", "reduction mean"), ("ignored rows", "reduction mean")
    assert len(causes([verdict("a", failure(*weighted, "spatial")), verdict("b", failure(*ignored, "spatial"))])) == 1
    assert len(causes([verdict("a", failure(*weighted)), verdict("b", failure(*ignored))])) == 2


def test_many_logits_are_many_rows_or_many_classes():
    several = ("several rows", "more than 100 classes", "more than 10000 logits")
    assert len(causes([verdict("a", failure(*several)), verdict("b", failure("more than 100 classes"))])) == 1


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


def test_a_witness_that_has_rows_and_says_at_which_size_the_failure_begins_is_shown():
    empty, plain = failure("smoothing", size=0), failure("smoothing", size=66)
    edge = failure("smoothing", "more than 64 classes", undecided=("labels",), size=65)
    (cause,) = causes([verdict("a", empty), verdict("b", plain)])
    assert cause.shown.verdict.requirement == "b"
    (cause,) = causes([verdict("a", empty), verdict("b", plain), verdict("c", edge)])
    assert cause.situation == "with label smoothing and more than 64 classes"


def test_a_narrower_situation_that_begins_at_another_size_is_another_fault():
    """At the same size, or twice that, the further option is an accident of the witness."""
    wide = [verdict(name, failure(*MANY, "more than 1026 classes", size=1027)) for name in "ab"]

    def narrow(least):
        facts = *MANY, "a label of the last class", "uint8 labels", f"more than {least} classes"
        return verdict("narrow", failure(*facts, size=least + 1))

    assert len(causes([*wide, narrow(128)])) == 2
    assert len(causes([*wide, narrow(1026)])) == len(causes([*wide, narrow(513)])) == 1
