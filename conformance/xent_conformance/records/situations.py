"""What failing problems need, by fact: how it is said, and how far it tells two faults apart.

The names are those of the suite's ``causes/facts.py``, as records have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple


class Weight(Enum):
    """How far a fact tells two faults apart."""

    MAJOR = "an option, a shape or a layout of the call"
    #: Whoever needs it needs what it implies as well.
    FINE = "says more closely what another one says"
    FAINT = "an option that is not given, or numbers that a witness happens to have"


class Fact(NamedTuple):
    """A fact, as it is said behind "with" (not at all where that is empty), and the facts that go without saying."""

    phrase: str
    weight: Weight = Weight.MAJOR
    implies: tuple[str, ...] = ()


FINE, FAINT = Weight.FINE, Weight.FAINT
#: How a situation is said in which nothing special is needed, and one of which that is not known.
ALWAYS, UNKNOWN = "with any input", "with the input shown"
#: A size that a failing problem must have, as the suite's ``causes/edges.py`` measures it.
SIZE = re.compile(r"(more than|just) (\d+) (classes|rows)")
FACTS = {
    "smoothing": Fact("label smoothing"),
    "no smoothing": Fact("", FAINT),
    "full smoothing": Fact("label_smoothing=1", FINE, ("smoothing",)),
    "class weights": Fact("class weights"),
    "no class weights": Fact("", FAINT),
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
    "probability targets": Fact("probability targets"),
    "labels": Fact("class indices as targets", FAINT),
    "one class": Fact("a single class", FINE),
    "as many rows as classes": Fact("as many rows as classes", FAINT, ("several rows",)),
    "several rows": Fact("more than one row", FAINT),
    "more than 100 rows": Fact("more than 100 rows", FINE, ("several rows",)),
    "more than 10000 rows": Fact("more than 10,000 rows", implies=("more than 100 rows", "several rows")),
    "more than 4 classes": Fact("more than 4 classes", FAINT),
    "more than 100 classes": Fact("more than 100 classes", FINE, ("more than 4 classes",)),
    "more than 10000 classes": Fact(
        "more than 10,000 classes", implies=("more than 100 classes", "more than 4 classes")
    ),
    "more than 10000 logits": Fact("more than 10,000 logits"),
    "a label of the first class": Fact("a label of the first class", FAINT),
    "a label of the last class": Fact("a label of the last class", FAINT),
    "particular logits": Fact("particular values of the logits", FAINT),
    "large logits": Fact("large logits", FINE, ("particular logits",)),
    "a row far from zero": Fact("a row of logits far from zero", FAINT, ("large logits", "particular logits")),
    "tied largest logits": Fact("tied largest logits", FAINT, ("particular logits",)),
    "masked logits": Fact("logits of -inf", FAINT, ("large logits", "particular logits")),
    "logits that are nan": Fact("logits of nan", implies=("particular logits",)),
    "logits of infinity": Fact("logits of +inf", implies=("large logits", "particular logits")),
    "ignored rows that are not finite": Fact(
        "nan or infinity in ignored rows", FAINT, ("ignored rows", "particular logits")
    ),
    "a weight of zero": Fact("a class weight of zero", FINE, ("class weights",)),
    "a negative weight": Fact("a negative class weight", FINE, ("class weights",)),
    "equal weights": Fact("equal class weights", FINE, ("class weights",)),
    "targets that do not sum to 1": Fact("target probabilities that do not sum to 1", FAINT),
    "a target probability of zero": Fact("a target probability of zero", FAINT),
}


def fact(name: str) -> Fact:
    """What is known of a fact; one of a memory layout, of a dtype or of a later suite is said as it is called."""
    if is_size(name):
        return _size(name)
    array = name.removesuffix(" not contiguous")
    return FACTS.get(name) or Fact(name if array == name else f"non-contiguous {array}")


def is_size(name: str) -> bool:
    """Whether a fact is a size that was measured on a witness: it says more, and tells no faults apart."""
    return name not in FACTS and SIZE.fullmatch(name) is not None


def _size(name: str) -> Fact:
    found = SIZE.fullmatch(name)
    assert found is not None
    how, number, what = found[1], int(found[2]), found[3]
    least = number + (how == "more than")
    fixed = (SIZE.fullmatch(other) for other in FACTS)
    below = [other[0] for other in fixed if other is not None and other[3] == what and int(other[2]) < least]
    phrase = f"{how} {number:,} {what}" if how == "more than" else f"{number:,} {what}, not one more or one fewer"
    return Fact(phrase, FAINT, (*below, *(["several rows"] if what == "rows" else [])))


def implied(facts: Iterable[str]) -> frozenset[str]:
    """What goes without saying beside some facts."""
    return frozenset(other for name in facts for other in fact(name).implies)


def described(situation: Sequence[str], undecided: Sequence[str] = ()) -> str:
    """A situation in words; with nothing that is known to be needed, ``undecided`` is what may be."""
    if said := phrases(situation):
        return f"with {listed(said)}"
    return UNKNOWN if any(fact(name).weight is Weight.MAJOR for name in undecided) else ALWAYS


def phrases(situation: Sequence[str]) -> list[str]:
    """The facts of a situation in words, but for those that go without saying."""
    return [said for name in situation if name not in implied(situation) and (said := fact(name).phrase)]


def listed(names: Sequence[str]) -> str:
    """Names in one phrase: a, b and c."""
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last
