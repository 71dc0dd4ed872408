"""How many of the applicable requirements each backend meets, for the badge and the head of the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from xent_conformance.records.status import Status
from xent_reports.model import Run, worst


@dataclass(frozen=True)
class Standing:
    """One backend and the requirements of one level, each by its worst status over the dtypes."""

    statuses: Counter[Status]
    #: Requirements without a verdict.
    missing: int

    @property
    def met(self) -> int:
        """Requirements that hold in every dtype."""
        return self.statuses[Status.PASS]

    @property
    def applicable(self) -> int:
        """Requirements that hold, do not hold, or have no verdict."""
        return sum(self.statuses.values()) - self.statuses[Status.NOT_APPLICABLE] + self.missing

    def __str__(self) -> str:
        """How many are met, of those that apply."""
        return f"{self.met} of {self.applicable}" if self.applicable else "none applies"


def standing(run: Run, backend: str, level: str) -> Standing:
    """The standing of a backend by its label."""
    statuses: Counter[Status] = Counter()
    missing = 0
    for requirement in run.requirements:
        worst_verdict = worst(v for v in run.cells.get((requirement.id, backend), ()) if v.level == level)
        if worst_verdict is not None:
            statuses[worst_verdict.status] += 1
        elif requirement.level == level and (requirement.id, backend) not in run.cells:
            missing += 1
    return Standing(statuses, missing)
