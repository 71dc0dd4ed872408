"""Merges causes of different kinds where one is a consequence of the other, as wrong numbers are of a stray write."""

from __future__ import annotations

from xent_conformance.records.instances import RAISED, STATE, STRAY_READ, WRONG_NUMBER, Instance, arrays_read
from xent_conformance.records.lines import Failure
from xent_conformance.records.situations import STRIDED, Weight, without

#: Part of the message of a failure of calls that run in threads. Calls one after the other say more.
IN_THREADS = " in other threads"
#: The kinds of failures in which a call has changed its inputs, or memory beside them.
OVERWRITTEN, STRAY_WRITE = "input-changed", "stray-write"
#: The kind of failures in which a later call has changed an earlier result.
RESULT_CHANGED = "result-changed"
#: The kind of failures in which a result has the wrong shape, dtype or type.
WRONG_FORM = "wrong-form"
#: Ends of the names of calls of derivatives.
SECOND = "_hvp"
DERIVATIVES = "_vjp", SECOND
#: So many failures that depend on earlier calls say what all of them have in common.
MANY = 5


def with_consequences(groups: list[tuple[Instance, ...]]) -> list[tuple[Instance, ...]]:
    """Merge groups with different signatures where one is a consequence of the other.

    A call that writes beside or over its inputs gives wrong numbers in the same situation. Groups with an empty
    situation are not merged: there an independent fault would have the same situation. A call that reads an array as if
    it were contiguous gives wrong numbers with it, and reads outside its elements. Results that depend on earlier calls
    are wrong numbers where one requirement makes these calls itself. A result in memory that a later call overwrites
    also differs while other threads call, and is wrong where a call itself returns another result of that shape, as the
    two gradients with probability targets. An exception in a situation of several options and shapes that also gives
    wrong numbers is another symptom of the same fault. A result of a wrong shape does not take a cotangent of the right
    one, so its gradient is an exception in the same situation. Second derivatives that are wrong with any input are
    those of a gradient that is not meant to be differentiated: some calls raise an exception or return nan.
    """
    merged: dict[int, list[tuple[Instance, ...]]] = {}
    for group in groups:
        behind = next((cause for cause in groups if cause is not group and _follows(group, cause)), group)
        merged.setdefault(id(behind), []).append(group)
    return [same[0] if len(same) == 1 else _consequences_last(sum(same, ())) for same in merged.values()]


def _follows(group: tuple[Instance, ...], cause: tuple[Instance, ...]) -> bool:
    """Whether the failures of a group are a consequence of a cause with another signature."""
    one, other = group[0], cause[0]
    if one.verdict.backend != other.verdict.backend:
        return False
    kind, behind = one.signature[1], other.signature[1]
    needed, situation = (without(instance.needed, Weight.FAINT) for instance in (one, other))
    second = one.failure.call == other.failure.call and one.failure.call.endswith(SECOND)
    if second and behind == WRONG_NUMBER and not situation and (kind != WRONG_NUMBER or needed):
        return True
    if kind in (WRONG_NUMBER, OVERWRITTEN) and behind in (OVERWRITTEN, STRAY_WRITE) and kind != behind:
        return bool(needed) and needed == situation
    if kind == STATE:
        return behind == RESULT_CHANGED and all(IN_THREADS in instance.failure.message for instance in group)
    if kind == RAISED:
        majors = without(needed, Weight.FINE)
        symptom = behind == WRONG_NUMBER and len(majors) > 1 and majors <= other.has
        return symptom or (behind == WRONG_FORM and _of_derivative(one, other) and situation <= one.has)
    return kind == WRONG_NUMBER and _wrong_because_of(cause, one, needed)


def _of_derivative(one: Instance, other: Instance) -> bool:
    """Whether a failure is about a call of the derivative of another failure's call."""
    return one.failure.call in {f"{other.failure.call}{suffix}" for suffix in DERIVATIVES}


def _wrong_because_of(cause: tuple[Instance, ...], wrong: Instance, needed: frozenset[str]) -> bool:
    """Whether a wrong number is a consequence of a cause with another signature."""
    other, kind = cause[0], cause[0].signature[1]
    if kind == RESULT_CHANGED:
        return needed == {"probability targets"} and wrong.derivative == other.derivative == 1
    if kind == STRAY_READ:
        return any(not _strides_of(read.failure).isdisjoint(wrong.failure.situation) for read in cause)
    return kind == STATE and len(cause) >= MANY and bool(needed) and all(needed <= i.has | i.undecided for i in cause)


def _consequences_last(group: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """The group in an order that begins with its cause: what is overwritten, or the read outside an array.

    If all reads are outside a strided array, that array and a wrong number say more than what lies beside its elements.
    """
    reads = [instance.failure for instance in group if instance.failure.kind == STRAY_READ]
    strided = bool(reads) and all(not _strides_of(read).isdisjoint(read.undecided) for read in reads)
    return tuple(sorted(group, key=lambda i: (_rank(i), (i.failure.kind == STRAY_READ) == strided)))


def _rank(instance: Instance) -> int:
    """The place of a failure among its consequences: causes have the lowest."""
    kinds = STRAY_WRITE, OVERWRITTEN, RESULT_CHANGED, STATE
    return kinds.index(kind) if (kind := instance.signature[1]) in kinds else len(kinds) + (kind == RAISED)


def _strides_of(read: Failure) -> frozenset[str]:
    """The facts that the arrays are strided that a call reads beside."""
    return frozenset(f"{name}{STRIDED}" for name in arrays_read(read))
