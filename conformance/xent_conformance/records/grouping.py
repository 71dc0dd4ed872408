"""Which failures are the same fault.

Of the failures with one signature a set is chosen, one for each cause, such that every other one differs little from
one of them; a cause must be worth its line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from xent_conformance.records.instances import Instance
from xent_conformance.records.situations import Weight, fact
from xent_conformance.records.status import Level

#: What a major fact that tells two failures apart counts: just more than a cause is worth.
APART = 3.1
#: What a fact of a cause counts that a failure does without.
LACKING = {Weight.MAJOR: APART, Weight.FINE: APART, Weight.FAINT: 0.2}
#: What a fact counts that a failure needs and its cause does not.
FURTHER = {Weight.MAJOR: APART, Weight.FINE: 0.5, Weight.FAINT: 0.1}
#: Where a failure needs all that its cause needs, and more, so much of that counts: a small witness may need what it
#: happens to have. More than one major fact is no accident.
BESIDES, POWER = 0.1, 2
#: What is not known to be needed is not known to be no part of it either.
UNKNOWN = 0.02
#: What is not known about a failure and would be left unexplained by a cause.
UNEXPLAINED = 0.1
#: What a failure counts that no cause explains: more than any difference.
UNEXPLAINED_YET = 1e3
#: A cause is worth its line where it takes away so much of the differences to others.
WORTH = 3.0


def grouped(instances: Iterable[Instance]) -> list[tuple[Instance, ...]]:
    """The failures by cause; the first of each stands for it."""
    alike: dict[tuple[str, ...], list[Instance]] = {}
    for instance in instances:
        alike.setdefault(instance.signature, []).append(instance)
    return [group for same in alike.values() for group in _by_situation(same)]


def _by_situation(instances: Sequence[Instance]) -> list[tuple[Instance, ...]]:
    """Causes of failures with one signature."""
    if instances[0].has_one_cause:
        return [_clearest_first(instances)]
    alike: dict[tuple[frozenset[str], frozenset[str]], list[Instance]] = {}
    for instance in instances:
        key = _but(instance.needed, Weight.FAINT), _but(instance.undecided, Weight.FAINT)
        alike.setdefault(key, []).append(instance)
    # Failures that need the same are one piece of evidence, however many requirements see it.
    kinds = [same[0] for same in alike.values()]
    apart = [[_difference(kind, other) for other in kinds] for kind in kinds]
    members: dict[int, list[Instance]] = {i: [] for i in _chosen(apart)}
    for place, same in enumerate(alike.values()):
        members[min(members, key=lambda i: apart[i][place])] += same
    return [_clearest_first(found) for found in members.values()]


def _chosen(apart: Sequence[Sequence[float]]) -> list[int]:
    """Places of the causes that are worth a line; ``apart`` has a row of differences to all for each possible one.

    Greedily, what takes away most of the differences, until nothing is worth it; then those go that later ones have
    made idle.
    """
    left, chosen = [UNEXPLAINED_YET] * len(apart), list[int]()

    def gain(place: int) -> float:
        return sum(max(0.0, had - has) for had, has in zip(left, apart[place], strict=True)) - WORTH

    while (best := max(range(len(apart)), key=gain)) not in chosen and gain(best) > 0:
        chosen.append(best)
        left = [min(had, has) for had, has in zip(left, apart[best], strict=True)]
    for place in list(chosen):
        others = [other for other in chosen if other != place]
        if others and _total(apart, others) - _total(apart, chosen) <= WORTH:
            chosen = others
    return chosen


def _total(apart: Sequence[Sequence[float]], chosen: Sequence[int]) -> float:
    nearest: list[float] = [min(row) for row in zip(*(apart[i] for i in chosen), strict=True)]
    return sum(nearest)


def _difference(cause: Instance, other: Instance) -> float:
    """How unlikely it is that a failure is one of a cause's."""
    lacks, more = cause.needed - other.has, other.needed - cause.has
    unknown = lacks & other.undecided
    lacks -= unknown
    further = _weight(more, FURTHER)
    if _but(cause.needed, Weight.FAINT) and not _but(lacks, Weight.FAINT):
        further *= BESIDES * max(1.0, further / APART) ** POWER
    unexplained = UNEXPLAINED * _weight(other.undecided - cause.has, LACKING)
    return _weight(lacks, LACKING) + further + UNKNOWN * _weight(unknown, LACKING) + unexplained


def _weight(facts: Iterable[str], weights: Mapping[Weight, float]) -> float:
    return sum(weights[fact(name).weight] for name in facts)


def _but(facts: Iterable[str], *weights: Weight) -> frozenset[str]:
    """Facts that are of none of some weights."""
    return frozenset(name for name in facts if fact(name).weight not in weights)


def _clearest_first(members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The failures of a cause: those that always show first, then those in its commonest situation, and of these what
    is binding, simple, and about the call itself rather than one that is compared with it.
    """
    majors = Counter(_but(i.needed, Weight.FAINT, Weight.FINE) for i in members)
    exact = Counter(_but(i.needed, Weight.FAINT) for i in members)

    def clarity(instance: Instance) -> tuple[bool, int, int, bool, int, bool, int]:
        needed = _but(instance.needed, Weight.FAINT)
        common = majors[_but(needed, Weight.FINE)], exact[needed]
        size = math.prod(instance.failure.problem.logits.shape)
        optional = instance.verdict.level is not Level.MUST
        # Messages end with a note, in brackets, where it is another call.
        noted = instance.failure.message.endswith(")")
        return instance.failure.intermittent, -common[0], -common[1], optional, size, noted, len(instance.needed)

    return tuple(sorted(members, key=clarity))
