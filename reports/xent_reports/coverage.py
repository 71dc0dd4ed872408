"""What was exercised and what was not applicable, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xent_conformance.record import Status
from xent_reports.model import Requirement, Run, Verdict


@dataclass(frozen=True)
class Exercised:
    """How often the problems of a requirement met the condition it is about, over all backends and dtypes."""

    requirement: Requirement
    examples: int
    exercised: int
    least: str
    least_exercised: int


@dataclass(frozen=True)
class Unjudged:
    """One reason why requirements were not judged on a backend, and which."""

    backend: str
    reason: str
    status: Status
    requirements: Sequence[tuple[str, Sequence[str]]]


def exercised(run: Run) -> dict[str, Exercised]:
    """Counts by requirement id, for requirements that were judged at all."""
    grouped: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        if verdict.status is not Status.NOT_APPLICABLE:
            grouped.setdefault(verdict.requirement.id, []).append(verdict)
    found = {}
    for name, verdicts in grouped.items():
        least = min(verdicts, key=lambda v: v.exercised)
        examples, met = sum(v.examples for v in verdicts), sum(v.exercised for v in verdicts)
        where = f"{least.backend}, {least.dtype}"
        found[name] = Exercised(verdicts[0].requirement, examples, met, where, least.exercised)
    return found


def unjudged(run: Run) -> list[Unjudged]:
    """Not applicable and vacuous verdicts by backend and reason; vacuous ones first, they show nothing."""
    grouped: dict[tuple[bool, str, str], dict[str, list[str]]] = {}
    for verdict in run.verdicts:
        if verdict.status in {Status.NOT_APPLICABLE, Status.VACUOUS}:
            key = (verdict.status is not Status.VACUOUS, verdict.backend, verdict.reason or "no reason recorded")
            grouped.setdefault(key, {}).setdefault(verdict.requirement.id, []).append(verdict.dtype)
    return [
        Unjudged(backend, reason, Status.NOT_APPLICABLE if applies else Status.VACUOUS, list(names.items()))
        for (applies, backend, reason), names in sorted(grouped.items())
    ]
