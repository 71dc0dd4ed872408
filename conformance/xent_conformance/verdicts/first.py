"""The first failure of a run, as it shows before it is reduced: whoever waits for a verdict need not wait for that."""

from __future__ import annotations

from dataclasses import dataclass

from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.subject import Subject
from xent_conformance.records.status import Level, Status
from xent_conformance.requirements.registry import Requirement


@dataclass(frozen=True)
class FirstFailure:
    """What fails and how, as data that processes exchange."""

    backend: str
    dtype: str
    requirement: str
    status: Status
    message: str
    ratio: float


def first_failure(requirement: Requirement, subject: Subject, finding: Finding) -> FirstFailure | None:
    """A finding that fails as the first failure of a run; None where the requirement does not fail for it."""
    if isinstance(finding, Lost):
        status = Status(finding.fate)
    elif requirement.level is Level.MUST:
        status = Status.FAIL
    else:
        return None
    return FirstFailure(subject.name, subject.dtype, requirement.id, status, finding.message, finding.ratio)
