"""Causes: the failures of a record that are the same fault, shown as one.

Two failures may be the same fault where they have the same signature: the kind of finding, and for an exception its
type and place. Whether they are is decided by their situations, what their witnesses cannot fail without. A set of
failures is chosen, one for each cause, such that every other one differs little from one of them; a cause must be worth
its line.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from xent_conformance.records.lines import Failure, VerdictLine
from xent_conformance.records.status import Level

#: Facts about the path that is taken where an option is *not* given, and about numbers that a witness happens to have:
#: they tell two faults apart only where nothing else does.
FAINT = frozenset(
    {
        "no smoothing",
        "no class weights",
        "no ignored rows",
        "labels",
        "particular logits",
        "a label of the first class",
        "a label of the last class",
        "a reduced loss",
        "several rows",
        "more than 4 classes",
        "a row far from zero",
        "tied largest logits",
        "masked logits",
        "ignored rows that are not finite",
        "ignore_index given",
        "targets that do not sum to 1",
        "a target probability of zero",
    }
)
#: Facts that say more closely what another one says.
FINE = frozenset(
    {
        "one class",
        "reduction none",
        "more than 100 rows",
        "more than 100 classes",
        "large logits",
        "every row ignored",
        "a weight of zero",
        "a negative weight",
        "equal weights",
        "full smoothing",
    }
)
#: What a fact of a cause weighs that a failure does without, by whether it is fine, faint, or neither.
LACKING = (3.1, 0.2, 3.1)
#: What a fact weighs that a failure needs and its cause does not.
FURTHER = (0.5, 0.1, 3.1)
#: Where a failure needs all that its cause needs, and more, so much of that counts: a small witness may need what it
#: happens to have. More than one major fact is no accident.
BESIDES, POWER = 0.1, 2
#: What is not known to be needed is not known to be no part of it either.
UNKNOWN = 0.02
#: What is not known about a failure and would be left unexplained by a cause.
UNEXPLAINED = 0.1
#: A cause is worth its line where it takes away so much of the differences to others.
WORTH = 3.0
#: Kinds of findings that are a wrong number, whichever way it was seen.
NUMBERS = frozenset({"wrong-value", "calls-disagree"})
#: Kinds that say that a check is missing: each requirement about invalid calls is about another check. Records of
#: version 1 do not know the kind, nor what a failure needs.
CHECKS = frozenset({"accepted", "wrong-message", "unknown"})
#: The kind of findings that have an exception.
RAISED = "raised"
#: The kind of findings that are a read beside the inputs: one fault, whatever it takes for what was read to show.
STRAY_READ = "stray-read"
#: Kinds by how bad they are: a process that ended and memory that was written come before wrong numbers.
WORST_FIRST = ("lost", "stray-write", "stray-read", "input-changed", "surroundings-changed", "result-changed")

#: The situation of a failure that needs nothing special, in words.
ALWAYS = "with any input"


@dataclass(frozen=True)
class Instance:
    """One failure of one verdict."""

    verdict: VerdictLine
    failure: Failure

    @cached_property
    def signature(self) -> tuple[str, ...]:
        """What all failures of a fault have in common."""
        failure = self.failure
        raised = failure.exception
        if raised is not None:
            said = re.sub(r"\d+", "#", raised.message)
            return self.verdict.backend, RAISED, raised.type, f"{raised.file}:{raised.line}", said
        if failure.kind in CHECKS:
            return self.verdict.backend, failure.kind, self.verdict.requirement
        if failure.kind == STRAY_READ:
            return self.verdict.backend, failure.kind, str(failure.got)
        return self.verdict.backend, "wrong number" if failure.kind in NUMBERS else failure.kind

    @cached_property
    def needed(self) -> frozenset[str]:
        """What its witness does not fail without."""
        return _told_apart(self.failure.situation)

    @cached_property
    def undecided(self) -> frozenset[str]:
        """Facts of its witness that it may or may not need."""
        return _told_apart(self.failure.undecided) - self.needed


@dataclass(frozen=True)
class Cause:
    """A fault and all failures that it explains; the first of them is the one to show."""

    instances: tuple[Instance, ...]

    @property
    def shown(self) -> Instance:
        """The failure that stands for all."""
        return self.instances[0]

    @property
    def backend(self) -> str:
        """The backend that is wrong."""
        return self.shown.verdict.backend

    @property
    def situation(self) -> str:
        """What it takes for it to show, in words; "" where it always does."""
        return described(self.shown.failure.situation)

    @property
    def requirements(self) -> tuple[str, ...]:
        """Ids of the requirements that it breaks."""
        return tuple(sorted({i.verdict.requirement for i in self.instances}))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Dtypes that it was seen with."""
        return tuple(sorted({i.verdict.dtype for i in self.instances}))

    @property
    def summary(self) -> str:
        """The cause in one line: when, what, and which requirements it breaks."""
        return f"{self.situation or ALWAYS}: {self.shown.failure.message} (breaks {', '.join(self.requirements)})"

    @property
    def badness(self) -> tuple[int, bool, int, tuple[str, ...]]:
        """Sorts the worst first: what ends a process or writes memory, broken MUSTs, many requirements."""
        kinds = [WORST_FIRST.index(i.failure.kind) for i in self.instances if i.failure.kind in WORST_FIRST]
        must = any(i.verdict.level is Level.MUST for i in self.instances)
        return min(kinds, default=len(WORST_FIRST)), not must, -len(self.requirements), self.requirements


