"""Invalid calls that are accepted, valid calls that are rejected, and rejections with the wrong message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xent_conformance.calling.calls import Invocation, Outcome
from xent_conformance.judging.findings.base import Finding, ScriptCall
from xent_conformance.problem import Problem
from xent_conformance.records.lines import ExceptionLine

#: A result that is not a number, as text.
NAN = "nan"


@dataclass(frozen=True, kw_only=True)
class Accepted(Finding):
    """An invalid call that was accepted. ``what`` is wrong with it; ``got`` is what it returned."""

    kind: ClassVar[str] = "accepted"
    what: str
    got: str

    @property
    def gave_nan(self) -> bool:
        """Whether the result is nan, which at least is no plausible number."""
        return NAN in self.got

    @property
    def signature(self) -> tuple[str, ...]:
        """An invalid call that gives a number and another one that gives nan may need different remedies."""
        return self.kind, NAN if self.gave_nan else "number"

    @property
    def message(self) -> str:
        """What was accepted, by which call, and with which result."""
        return f"{self.what} accepted by {self.call}: {self.got}"

    def details(self) -> dict[str, Any]:
        """An error was expected."""
        return {"expected": "an error", "got": self.got}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The call, which must raise."""
        return [
            "try:",
            f"    print('accepted:', {calls[0].text}, 'expected an error')",
            "    wrong = True",
            "except Exception as error:",
            "    print(f'rejected with {type(error).__name__}: {error}')",
            "    wrong = False",
        ]


@dataclass(frozen=True, kw_only=True)
class Raised(Finding):
    """A valid call that raised. ``place`` is "file:line" of the innermost frame outside the suite."""

    kind: ClassVar[str] = "raised"
    exception: str
    text: str
    place: str | None = None
    traceback: str | None = None

    @classmethod
    def by(cls, quantity: str, call: Invocation, outcome: Outcome, problem: Problem | None = None) -> Raised:
        """The finding for an outcome with an exception."""
        return cls(
            quantity=quantity,
            calls=(call,),
            problem=problem,
            exception=outcome.raised_type or "",
            text=outcome.raised or "",
            place=outcome.raised_at,
            traceback=outcome.traceback,
        )

    @property
    def message(self) -> str:
        """Which call raised what, and where."""
        at = f" (at {self.place})" if self.place else ""
        return f"{self.call} raised {self.exception}: {self.text}{at}"

    @property
    def signature(self) -> tuple[str, ...]:
        """The exception and where it was raised."""
        return self.kind, self.exception, self.place or ""

    def details(self) -> dict[str, Any]:
        """The exception, with file and line."""
        file, _, line = (self.place or "").rpartition(":")
        exception = ExceptionLine(
            type=self.exception,
            message=self.text,
            file=file,
            line=int(line) if line.isdigit() else 0,
            traceback=self.traceback or "",
        )
        return {"got": f"raised {self.exception}: {self.text}", "exception": exception}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The call, which must not raise."""
        return [
            "import sys, traceback",
            "sys.stdout.reconfigure(errors='backslashreplace')",
            "try:",
            f"    print('returned', {calls[0].text})",
            "    wrong = False",
            "except BaseException as error:",
            f"    wrong = type(error).__name__ == {self.exception!r}",
            "    print('raised', *traceback.format_exception_only(type(error), error))",
        ]


@dataclass(frozen=True, kw_only=True)
class WrongMessage(Finding):
    """A rejection whose message does not name the dtype of ``what`` it rejects: it has none of ``names``."""

    kind: ClassVar[str] = "wrong-message"
    what: str
    names: tuple[str, ...]
    text: str

    @property
    def message(self) -> str:
        """What the error says instead."""
        return f"the error for {self.names[0]} {self.what} does not name that dtype: {self.text}"

    def details(self) -> dict[str, Any]:
        """The message, and the name that it lacks."""
        return {"expected": f"a message with {self.names[0]}", "got": self.text}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The call, whose error must name the dtype."""
        return [
            "try:",
            f"    print('accepted:', {calls[0].text})",
            "    wrong = False",
            "except Exception as error:",
            f"    print(f'{{error}}\\nexpected a message that names {self.names[0]}')",
            "    said = str(error).lower().replace(' ', '')",
            f"    wrong = not any(name in said for name in {self.names!r})",
        ]
