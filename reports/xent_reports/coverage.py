"""How many problems exercised each requirement, and which requirements were not applicable, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.status import Status
from xent_reports.model import Run


@dataclass(frozen=True)
class Exercised:
    """How often the problems of a requirement met the condition it is about, over all backends and dtypes."""

    examples: int
    exercised: int
    least: str
    least_exercised: int


@dataclass(frozen=True)
class Unjudged:
    """One reason why requirements were not judged, which, and on which backends."""

    backends: Sequence[str]
    reason: str
    status: Status
    requirements: Sequence[tuple[str, Sequence[str]]]


def exercised(run: Run) -> dict[str, Exercised]:
    """Counts by requirement id, for requirements that were judged at all."""
    grouped: dict[str, list[VerdictLine]] = {}
    for verdict in run.verdicts:
        if verdict.status is not Status.NOT_APPLICABLE:
            grouped.setdefault(verdict.requirement, []).append(verdict)
    counts = {}
    for name, verdicts in grouped.items():
        least = min(verdicts, key=lambda v: v.exercised)
        examples, met = sum(v.examples for v in verdicts), sum(v.exercised for v in verdicts)
        where = f"{least.backend}, {least.dtype}"
        counts[name] = Exercised(examples, met, where, least.exercised)
    return counts


def unjudged(run: Run) -> list[Unjudged]:
    """Not applicable and vacuous verdicts by reason; vacuous ones first, they show nothing.

    Backends to which the same reason applies for the same requirements stand together.
    """
    grouped: dict[tuple[bool, str, str], dict[str, list[str]]] = {}
    for verdict in run.verdicts:
        if verdict.status in {Status.NOT_APPLICABLE, Status.VACUOUS}:
            reason = (verdict.reason or "").removeprefix(f"{verdict.backend} ") or "no reason recorded"
            key = (verdict.status is not Status.VACUOUS, reason, verdict.backend)
            grouped.setdefault(key, {}).setdefault(verdict.requirement, []).append(verdict.dtype)
    alike: dict[tuple[bool, str, str], Unjudged] = {}
    for (applies, reason, backend), names in sorted(grouped.items()):
        status, listed = Status.NOT_APPLICABLE if applies else Status.VACUOUS, list(names.items())
        key = (applies, reason, repr(listed))
        before = alike[key].backends if key in alike else ()
        alike[key] = Unjudged((*before, backend), reason, status, listed)
    return list(alike.values())
