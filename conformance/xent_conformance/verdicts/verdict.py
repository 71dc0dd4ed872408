"""The verdict on one requirement."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from xent_conformance.judging.subject import Subject
from xent_conformance.records.status import Status
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.deviations import Deviation
from xent_conformance.verdicts.explanations import Explanation
from xent_conformance.verdicts.tally import Failing, Tally


@dataclass
class Verdict:
    """The result of evaluating one requirement on one subject.

    ``explained`` explains the calls that did not return; ``skipped`` is the number of problems that were not judged
    because they are in the situation of one of them.
    """

    requirement: Requirement
    subject: Subject
    status: Status
    tally: Tally
    reason: str | None = None
    observed: str | None = None
    failing: list[Failing] = field(default_factory=list)
    deviations: list[tuple[Deviation, Failing]] = field(default_factory=list)
    explained: tuple[Explanation, ...] = ()
    skipped: int = 0
    seconds: float = 0.0


def in_error(requirement: Requirement, subject: Subject, error: Exception) -> Verdict:
    """The verdict if the suite itself failed outside any single problem."""
    return Verdict(requirement, subject, Status.ERROR, Tally(), reason=reason_of(error))


def reason_of(error: Exception) -> str:
    """Where and how the suite failed, as the reason of a verdict."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    name = frame.filename.rsplit("/", 1)[-1]
    return f"the suite failed in {name}:{frame.lineno}: {type(error).__name__}: {error}"
