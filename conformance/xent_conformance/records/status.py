"""What a verdict says, how binding a requirement is, and how both are shown everywhere."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Level(StrEnum):
    """How binding a requirement is."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    OBSERVED = "OBSERVED"


class Status(StrEnum):
    """What a verdict says."""

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

#: From what needs attention first to what needs none.
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

#: Statuses that make a run fail: exit code 1.
UNEXPECTED = (Status.FAIL, Status.CRASH, Status.TIMEOUT)
#: What causes are looked for: what makes the run fail, what broke the suite, and broken SHOULDs.
FAILING = (*UNEXPECTED, Status.ERROR, Status.WEAK)


def exit_code(statuses: Collection[str]) -> int:
    """The exit code of a run with these verdicts: 0 none is unexpected, 1 some are, 3 errors, or no verdict at all."""
    if not statuses or Status.ERROR in statuses:
        return 3
    return 1 if set(UNEXPECTED) & set(statuses) else 0
