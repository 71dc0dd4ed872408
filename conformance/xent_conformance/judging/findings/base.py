"""What all findings have in common, and the two that never fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from xent_conformance.calling.calls import Invocation
from xent_conformance.problem import Problem


class ScriptCall(Protocol):
    """One call of a finding as Python text, in a script whose earlier lines have made its inputs."""

    @property
    def invocation(self) -> Invocation:
        """What is called."""

    @property
    def text(self) -> str:
        """The call itself."""

    @property
    def inputs(self) -> Sequence[str]:
        """The variables of its arrays."""

    @property
    def assignment(self) -> str:
        """A statement that makes the call and gives its results their names."""

    def named(self, result: str) -> str:
        """The variable of a result, once ``assignment`` was carried out."""

    def read(self, expression: str) -> str:
        """One of the backend's arrays as a NumPy array of float64."""

    def rows(self, result: str) -> str:
        """A result of the call by row: losses (rows,) or (), gradients (rows, C)."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one comparison came to.

    ``ratio`` is observed error over bound: above 1 it is a failure, and infinite where no error measures it. ``calls``
    are the calls that it is about: the one that is wrong first, then those that it is beside. ``exercised`` is False
    where the comparison could not have failed; ``ulp`` is the error in units in the last place. ``problem`` is what
    the first call is a call of, None where that is the problem that was judged.
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
    def call(self) -> str:
        """Name of the backend's method that is wrong."""
        return self.calls[0].method if self.calls else ""

    @property
    def message(self) -> str:
        """What is wrong, in one line that begins with the quantity or the call."""
        raise NotImplementedError

    @property
    def signature(self) -> tuple[str, ...]:
        """What findings of one fault share, whichever requirement and problem they are of."""
        return (self.kind,)

    @property
    def likeness(self) -> tuple[object, ...]:
        """What findings of the same failure share while its problem is reduced."""
        return self.kind, self.quantity, self.call, self.signature

    def details(self) -> dict[str, Any]:
        """The fields of the record beside quantity, message and ratio: index, expected, got, bound, exception."""
        return {}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """Lines that make the calls and set ``wrong``."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Held(Finding):
    """A statement without a number that held."""

    ratio: float = 0.0

    @property
    def message(self) -> str:
        """Nothing is wrong."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Declined(Held):
    """Nothing to compare, by the backend's own choice; ``reason`` follows its name."""

    reason: str
    exercised: bool = False
