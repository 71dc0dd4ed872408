"""One failure of a record, with the properties by which ``grouping`` compares it with others."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

from xent_conformance.records.in_float32 import (
    ROUNDED,
    beyond_float32,
    finite_values,
    in_float32,
    may_be_of_float32,
    shows_float32,
)
from xent_conformance.records.lines import Failure, VerdictLine
from xent_conformance.records.situations import STRIDED, Weight, begins_at, counted_of, fact, implied, is_size
from xent_conformance.records.status import Level

#: Signature of a wrong number, and the kinds of findings that have it: the number may differ from the exact one or from
#: that of another call.
WRONG_NUMBER = "wrong number"
NUMBERS = frozenset({"wrong-value", "calls-disagree"})
#: Kinds of findings for a missing check of arguments. Each requirement about invalid calls is about a different check,
#: so the requirement is part of the signature. Failures in records of version 1 have no kind and no situation.
ACCEPTED = "accepted"
WRONG_MESSAGE = "wrong-message"
CHECKS = frozenset({ACCEPTED, WRONG_MESSAGE, "unknown"})
#: Signature of calls whose result depends on earlier calls, compared with an earlier result or with the exact one.
STATE = "not-repeatable"
#: The kind of findings that have an exception.
RAISED = "raised"
#: The kind of findings for a read outside the inputs. It is one fault, whichever values make it visible.
STRAY_READ = "stray-read"
#: Beginning of what was observed in such a failure; the names of the arrays follow.
READ = "read outside: "

#: Signature of results in float64 that were computed in float32: exactly representable in float32, with an error of
#: some units of float32's roundoff.
AS_FLOAT32 = "as float32"

#: Beginnings of the quantities of derivatives; in earlier records that of second derivatives is "product".
GRADIENT, SECOND = "grad_", ("second derivative", "product")
#: The quantity that is a gradient of probability targets.
TARGET_GRADIENT = "grad_target"

#: Facts by which rows contribute unequally to a mean, and a fact that represents either of them.
UNEQUAL = frozenset({"class weights", "ignored rows"})
DIFFERENTLY = "rows that count differently"

#: The facts that logits, and targets, are strided.
STRIDED_LOGITS, STRIDED_TARGET = f"logits{STRIDED}", f"target{STRIDED}"

#: Parts in which messages of one ``raise`` statement differ: dtypes, as NumPy, JAX (``f32``) and C++ (``Half``) name
#: them, numbers, and the length of shapes.
DTYPE = re.compile(
    r"\b(?:b?float(?:\d\w*)?|u?int\d*|[bf](?:16|32|64)|[us](?:8|16|32|64)|half|double|long|short|char|byte|bool)(?:tensor)?\b",
    re.IGNORECASE,
)
NUMBER = re.compile(r"-?\b\d+(\.\d*)?(e[-+]?\d+)?|-?\b(nan|inf)\b")
SHAPE = re.compile(r"\((#(, *#)*)?,?\)|\[(#(, *#)*)?\]")
#: What torch says of a tensor that was changed in place, if a recorded operation has made it.
MADE_BY = re.compile(r", which is output # of \w+,")


@dataclass(frozen=True)
class Instance:
    """One failure of one verdict."""

    verdict: VerdictLine
    failure: Failure

    @cached_property
    def signature(self) -> tuple[str, ...]:
        """What all failures of one fault have in common: the backend and, mostly, the kind of finding or the exception.

        Failures with different signatures are always different causes.
        """
        failure = self.failure
        raised = failure.exception
        if raised is not None:
            message = MADE_BY.sub("", SHAPE.sub("#", NUMBER.sub("#", DTYPE.sub("#", raised.message))))
            return self.verdict.backend, RAISED, raised.type, f"{raised.file}:{raised.line}", message
        # Stray reads come before intermittent failures: memory outside the inputs may or may not hold the same values
        # in the next call.
        if failure.kind == STRAY_READ:
            like_logits = {"probability targets", STRIDED_TARGET}.issubset(failure.undecided)
            names = arrays_read(failure)
            arrays = {"logits" if like_logits and name == "target" else name for name in names}
            return self.verdict.backend, failure.kind, *sorted(arrays)
        # What an accepted call returns may be any number in memory, or once an error.
        if failure.kind in CHECKS:
            return self.verdict.backend, failure.kind, self.verdict.requirement
        if self.unsteady:
            return self.verdict.backend, STATE
        if self._number_of_float64 and shows_float32(failure.got, failure.expected):
            return self.verdict.backend, AS_FLOAT32
        return self.verdict.backend, WRONG_NUMBER if failure.kind in NUMBERS else failure.kind

    @property
    def unsteady(self) -> bool:
        """Whether its problem alone does not fail every time: it fails by chance, or depends on earlier calls."""
        return self.failure.intermittent or self.failure.calls_before > 0 or self.failure.only_in_run

    @property
    def has_one_cause(self) -> bool:
        """Whether all failures with this signature are one fault, whatever their situations."""
        return self.failure.exception is not None or self.signature[1] in (STRAY_READ, STATE, AS_FLOAT32, WRONG_MESSAGE)

    @cached_property
    def may_be_float32(self) -> bool:
        """Whether its number, which should be of float64, may have been computed in float32, in part at least.

        A slight fault of another kind may fulfil this by chance.
        """
        return self._number_of_float64 and may_be_of_float32(self.failure.got, self.failure.expected)

    @cached_property
    def is_beyond_float32(self) -> bool:
        """Whether it is a wrong number of float64 for inputs of float64 that float32 cannot represent."""
        problem = self.failure.problem
        inputs = [problem.logits, problem.target, problem.weight, problem.cotangent]
        return self._number_of_float64 and (
            any(beyond_float32(value) for array in inputs for value in finite_values(array))
            or any(abs(value - in_float32(value)) > ROUNDED for value in finite_values(problem.logits))
        )

    @property
    def _number_of_float64(self) -> bool:
        return self.failure.kind in NUMBERS and self.verdict.dtype == "float64"

    @cached_property
    def needed(self) -> frozenset[str]:
        """The facts without which its problem does not fail, less those that others of these facts imply."""
        situation = [fact for fact in self.failure.situation if not is_size(fact)]
        needed = frozenset(map(_kind, situation)) - implied(situation) - _sizes(situation)
        possible = needed.union(self.failure.undecided)
        return _read_as_logits(_one_for_another(needed, possible), possible)

    @cached_property
    def sizes(self) -> frozenset[str]:
        """The sizes at which the failure begins, where they were measured."""
        return frozenset(filter(is_size, self.failure.situation))

    def within(self, sizes: Iterable[str]) -> bool:
        """Whether its problem is within a size such as "more than 64 classes", and no such size was measured for it."""
        return any(not self._beyond(size) and counted_of(size) not in self._measured for size in sizes)

    def beginning_at(self, sizes: Iterable[str]) -> frozenset[str]:
        """Of sizes such as "more than 64 classes", those that it has or may have, since it needs many classes."""
        return frozenset(
            size
            for size in sizes
            if size in self.sizes or (self._beyond(size) and not self.needed.isdisjoint(fact(size).implies))
        )

    def refutes(self, other: Instance) -> bool:
        """Whether its problem is smaller than the size at which another failure of the same kind is said to begin.

        Another call that is compared with its own may be that large, such as one with every row twice.
        """
        shape = self.failure.problem.logits.shape
        same = self.signature == other.signature and math.prod(shape) > 0 and not self.of_another_call
        return same and any(not self._reaches(size) for size in other.sizes)

    @property
    def of_another_call(self) -> bool:
        """Whether its message is about another call than that of its problem: a note in brackets says which."""
        return self.failure.message.endswith(")")

    @cached_property
    def _measured(self) -> frozenset[str]:
        return frozenset(counted_of(size) for size in self.sizes)

    def _beyond(self, size: str) -> bool:
        """Whether its problem is larger than a size such as "more than 64 classes"."""
        *_, number, what = size.split(" ")
        return int(number) < self._number_of(what)

    def _reaches(self, size: str) -> bool:
        """Whether its problem is at least as large as a size such as "more than 64 classes" or "just 65 classes"."""
        *_, number, what = size.split(" ")
        return self._number_of(what) >= int(number) + begins_at(size)

    def _number_of(self, what: str) -> int:
        """The number of "classes" or "rows" of its problem."""
        shape = self.failure.problem.logits.shape
        classes = shape[min(1, len(shape) - 1)] if shape else 1
        return classes if what == "classes" else math.prod(shape) // max(classes, 1)

    @cached_property
    def exact(self) -> frozenset[str]:
        """What it needs an exact number of: "rows", "classes"."""
        return frozenset(counted_of(size) for size in self.sizes if size.startswith("just "))

    @cached_property
    def has(self) -> frozenset[str]:
        """The needed facts and all facts that they imply."""
        has = self.needed | implied(self.needed)
        return has | {DIFFERENTLY} if has & UNEQUAL else has

    @cached_property
    def undecided(self) -> frozenset[str]:
        """The facts of its problem for which the suite could not decide whether they are needed."""
        facts = frozenset(map(_kind, self.failure.undecided)) | _sizes(self.failure.situation)
        facts |= implied(facts)
        return (facts | {DIFFERENTLY} if facts & UNEQUAL else facts) - self.has

    def decides(self, name: str) -> bool | None:
        """Whether it needs a fact; None if that is not known."""
        needed, undecided = self.failure.situation, self.failure.undecided
        if name in needed or name in implied(needed):
            return True
        return None if name in undecided or name in implied(undecided) else False

    @property
    def derivative(self) -> int:
        """How often the wrong result is differentiated: 0 for a loss, 1 for a gradient, 2 for a Hessian's product."""
        quantity = self.failure.quantity
        return 2 if quantity.startswith(SECOND) else int(quantity.startswith(GRADIENT))

    @cached_property
    def is_finite(self) -> bool | None:
        """Whether its wrong number is finite, as it should be; None if it should not be, or there is no number."""
        got, expected = self.failure.got, self.failure.expected
        if not (isinstance(got, float) and isinstance(expected, float) and math.isfinite(expected)):
            return None
        return math.isfinite(got)

    @cached_property
    def error(self) -> float:
        """The error of its wrong number, as a share of the larger of both; nan if one of them is no finite number."""
        got, expected = self.failure.got, self.failure.expected
        if not (self.is_finite and isinstance(got, float) and isinstance(expected, float)) or got == expected:
            return math.nan
        return abs(got - expected) / max(abs(got), abs(expected))

    @property
    def gave_nan(self) -> bool:
        """Whether an invalid call was accepted and returned nan, which at least is no plausible number."""
        return self.failure.kind == ACCEPTED and "nan" in str(self.failure.got)

    @property
    def optional(self) -> bool:
        """Whether its requirement is only a SHOULD."""
        return self.verdict.level is not Level.MUST

    @property
    def of_target(self) -> bool:
        """Whether the wrong result is a gradient of probability targets."""
        return self.failure.quantity == TARGET_GRADIENT


