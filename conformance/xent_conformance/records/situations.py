"""The facts of a situation: the phrase for each in reports, and how well it distinguishes faults.

A situation is the set of facts without which a problem does not fail. The names of facts are those of
``causes/facts.py``; records contain them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple


class Weight(Enum):
    """How well a fact distinguishes two faults."""

    MAJOR = "an option, a shape or a layout of the call"
    #: A failure that needs such a fact also needs the facts that it implies.
    FINE = "a narrower case of another fact"
    FAINT = "an option that is not passed, or values that a problem may have by chance"


class Fact(NamedTuple):
    """A fact.

    Attributes:
        phrase: The fact in words, to follow "with"; empty if reports do not mention it.
        weight: How well it distinguishes faults.
        implies: Names of facts that hold wherever this one holds; reports do not mention these beside it.
        ways: Names of facts that are ways to get this one; beside it they say nothing further either.
    """

    phrase: str
    weight: Weight = Weight.MAJOR
    implies: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


FINE, FAINT = Weight.FINE, Weight.FAINT
#: End of the facts about the memory layout of an array, whose name comes before.
STRIDED = " not contiguous"
#: End of the facts about an array that holds one element for several, as an expanded one does.
EXPANDED = " with a stride of zero"
#: Phrases for a situation without facts, and for one whose facts could not be determined.
ALWAYS, UNKNOWN = "with any input", "with the input shown"
#: The phrase for a failure of a call that also passes.
NOT_EVERY_TIME = "not every time"
#: The fact that a call has to be rejected. No variant decides whether a missing check needs it: valid calls may pass.
INVALID = "invalid arguments"
#: The facts of logits that are not finite, which make every sum with them nan or infinite.
NOT_FINITE = ("masked logits", "a masked row", "logits that are nan", "logits of infinity")
#: Where there is no class, each label is invalid.
NO_CLASSES = "no classes"
#: So many facts that may be needed are named.
FEW = 2
#: Facts about numbers that a whole requirement may be about: then no variant decides whether they are needed.
SPECIAL_NUMBERS = (
    "large logits",
    "a row far from zero",
    "tied largest logits",
    *NOT_FINITE,
)
#: The smallest size at which a problem fails, as ``causes/edges.py`` determines it.
SIZE = re.compile(r"(more than|just) (\d+) (classes|rows)")
FACTS = {
    INVALID: Fact("invalid arguments"),
    "smoothing": Fact("label smoothing"),
    "no smoothing": Fact("", FAINT),
    "full smoothing": Fact("label_smoothing=1", FINE, ("smoothing",)),
    "divisor": Fact("a divisor given", implies=("a reduced loss", "reduction mean")),
    "lse_square_scale": Fact("z-loss (lse_square_scale)"),
    "logit_scale": Fact("logit_scale"),
    "softcap": Fact("softcap"),
    "class weights": Fact("class weights"),
    "no class weights": Fact("", FAINT),
    "class weights of another dtype than the logits": Fact(
        "class weights of another dtype than the logits", implies=("class weights",)
    ),
    "targets of another dtype than the logits": Fact(
        "target probabilities of another dtype than the logits", implies=("probability targets",)
    ),
    "reduction none": Fact("reduction='none'", FINE),
    "reduction sum": Fact("reduction='sum'", implies=("a reduced loss",)),
    "reduction mean": Fact("reduction='mean'", implies=("a reduced loss",)),
    "a reduced loss": Fact("a reduced loss", FAINT),
    "a cotangent other than ones": Fact("a cotangent other than 1"),
    "ignored rows": Fact("ignored rows"),
    "every row ignored": Fact("every row ignored", FINE, ("ignored rows",)),
    "no ignored rows": Fact("", FAINT),
    "ignore_index given": Fact("ignore_index passed", FAINT),
    "unbatched": Fact("one row (unbatched)"),
    "spatial": Fact("spatial logits (N, C, d...)"),
    "classes apart in memory": Fact(
        "classes that are not adjacent in memory", ways=("spatial", "several rows", "logits not contiguous")
    ),
    "logits not contiguous": Fact("non-contiguous logits"),
    "weight not contiguous": Fact("non-contiguous class weights", implies=("class weights",)),
    # An array of one number is contiguous.
    "target not contiguous": Fact("non-contiguous target", ways=("several rows",)),
    "cotangent not contiguous": Fact("non-contiguous cotangent", implies=("reduction none",), ways=("several rows",)),
    **{
        f"{name}{EXPANDED}": Fact(f"{words}{EXPANDED}", FINE, (f"{name}{STRIDED}",))
        for name, words in {
            "logits": "logits",
            "target": "a target",
            "weight": "class weights",
            "cotangent": "a cotangent",
        }.items()
    },
    "probability targets": Fact("probability targets"),
    "labels": Fact("class indices as targets", FAINT),
    "no rows": Fact("a batch without rows"),
    NO_CLASSES: Fact("logits without classes", implies=(INVALID,)),
    "one class": Fact("a single class", FINE),
    "two classes": Fact("two classes", FAINT),
    "as many rows as classes": Fact("as many rows as classes", FAINT, ("several rows",)),
    "several rows": Fact("more than one row", FAINT),
    "one row": Fact("a batch of one row", FAINT),
    "more than 100 rows": Fact("more than 100 rows", FINE, ("several rows",)),
    "more than 10000 rows": Fact("more than 10,000 rows", implies=("more than 100 rows", "several rows")),
    "more than 4 classes": Fact("more than 4 classes", FAINT),
    "more than 100 classes": Fact("more than 100 classes", FINE, ("more than 4 classes",)),
    "more than 10000 classes": Fact(
        "more than 10,000 classes", implies=("more than 100 classes", "more than 4 classes")
    ),
    "more than 10000 logits": Fact("more than 10,000 logits"),
    "more than 1000000 logits": Fact("more than a million logits", implies=("more than 10000 logits",)),
    "a label of the first class": Fact("a label of the first class", FAINT),
    "a label of the last class": Fact("a label of the last class", FAINT),
    "particular logits": Fact("particular values of the logits", FAINT),
    "large logits": Fact("large logits", FINE, ("particular logits",)),
    "a row far from zero": Fact("a row of logits far from zero", FAINT, ("large logits", "particular logits")),
    "tied largest logits": Fact("tied largest logits", FAINT, ("particular logits",)),
    "masked logits": Fact("logits of -inf", FAINT, ("large logits", "particular logits")),
    "a masked row": Fact("a row of only -inf", implies=("masked logits", "large logits", "particular logits")),
    "logits that are nan": Fact("logits of nan", implies=("particular logits",)),
    "logits of infinity": Fact("logits of +inf", implies=("large logits", "particular logits")),
    "ignored rows that are not finite": Fact(
        "nan or infinity in ignored rows", FINE, ("ignored rows", "particular logits")
    ),
    "a weight of zero": Fact("a class weight of zero", FINE, ("class weights",)),
    "a negative weight": Fact("a negative class weight", FINE, ("class weights",)),
    "equal weights": Fact("equal class weights", FINE, ("class weights",)),
    "small weights": Fact("small class weights", FINE, ("class weights",)),
    "targets that do not sum to 1": Fact("target probabilities that do not sum to 1", FAINT),
    "a target probability of zero": Fact("a target probability of zero", FAINT),
}


def fact(name: str) -> Fact:
    """The fact with this name. Facts that are not listed (dtypes, those of later suites) get their name as phrase."""
    if is_size(name):
        return _size(name)
    return FACTS.get(name) or Fact(name)


def is_size(name: str) -> bool:
    """Whether a fact is a measured size, such as "more than 64 classes". Such facts do not distinguish faults."""
    return name not in FACTS and is_number(name)


def is_number(name: str) -> bool:
    """Whether a fact is about the number of rows or of classes, measured or not."""
    return SIZE.fullmatch(name) is not None


def counted_of(size: str) -> str:
    """What a fact about a number is about: "rows", "classes" or "logits"."""
    return size.rpartition(" ")[2]


def begins_at(size: str) -> bool:
    """Whether a fact about a number holds from there on, as "more than 64 classes" does, and "just 65 classes" not."""
    return size.startswith("more than ")


def _size(name: str) -> Fact:
    match = SIZE.fullmatch(name)
    assert match is not None
    how, number, what = match[1], int(match[2]), match[3]
    least = number + (how == "more than")
    fixed = (SIZE.fullmatch(other) for other in FACTS)
    below = [other[0] for other in fixed if other is not None and other[3] == what and int(other[2]) < least]
    beside = f"{number:,} {what} ({number - 1:,} and {number + 1:,} pass)"
    phrase = f"{how} {number:,} {what}" if how == "more than" else beside
    return Fact(phrase, FAINT, (*below, *(["several rows"] if what == "rows" else [])))


def implied(facts: Iterable[str]) -> frozenset[str]:
    """The facts that at least one of these implies, or that are ways to get one of these."""
    return frozenset(other for name in facts for other in (*fact(name).implies, *fact(name).ways))


def described(situation: Sequence[str], undecided: Sequence[str] = ()) -> str:
    """A situation in words.

    Args:
        situation: Names of the facts without which the problem does not fail.
        undecided: Names of the facts for which that could not be decided.

    Example:
        >>> described(["smoothing", "class weights"])
        'with label smoothing and class weights'
        >>> described([])
        'with any input'
    """
    words = phrases(situation)
    if words and without(situation, Weight.FAINT):
        return f"with {listed(words)}"
    major = {name for name in undecided if must_be_said(name)}
    # A narrower case of such a fact says more than the fact.
    possible = phrases([name for name in undecided if name in major or not major.isdisjoint(fact(name).implies)])
    perhaps = f"perhaps only with {listed(possible)}" if 0 < len(possible) <= FEW else ""
    if words:
        return ", ".join(filter(None, [f"with {listed(words)}", perhaps]))
    return perhaps or (UNKNOWN if possible else ALWAYS)


def must_be_said(name: str) -> bool:
    """Whether a situation in which this fact is undecided cannot be called "any input"."""
    return name in SPECIAL_NUMBERS or fact(name).weight is Weight.MAJOR


def without(facts: Iterable[str], *weights: Weight) -> frozenset[str]:
    """The facts whose weight is not among those given."""
    return frozenset(name for name in facts if fact(name).weight not in weights)


def phrases(situation: Sequence[str]) -> list[str]:
    """The facts of a situation in words, without those that others of them imply."""
    named = dict.fromkeys(situation)
    return [phrase for name in named if name not in implied(situation) and (phrase := fact(name).phrase)]


def listed(names: Sequence[str]) -> str:
    """Names as an English list: "a, b and c"."""
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last