def causes(verdicts: Iterable[VerdictLine]) -> list[Cause]:
    """The causes of all failures of some verdicts, the worst first."""
    alike: dict[tuple[str, ...], list[Instance]] = {}
    for verdict in verdicts:
        for failure in verdict.failures:
            instance = Instance(verdict, failure)
            alike.setdefault(instance.signature, []).append(instance)
    found = [cause for instances in alike.values() for cause in _grouped(instances)]
    return sorted(found, key=lambda cause: cause.badness)


def counted(found: Sequence[Cause]) -> str:
    """How many causes break how many requirements."""
    broken = len({name for cause in found for name in cause.requirements})
    return f"{len(found)} cause{'s' * (len(found) != 1)}, {broken} requirement{'s' * (broken != 1)}"


def described(situation: Sequence[str]) -> str:
    """A situation in words, without the obvious."""
    facts = set(situation)
    for fact, other in IMPLIED.items():
        if fact in facts:
            facts -= other
    return ", ".join(fact for fact in situation if fact in facts and not fact.startswith("no "))


#: Facts that need not be said beside one.
IMPLIED = {
    "reduction mean": {"a reduced loss"},
    "reduction sum": {"a reduced loss"},
    "every row ignored": {"ignored rows"},
    "full smoothing": {"smoothing"},
    "a weight of zero": {"class weights"},
    "a negative weight": {"class weights"},
    "equal weights": {"class weights"},
    "more than 10000 classes": {"more than 100 classes", "more than 4 classes"},
    "more than 100 classes": {"more than 4 classes"},
    "more than 10000 rows": {"more than 100 rows", "several rows"},
    "more than 100 rows": {"several rows"},
}


def _told_apart(facts: Iterable[str]) -> frozenset[str]:
    """Facts without those that are another's consequence: many logits are many rows, or many classes."""
    shown = {"labels of another dtype" if "int" in fact and fact.endswith(" labels") else fact for fact in facts}
    if "more than 10000 logits" in shown:
        shown = {fact for fact in shown if not fact.endswith((" rows", " classes"))}
    return frozenset(shown)


def _grouped(instances: Sequence[Instance]) -> list[Cause]:
    """Causes of failures with one signature.

    Facility location, greedily: the failure that takes away most of the differences becomes a cause, until none is
    worth it; then those go that later ones have made idle.
    """
    kind = instances[0].signature[1]
    if kind == STRAY_READ or (kind == RAISED and instances[0].failure.exception is not None):
        # What is raised with the same words in the same line is one fault, whatever it takes to come to that line.
        commonest = Counter(i.needed for i in instances).most_common(1)[0][0]
        first = next(i for i in instances if i.needed == commonest)
        return [Cause(_clearest_first(first, instances))]
    candidates = _unlike(instances)
    apart = {i: [_difference(instances[i], other) for other in instances] for i in candidates}
    left = [1e3] * len(instances)
    chosen: list[int] = []
    while True:
        gain, best = max(
            (sum(max(0.0, had - has) for had, has in zip(left, apart[i], strict=True)) - WORTH, -i) for i in apart
        )
        if gain <= 0:
            break
        chosen.append(-best)
        left = [min(had, has) for had, has in zip(left, apart[-best], strict=True)]
    for i in list(chosen):
        others = [j for j in chosen if j != i]
        if others and _total(apart, others) - _total(apart, chosen) <= WORTH:
            chosen = others
    members: dict[int, list[Instance]] = {i: [] for i in chosen}
    for place, instance in enumerate(instances):
        nearest = min(chosen, key=lambda i: apart[i][place])
        members[nearest].append(instance)
    return [Cause(_clearest_first(instances[i], members[i])) for i in chosen]


def _unlike(instances: Sequence[Instance]) -> list[int]:
    """Places of failures of which no two have the same situation."""
    first: dict[tuple[frozenset[str], frozenset[str]], int] = {}
    for place, instance in enumerate(instances):
        first.setdefault((instance.needed, instance.undecided), place)
    return list(first.values())


def _total(apart: dict[int, list[float]], chosen: Sequence[int]) -> float:
    nearest: list[float] = [min(row) for row in zip(*(apart[i] for i in chosen), strict=True)]
    return sum(nearest)


def _difference(cause: Instance, other: Instance) -> float:
    """How unlikely it is that a failure is one of a cause's."""
    lacks, more = cause.needed - other.needed, other.needed - cause.needed
    unknown = lacks & other.undecided
    lacks -= unknown
    further = _weight(more, FURTHER)
    if cause.needed - FAINT and not lacks - FAINT:
        further *= BESIDES * max(1.0, further / FURTHER[-1]) ** POWER
    unexplained = UNEXPLAINED * _weight(other.undecided - cause.needed, LACKING)
    return _weight(lacks, LACKING) + further + UNKNOWN * _weight(unknown, LACKING) + unexplained


def _weight(facts: Iterable[str], weights: tuple[float, float, float]) -> float:
    fine, faint, major = weights
    return sum(fine if fact in FINE else faint if fact in FAINT else major for fact in facts)


def _clearest_first(cause: Instance, members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The failures of a cause: those in its situation first, and of these what is binding, and simple."""

    def clarity(instance: Instance) -> tuple[bool, bool, int, int]:
        apart = (instance.needed ^ cause.needed) - FAINT - FINE
        size = math.prod(instance.failure.problem.logits.shape)
        return bool(apart), instance.verdict.level is not Level.MUST, len(instance.needed), size

    return tuple(sorted(members, key=clarity))
