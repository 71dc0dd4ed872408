"""The base class of all findings, and the two findings that never fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from xent_conformance.calling.calls import Invocation
from xent_conformance.problem import Problem


class ScriptCall(Protocol):
    """One call of a finding as Python text, for a script whose earlier lines define its inputs."""

    @property
    def invocation(self) -> Invocation:
        """The call as data."""

    @property
    def text(self) -> str:
        """The call itself."""

    @property
    def inputs(self) -> Sequence[str]:
        """The variables of its arrays."""

    @property
    def assignment(self) -> str:
        """A statement that makes the call and assigns its results to variables."""

    def named(self, result: str) -> str:
        """The variable of a result after ``assignment``."""

    def read(self, expression: str) -> str:
        """An expression that converts one of the backend's arrays to a NumPy array of float64."""

    def rows(self, result: str) -> str:
        """An expression for a result of the call by row: losses (rows,) or (), gradients (rows, C)."""


#: Digits of numbers in messages: those of float32, and more where two numbers differ only there.
DIGITS = (9, 12, 15, 17)


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers as text, with as many digits as show that they differ."""
    shown = [(f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in DIGITS]
    return next((pair for pair in shown if pair[0] != pair[1]), shown[0])


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one comparison.

    ``ratio`` is the observed error divided by the bound: above 1 it is a failure; it is infinite where there is no
    error to measure. ``calls`` are the calls that it is about: the wrong one first, then those it was compared with.
    ``exercised`` is False if the comparison could not have failed; ``ulp`` is the error in units in the last place.
    ``problem`` is the problem of the first call, None if that is the one being judged.
    """

    kind: ClassVar[str] = "held"
    quantity: str
    calls: tuple[Invocation, ...] = ()
    ratio: float = math.inf
    exercised: bool = True
    ulp: float = 0.0
    problem: Problem | None = None

    @property
    def failed(self) -> bool:
        """Whether the error exceeds the bound."""
        return not self.ratio <= 1.0

    @property
    def hides_nan(self) -> bool:
        """Whether a number was returned where the result is nan."""
        return False

    @property
    def call(self) -> str:
        """Name of the backend's method that gave the wrong result."""
        return self.calls[0].method if self.calls else ""

    @property
    def message(self) -> str:
        """What is wrong, in one line that starts with the quantity or the call."""
        raise NotImplementedError

    @property
    def signature(self) -> tuple[str, ...]:
        """Equal for findings that may have the same fault, of any requirement and problem."""
        return (self.kind,)

    @property
    def likeness(self) -> tuple[object, ...]:
        """Equal for findings that are the same failure while its problem is reduced."""
        return self.kind, self.quantity, self.call, self.signature

    def details(self) -> dict[str, Any]:
        """Further fields of the record: index, expected, got, bound, exception."""
        return {}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """Lines that make the calls and set ``wrong``."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Held(Finding):
    """A statement that is true, without a number."""

    ratio: float = 0.0

    @property
    def message(self) -> str:
        """Nothing is wrong."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Declined(Held):
    """Nothing to compare, because of the backend's convention; ``reason`` follows the backend's name."""

    reason: str
    exercised: bool = False
