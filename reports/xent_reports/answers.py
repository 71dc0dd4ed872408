"""The answers of the other backends of a run to the smallest problem of a cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xent_conformance.records.lines import AnswerLine, Failure
from xent_reports.figures import listed, quantity
from xent_reports.visible import abridged, one_line, shortened

#: Characters of an answer in a sentence; a table has more room.
_ANSWER = 60
#: Characters of a name.
_NAME = 24


@dataclass(frozen=True)
class Answers:
    """The answers, and the right one for the backend that fails."""

    expected: str = ""
    lines: Sequence[AnswerLine] = ()
    #: Whether the right answer is a number.
    exact: bool = False

    def __bool__(self) -> bool:
        """Whether the record has answers of other backends."""
        return bool(self.lines)

    def name(self, line: AnswerLine) -> str:
        """The backend that gave an answer, and the mode that it was called in."""
        return _with_modes(line.backend, [line.mode])

    @property
    def sentence(self) -> str:
        """Who agrees, who does not and how, and to whom it does not apply."""
        agree, others = self._named("agrees"), self._named("not-applicable")
        verb = "agrees" if len(agree) == 1 else "agree"
        right = f"{verb} with the exact answer" if self.exact else "as required"
        parts = [f"{listed(agree)}{' ' if self.exact else ': '}{right}"] if agree else []
        alike: dict[str, list[AnswerLine]] = {}
        for line in self.lines:
            if line.outcome in ("own-convention", "differs"):
                alike.setdefault(shortened(one_line(self.answer(line)), _ANSWER), []).append(line)
        parts += [f"{listed(_names(lines))}: {answer}" for answer, lines in alike.items()]
        return "; ".join([*parts, *([f"not applicable to {listed(others)}"] if others else [])])

    def answer(self, line: AnswerLine) -> str:
        """A backend's answer, in words."""
        got = quantity(line.got)
        if line.outcome == "agrees":
            return got or "as required"
        if line.outcome == "own-convention":
            return f"{got or 'right'}, by a convention of its own"
        return got or line.reason if line.outcome == "differs" else f"not applicable: {line.reason}"

    def _named(self, outcome: str) -> list[str]:
        return _names(line for line in self.lines if line.outcome == outcome)


def answers_of(failure: Failure) -> Answers:
    """The answers of a failure; empty if no other backend was called."""
    exact = isinstance(failure.expected, int | float)
    return Answers(quantity(failure.expected), failure.answers, exact)


def _names(lines: Iterable[AnswerLine]) -> list[str]:
    """The backends that gave some answers, each with the modes that it was called in."""
    modes: dict[str, list[str]] = {}
    for line in lines:
        modes.setdefault(line.backend, []).append(line.mode)
    return [_with_modes(backend, of_backend) for backend, of_backend in modes.items()]


def _with_modes(backend: str, modes: Sequence[str]) -> str:
    name, named = abridged(one_line(backend), _NAME), listed([abridged(one_line(m), _NAME) for m in modes if m])
    return f"{name} ({'also ' if '' in modes else ''}{named})" if named else name
