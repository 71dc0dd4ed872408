"""One failure of a record, as far as it is compared with others."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from xent_conformance.records.lines import Failure, VerdictLine
from xent_conformance.records.situations import Weight, fact, implied, is_size

#: Kinds of findings that are a wrong number, whichever way it was seen.
WRONG_NUMBER = "wrong number"
NUMBERS = frozenset({"wrong-value", "calls-disagree"})
#: Kinds that say that a check is missing: each requirement about invalid calls is about another check. Records of
#: version 1 do not know the kind, nor what a failure needs.
CHECKS = frozenset({"accepted", "wrong-message", "unknown"})
#: Calls that come to something else than before, whether they are compared with themselves or with the exact answer.
STATE = "not-repeatable"
#: The kind of findings that have an exception.
RAISED = "raised"
#: The kind of findings that are a read beside the inputs: one fault, whatever it takes for what was read to show.
STRAY_READ = "stray-read"

#: A number in float64 that is a number of float32, off by no more than that may be: what was computed in float32.
AS_FLOAT32 = "as float32"
#: Largest error of such a number, beside the larger of 1 and the exact one: some units of float32's roundoff.
FLOAT32_ERROR = 2.0**-18
#: So many significant bits and fewer a number may have by chance, whatever it is computed in.
FEW_BITS = 12

#: What makes rows of a mean count differently, and the fact that stands for either.
UNEQUAL = frozenset({"class weights", "ignored rows"})
DIFFERENTLY = "rows that count differently"

#: What messages of one ``raise`` differ in: numbers, and how many of them a shape has.
NUMBER = re.compile(r"-?\b\d+(\.\d*)?(e[-+]?\d+)?|-?\b(nan|inf)\b")
SHAPE = re.compile(r"\((#(, *#)*)?,?\)|\[(#(, *#)*)?\]")


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
            said = SHAPE.sub("#", NUMBER.sub("#", raised.message))
            return self.verdict.backend, RAISED, raised.type, f"{raised.file}:{raised.line}", said
        # Before whether it is intermittent: what lies beside the inputs may be the same with and without them moved.
        if failure.kind == STRAY_READ:
            return self.verdict.backend, failure.kind, str(failure.got)
        if failure.intermittent or failure.calls_before:
            return self.verdict.backend, STATE
        if failure.kind in CHECKS:
            return self.verdict.backend, failure.kind, self.verdict.requirement
        if self.may_be_float32 and _significant_bits(failure.got) > FEW_BITS:
            return self.verdict.backend, AS_FLOAT32
        return self.verdict.backend, WRONG_NUMBER if failure.kind in NUMBERS else failure.kind

    @property
    def has_one_cause(self) -> bool:
        """Whether all of its signature is one fault, whatever it takes to come to that line, read, state or format."""
        return self.failure.exception is not None or self.signature[1] in (STRAY_READ, STATE, AS_FLOAT32)

    @cached_property
    def may_be_float32(self) -> bool:
        """Whether its number may have been computed in float32. One of few bits, such as 1, may be so by chance."""
        failure = self.failure
        of_float64 = failure.kind in NUMBERS and self.verdict.dtype == "float64"
        return of_float64 and _as_float32(failure.got, failure.expected)

    @cached_property
    def needed(self) -> frozenset[str]:
        """What its witness does not fail without, but for what goes without saying."""
        situation = [fact for fact in self.failure.situation if not is_size(fact)]
        needed = frozenset(map(_kind, situation)) - implied(situation) - _sizes(situation)
        return _one_for_another(needed, needed.union(self.failure.undecided))

    @cached_property
    def has(self) -> frozenset[str]:
        """What its witness does not fail without, with what goes without saying."""
        return self.needed | implied(self.needed)

    @cached_property
    def undecided(self) -> frozenset[str]:
        """Facts of its witness that it may or may not need."""
        facts = frozenset(map(_kind, self.failure.undecided)) | _sizes(self.failure.situation)
        return (facts | {DIFFERENTLY} if facts & UNEQUAL else facts) - self.has


def _as_float32(got: object, expected: object) -> bool:
    """Whether a result is a number of float32 near the exact one."""
    if not (isinstance(got, float) and isinstance(expected, float) and math.isfinite(got) and math.isfinite(expected)):
        return False
    if abs(got - expected) > FLOAT32_ERROR * max(1.0, abs(expected)):
        return False
    try:
        (narrow,) = struct.unpack("f", struct.pack("f", got))
    except OverflowError:
        return False
    return bool(narrow == got)


def _significant_bits(value: object) -> int:
    """Bits of a number from its first to its last one that is set."""
    numerator, _ = abs(value).as_integer_ratio() if isinstance(value, float) else (0, 1)
    return (numerator // (numerator & -numerator)).bit_length() if numerator else 0


def _kind(fact: str) -> str:
    """A fact, one for all dtypes of labels."""
    return "labels of another dtype" if "int" in fact and fact.endswith(" labels") else fact


def _one_for_another(needed: frozenset[str], possible: frozenset[str]) -> frozenset[str]:
    """In a mean class weights and ignored rows alike make rows count differently.

    Where it takes something else too, such as spatial logits, what is wrong with that is shown by either of them.
    """
    others = needed - UNEQUAL - {"reduction mean"}
    special = any(fact(name).weight is Weight.MAJOR for name in others)
    if "reduction mean" in possible and len(needed & UNEQUAL) == 1 and special:
        return needed - UNEQUAL | {DIFFERENTLY}
    return needed


def _sizes(situation: Collection[str]) -> frozenset[str]:
    """Facts of a situation that may be needed for another's sake: many logits are many rows, or many classes."""
    many = "more than 10000 logits" in situation
    return frozenset(name for name in situation if many and name.endswith((" rows", " classes")))
