"""Groups the failures of a record by cause: which of them are the same fault.

Failures are first divided by signature (kind, and place of the exception), then by situation (the facts that their
problems need in order to fail). Within one signature this is a facility-location problem: choose failures to represent
the causes such that the sum of ``WORTH`` for each cause and of the difference between every failure and the nearest
cause is small. A greedy algorithm solves it well enough for the tens of situations of a run.

The constants below are chosen on composites of two planted faults; CONTRIBUTING ("How well faults are separated") has
the measurements and says how to repeat them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from xent_conformance.records.consequences import IN_THREADS, with_consequences
from xent_conformance.records.instances import AS_FLOAT32, CHECKS, DIFFERENTLY, STATE, STRAY_READ, UNEQUAL, Instance
from xent_conformance.records.situations import (
    SPECIAL_NUMBERS,
    Weight,
    begins_at,
    counted_of,
    fact,
    is_number,
    is_size,
    must_be_said,
    without,
)

#: The price of one more cause: adding it must reduce the sum of differences by more than this.
WORTH = 3.0
#: The difference that one major fact makes: just more than the price of a cause, so that it justifies one.
APART = 3.1
#: The difference for each fact that the cause needs and the failure does not.
LACKING = {Weight.MAJOR: APART, Weight.FINE: APART, Weight.FAINT: 0.2}
#: The difference for each fact that the failure needs and the cause does not.
FURTHER = {Weight.MAJOR: APART, Weight.FINE: 0.5, Weight.FAINT: 0.1}
#: A failure that needs everything its cause needs, and further facts, is probably the same fault: a small witness may
#: need a property that it has by accident. Its further facts are scaled by BESIDES. Two major facts are less likely to
#: be an accident, so the scale grows with this power of their number.
BESIDES, POWER = 0.1, 1.5
#: Scale for facts of the cause that are undecided for the failure: they may be part of its situation.
UNKNOWN = 0.02
#: Scale for undecided facts of the failure that the cause does not have.
UNEXPLAINED = 0.1
#: The difference of a failure from the nearest cause before the first cause is chosen: larger than any other.
UNEXPLAINED_YET = 1e3
#: The difference of a wrong result from a cause that shows in its first or second derivative: it cannot be a
#: consequence of that. For a gradient it is less than the price of a cause, since a wrong loss may exceed its bound in
#: fewer situations. A second derivative may be all that is wrong: many a backward is not meant to be differentiated.
UPSTREAM = {1: 2.0, 2: APART}
#: The difference, for each differentiation, of a wrong derivative from a cause that shows in what is differentiated. It
#: may well be a consequence; this only decides between causes that are otherwise equally near.
DOWNSTREAM = 0.02
#: Scale for undecided facts of a cause that the failure does not have, where the cause is not known to need anything:
#: its situation is unknown rather than any.
MAYBE = 1.0
#: The difference of a failure of a MUST from a cause that breaks only SHOULDs: a result that is less accurate than it
#: could be does not explain a wrong one.
WORSE = APART
#: The difference of a finite wrong number from a cause that shows in nan or infinity. The reverse is no difference: a
#: wrong number may overflow, or be a divisor.
FINITE = 2.0
#: An error that is less than this share of another one is slight beside it.
SLIGHT = 1e-3
#: The fact that a failure needs nan or infinity where it should not matter.
CONTENT = "ignored rows that are not finite"
#: A smaller difference is an accident of the witnesses and counts only this share. Otherwise many failures of one
#: fault, each with an accidental fact, would together be worth another cause.
ACCIDENT, SHARE = 1.2, 0.1
#: A measured size that so many failures have is no accident, and distinguishes faults as a major fact does.
STEADY = 3
#: Two witnesses are equally large if their sizes agree when their binary digits are counted in steps of this many.
MAGNITUDE = 4
#: Characters of a script that is not too long to be read: numbers of many digits are written out in longer ones.
PAGE = 4096


def grouped(instances: Iterable[Instance]) -> list[tuple[Instance, ...]]:
    """Group failures by cause.

    Args:
        instances: The failures of a record, of any backends, requirements and dtypes.

    Returns:
        A group for each cause. Its first failure represents the cause: the report shows its problem.
    """
    by_signature: dict[tuple[str, ...], list[Instance]] = {}
    given = list(instances)
    in_float32 = {instance.verdict.backend for instance in given if instance.signature[1] == AS_FLOAT32}
    states = {instance.signature for instance in given if instance.signature[1] == STATE}
    reads = {i.signature for i in given if i.signature[1] == STRAY_READ and not i.failure.intermittent}
    for instance in given:
        backend = instance.verdict.backend
        # An error of float32's size may have another reason; it has this one if others are computed in float32, perhaps
        # in only some of its terms. Inputs that float32 cannot represent then give any number.
        joins = backend in in_float32 and (instance.may_be_float32 or instance.is_beyond_float32)
        signature = (backend, AS_FLOAT32) if joins else instance.signature
        # Where earlier calls change results, what comes and goes is their consequence: an exception, or a result that
        # once changed with the memory around the inputs.
        if instance.unsteady and (backend, STATE) in states and signature not in reads:
            signature = backend, STATE
        # A call that reads outside of two arrays shows the fault of one that reads outside of one of them.
        signature = min((read for read in reads if _is_part(read, signature)), key=len, default=signature)
        by_signature.setdefault(signature, []).append(instance)
    return with_consequences([group for same in by_signature.values() for group in _by_situation(same)])


def _is_part(read: tuple[str, ...], of: tuple[str, ...]) -> bool:
    """Whether the signature of a stray read has some of the arrays of another one."""
    return read[:2] == of[:2] and set(read[2:]) <= set(of[2:])


def _by_situation(instances: Sequence[Instance]) -> list[tuple[Instance, ...]]:
    """Divide failures with one signature into causes."""
    if any(instance.has_one_cause for instance in instances):
        return [_clearest_first(instances)]
    steady = _steady_sizes(instances)
    by_situation: dict[tuple[object, ...], list[Instance]] = {}
    for instance in instances:
        situation = (
            without(instance.needed, Weight.FAINT),
            without(instance.undecided, Weight.FAINT),
            instance.beginning_at(steady),
            instance.derivative,
            instance.of_target,
            instance.optional,
        )
        by_situation.setdefault(situation, []).append(instance)
    # Failures in the same situation count once, however many requirements fail in it.
    samples = [max(same, key=lambda i: (not i.optional, len(i.failure.right))) for same in by_situation.values()]
    differences = [[_difference(cause, sample, steady) for sample in samples] for cause in samples]
    members: dict[int, list[Instance]] = {cause: [] for cause in _chosen(differences)}
    for i, same in enumerate(by_situation.values()):
        members[min(members, key=lambda cause: differences[cause][i])] += same
    return [_clearest_first(group) for group in members.values()]


def _steady_sizes(instances: Sequence[Instance]) -> frozenset[str]:
    """The sizes beyond which many failures begin."""
    counted = Counter(size for instance in instances for size in instance.sizes if begins_at(size))
    steady = [size for size, times in counted.items() if times >= STEADY]
    # A requirement that also calls with every row twice fails from half of a size on.
    return frozenset(size for size in counted if any(_with_twice_as_many(size, other) for other in steady))


def _with_twice_as_many(size: str, other: str) -> bool:
    """Whether "more than 8 rows", or up to twice as many, is another size such as "more than 16 rows"."""
    (*_, fewest, what), (*_, number, of) = size.split(" "), other.split(" ")
    return what == of and int(fewest) <= int(number) <= 2 * int(fewest) + 1


def _chosen(differences: Sequence[Sequence[float]]) -> list[int]:
    """Choose the causes.

    Args:
        differences: For each possible cause, a row with its difference from each failure.

    Returns:
        Indices of rows. Greedy: the cause that reduces the differences most is added until the reduction is below its
        price; then causes are removed that later ones have made superfluous.
    """
    differences = [[_cost(difference) for difference in row] for row in differences]
    nearest, chosen = [UNEXPLAINED_YET] * len(differences), list[int]()

    def gain(cause: int) -> float:
        return sum(max(0.0, old - new) for old, new in zip(nearest, differences[cause], strict=True)) - WORTH

    while (best := max(range(len(differences)), key=gain)) not in chosen and gain(best) > 0:
        chosen.append(best)
        nearest = [min(old, new) for old, new in zip(nearest, differences[best], strict=True)]
    for cause in list(chosen):
        others = [other for other in chosen if other != cause]
        if others and _total(differences, others) - _total(differences, chosen) <= WORTH:
            chosen = others
    return chosen


def _cost(difference: float) -> float:
    """What a difference counts when the number of causes is chosen."""
    return difference if difference > ACCIDENT else SHARE * difference


def _total(differences: Sequence[Sequence[float]], chosen: Sequence[int]) -> float:
    """The sum of the differences between each failure and the nearest of the chosen causes."""
    nearest: list[float] = [min(column) for column in zip(*(differences[cause] for cause in chosen), strict=True)]
    return sum(nearest)


def _difference(cause: Instance, failure: Instance, steady: frozenset[str] = frozenset()) -> float:
    """How unlikely it is that a failure has the same cause as another one, from 0 on.

    The weighted number of facts that the cause needs and the failure does not, and of those that the failure needs and
    the cause does not; the constants of this module are the weights. ``steady`` are sizes that many failures have.
    """
    exact = cause.exact & failure.exact
    needed = _difference_in_needs(cause, failure, steady) + _difference_in_results(cause, failure)
    if cause.failure.kind in CHECKS:
        return needed  # Of an invalid call hardly anything is decided.
    unexplained = _except_sizes(failure.undecided - cause.has - cause.undecided, exact)
    maybe = cause.undecided - failure.has - failure.undecided if not _surely_needed(cause) else ()
    return needed + UNEXPLAINED * _weight(unexplained, LACKING) + MAYBE * _weight(maybe, LACKING)


def _difference_in_results(cause: Instance, failure: Instance) -> float:
    """The part of the difference that is due to which results of calls are wrong, how wrong, and which are right."""
    steps = cause.derivative - failure.derivative
    one, other = cause.failure, failure.failure
    # Where only one of two gradients is wrong, its fault is not one that shows in the other.
    right = one.quantity in other.right or other.quantity in one.right
    worse = WORSE * (cause.optional and not failure.optional)
    unlike = {cause.is_finite, failure.is_finite} == {True, False} and (failure.is_finite or failure.optional)
    upstream = UPSTREAM[cause.derivative] if steps > 0 else 0.0
    return upstream + DOWNSTREAM * max(0, -steps) + APART * right + worse + FINITE * unlike


def _difference_in_needs(cause: Instance, failure: Instance, steady: frozenset[str]) -> float:
    """The part of the difference that is due to facts and sizes that one of them needs."""
    lacking, further = cause.needed - failure.has, failure.needed - cause.has
    if DIFFERENTLY in cause.needed:
        further -= UNEQUAL
    # Two exact numbers of rows are one fault, such as a last block of some length, however many rows these are.
    exact = cause.exact & failure.exact
    lacking, further = (_except_sizes(facts, exact) for facts in (lacking, further))
    unknown = lacking & failure.undecided
    lacking -= unknown
    beyond = APART * (failure.within(cause.beginning_at(steady)) or cause.within(failure.beginning_at(steady)))
    more, known = _weight(further, FURTHER), _surely_needed(cause)
    # Neither needs what the other one needs, and a measured size of many rows or classes is no accident of a witness.
    if lacking & known and failure.sizes and any(map(is_number, without(further, Weight.FAINT))):
        more += APART
    # A size measured in both failures is as good as a fact that both need.
    shared = known or exact or cause.sizes & failure.sizes
    pairs = [(one, other) for one in cause.sizes for other in failure.sizes if counted_of(one) == counted_of(other)]
    elsewhere = bool(pairs) and not any(near(one, other) for one, other in pairs)
    # With another option or shape the error of a slight fault stays slight.
    options = frozenset(name for name in without(further, Weight.FAINT, Weight.FINE) if not is_number(name))
    slighter = bool(options) and cause.error < SLIGHT * failure.error
    # That a result is nan because of ignored rows has a reason of its own, which those that count do not show.
    ignored = CONTENT in further and "ignored rows" not in cause.has and failure.is_finite is False
    more += (APART - FURTHER[fact(CONTENT).weight]) * ignored
    if shared and not (slighter or ignored or beyond or elsewhere or without(lacking, Weight.FAINT) or lacking & known):
        more *= BESIDES * max(1.0, more / APART) ** POWER
    return beyond + _weight(lacking, LACKING) + more + UNKNOWN * _weight(unknown, LACKING)


def near(size: str, other: str) -> bool:
    """Whether two measured sizes of the same thing are the same, or one is up to twice the other."""
    return _with_twice_as_many(size, other) or _with_twice_as_many(other, size)


def _surely_needed(instance: Instance) -> frozenset[str]:
    """The facts that it does not need by accident: special numbers are among them, though many faults need them."""
    return without(instance.needed, Weight.FAINT) | instance.needed.intersection(SPECIAL_NUMBERS)


def _weight(facts: Iterable[str], weights: Mapping[Weight, float]) -> float:
    return sum(weights[fact(name).weight] for name in facts)


def _except_sizes(facts: frozenset[str], what: frozenset[str]) -> frozenset[str]:
    """The facts that are not about the number of rows, or of classes."""
    return frozenset(name for name in facts if not (is_number(name) and counted_of(name) in what))


def _clearest_first(members: Sequence[Instance]) -> tuple[Instance, ...]:
    """The failures of a cause, the one that explains it best first.

    In this order: failures in calls one after the other rather than in threads, that a new process shows too, that
    occur every time, without calls before, of a MUST requirement, with a number for an invalid call rather than
    nan, not of a second derivative, without a measured size that a smaller failing problem refutes, with the
    cause's most frequent options and shapes, without infinity or other numbers of which the requirement cannot say
    whether they matter, in the most frequent situation, with at least one row, with a measured size at which the
    failure begins, without another undecided fact that a report would have to mention, with a script of at most a
    page, with a small problem, and about the call itself rather than another call compared with it. Of float32
    arithmetic, situation and size say nothing.
    """
    majors = Counter(without(i.needed, Weight.FAINT, Weight.FINE) for i in members)
    exact = Counter(without(i.needed, Weight.FAINT) for i in members)
    in_float32 = any(i.signature[1] == AS_FLOAT32 for i in members)

    def key(instance: Instance) -> tuple[bool | int, ...]:
        needed = without(instance.needed, Weight.FAINT)
        frequency = (0, 0) if in_float32 else (majors[without(needed, Weight.FINE)], exact[needed])
        size = math.prod(instance.failure.problem.logits.shape)
        in_threads = IN_THREADS in instance.failure.message
        # Of two witnesses of about the same size, the one that needs fewer facts is the more general.
        facts = len(instance.needed), size, len(instance.undecided)
        simplicity = size.bit_length() // MAGNITUDE, instance.of_another_call, *facts
        unmeasured = not in_float32 and not any(map(is_size, instance.failure.situation))
        undecided = any(map(must_be_said, instance.undecided))
        special = not instance.undecided.isdisjoint(SPECIAL_NUMBERS)
        steadiness = (
            in_threads,
            instance.failure.only_in_run,
            instance.failure.intermittent,
            instance.failure.calls_before > 0,
            instance.optional,
            instance.gave_nan,
            instance.derivative > 1,
        )
        refuted = any(other.refutes(instance) for other in members)
        known = -frequency[0], special, -frequency[1], not size, unmeasured, undecided
        long = len(instance.failure.reproducer or "") > PAGE
        return *steadiness, refuted, *known, long, *simplicity

    return tuple(sorted(members, key=key))
