"""The first failure of a run, which is reported before it is reduced, so that users see it early."""

from __future__ import annotations

from dataclasses import dataclass

from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.subject import Subject
from xent_conformance.records.status import Level, Status
from xent_conformance.requirements.registry import Requirement


@dataclass(frozen=True)
class FirstFailure:
    """A failing requirement and how it fails, as data that can be sent between processes."""

    backend: str
    dtype: str
    requirement: str
    status: Status
    message: str
    ratio: float


def first_failure(requirement: Requirement, subject: Subject, finding: Finding) -> FirstFailure | None:
    """The first failure for a failing finding; None if the requirement does not fail because of it, as a SHOULD."""
    if isinstance(finding, Lost):
        status = Status(finding.fate)
    elif requirement.level is Level.MUST:
        status = Status.FAIL
    else:
        return None
    return FirstFailure(subject.name, subject.dtype, requirement.id, status, finding.message, finding.ratio)
