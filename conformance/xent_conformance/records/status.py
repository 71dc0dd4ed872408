"""The statuses of verdicts and the levels of requirements, with their glyphs and words, and what a run exits with."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Level(StrEnum):
    """How binding a requirement is."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    OBSERVED = "OBSERVED"


class Status(StrEnum):
    """The result of a requirement for a backend and dtype."""

    PASS = "pass"  # noqa: S105 - a status
    FAIL = "fail"
    WEAK = "weak"
    CRASH = "crash"
    TIMEOUT = "timeout"
    ERROR = "error"
    DEVIATION = "deviation"
    NOT_APPLICABLE = "not-applicable"
    OBSERVED = "observed"
    VACUOUS = "vacuous"


#: One glyph and one word for each status, the same on the terminal, in Markdown and in HTML.
GLYPHS: dict[Status, tuple[str, str]] = {
    Status.PASS: ("✓", "pass"),
    Status.FAIL: ("✗", "fail"),
    Status.WEAK: ("△", "weak"),
    Status.CRASH: ("☠", "crash"),
    Status.TIMEOUT: ("◷", "timeout"),
    Status.ERROR: ("!", "error"),
    Status.DEVIATION: ("≠", "deviation"),
    Status.NOT_APPLICABLE: ("–", "not applicable"),
    Status.OBSERVED: ("·", "observed"),
    Status.VACUOUS: ("∅", "not exercised"),
}

#: Statuses by urgency, most urgent first.
SEVERITY = (
    Status.ERROR,
    Status.CRASH,
    Status.TIMEOUT,
    Status.FAIL,
    Status.WEAK,
    Status.DEVIATION,
    Status.VACUOUS,
    Status.PASS,
    Status.OBSERVED,
    Status.NOT_APPLICABLE,
)

#: Exit codes: nothing failed; something failed; a usage error; the suite or an adapter broke.
OK, FAILED, USAGE, BROKEN = 0, 1, 2, 3
#: Statuses that make a run fail.
UNEXPECTED = (Status.FAIL, Status.CRASH, Status.TIMEOUT)
#: Statuses whose causes are determined: those that make a run fail, errors of the suite, and violated SHOULDs.
FAILING = (*UNEXPECTED, Status.ERROR, Status.WEAK)


def exit_code(statuses: Collection[str]) -> int:
    """The exit code of a run: 0 if no verdict is unexpected, 1 if some are, 3 for errors or if there is no verdict.

    Args:
        statuses: Statuses of all verdicts.

    Example:
        >>> exit_code(["pass", "weak"]), exit_code(["pass", "fail"]), exit_code([])
        (0, 1, 3)
    """
    if not statuses or Status.ERROR in statuses:
        return BROKEN
    return FAILED if set(UNEXPECTED) & set(statuses) else OK
