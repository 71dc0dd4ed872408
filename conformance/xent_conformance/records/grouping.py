"""Which failures are the same fault.

Of the failures with one signature a set is chosen, one for each cause, such that every other one differs little from
one of them; a cause must be worth its line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from xent_conformance.records.instances import AS_FLOAT32, WRONG_NUMBER, Instance
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
#: Sizes of witnesses whose numbers of binary digits differ by less than this are about the same.
MAGNITUDE = 4
#: The kind of failures in which a call has changed its inputs.
OVERWRITTEN = "input-changed"


def grouped(instances: Iterable[Instance]) -> list[tuple[Instance, ...]]:
    """The failures by cause; the first of each stands for it."""
    alike: dict[tuple[str, ...], list[Instance]] = {}
    given = list(instances)
    in_float32 = {instance.verdict.backend for instance in given if instance.signature[1] == AS_FLOAT32}
    for instance in given:
        backend = instance.verdict.backend
        joins = instance.may_be_float32 and backend in in_float32
        alike.setdefault((backend, AS_FLOAT32) if joins else instance.signature, []).append(instance)
    return _with_consequences([group for same in alike.values() for group in _by_situation(same)])


def _with_consequences(groups: list[tuple[Instance, ...]]) -> list[tuple[Instance, ...]]:
    """Calls that overwrite their inputs also give wrong numbers: in the same situation these are one fault.

    Not where nothing special is needed: a second fault may then have the same situation by chance.
    """
    overwrites = {
        (group[0].verdict.backend, needed): group
        for group in groups
        if group[0].failure.kind == OVERWRITTEN and (needed := _but(group[0].needed, Weight.FAINT))
    }
    merged: dict[int, tuple[Instance, ...]] = {}
    for group in groups:
        first = group[0]
        own = overwrites.get((first.verdict.backend, _but(first.needed, Weight.FAINT)))
        cause = own if own is not None and first.signature[1] == WRONG_NUMBER else group
        merged[id(cause)] = merged.get(id(cause), ()) + group
    # What overwrites its inputs stands for the cause, and may come after what follows from it.
    return [tuple(sorted(group, key=lambda i: i.failure.kind != OVERWRITTEN)) for group in merged.values()]


def _by_situation(instances: Sequence[Instance]) -> list[tuple[Instance, ...]]:
    """Causes of failures with one signature."""
    if any(instance.has_one_cause for instance in instances):
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
    is binding, decided, simple, and about the call itself rather than one that is compared with it.
    """
    majors = Counter(_but(i.needed, Weight.FAINT, Weight.FINE) for i in members)
    exact = Counter(_but(i.needed, Weight.FAINT) for i in members)

    def clarity(instance: Instance) -> tuple[bool, int, int, bool, bool, int, bool, int, int]:
        needed = _but(instance.needed, Weight.FAINT)
        common = majors[_but(needed, Weight.FINE)], exact[needed]
        size = math.prod(instance.failure.problem.logits.shape)
        optional = instance.verdict.level is not Level.MUST
        # Messages end with a note, in brackets, where it is another call.
        noted = instance.failure.message.endswith(")")
        # Of witnesses that are about as large, one that needs less is less special.
        simple = size.bit_length() // MAGNITUDE, noted, len(instance.needed), size
        return instance.failure.intermittent, -common[0], -common[1], optional, bool(instance.undecided), *simple

    return tuple(sorted(members, key=clarity))