def arrays_read(failure: Failure) -> list[str]:
    """The arrays outside of which a failing call reads."""
    return str(failure.got).removeprefix(READ).split(", ")


def _kind(fact: str) -> str:
    """A fact's name, with one name for labels of any dtype other than int64."""
    return "labels of another dtype" if "int" in fact and fact.endswith(" labels") else fact


def _one_for_another(needed: frozenset[str], possible: frozenset[str]) -> frozenset[str]:
    """Replace class weights, or ignored rows, by one fact for both, if another major fact is needed as well.

    In a mean, both make rows contribute unequally. A fault in, for instance, the mean of spatial logits is visible with
    either of them, and is then the same fault.
    """
    others = needed - UNEQUAL - {"reduction mean"}
    major = any(fact(name).weight is Weight.MAJOR for name in others)
    if "reduction mean" in possible and len(needed & UNEQUAL) == 1 and major:
        return needed - UNEQUAL | {DIFFERENTLY}
    return needed


def _read_as_logits(needed: frozenset[str], possible: frozenset[str]) -> frozenset[str]:
    """Replace strides of probability targets by strides of logits, which have the same shape.

    The same lines of a kernel read both arrays, so strides that it ignores are one fault.
    """
    if "probability targets" in possible and STRIDED_TARGET in needed:
        return needed - {STRIDED_TARGET} | {STRIDED_LOGITS}
    return needed


def _sizes(situation: Collection[str]) -> frozenset[str]:
    """Facts about many rows or classes in a situation with many logits.

    Fewer rows or classes are also fewer logits, so it is not known whether the rows, the classes or the logits count.
    """
    many = any(begins_at(name) and counted_of(name) == "logits" for name in situation)
    return frozenset(name for name in situation if many and name.endswith((" rows", " classes")))
