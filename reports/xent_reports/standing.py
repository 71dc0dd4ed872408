"""How many of the requirements that apply to it each backend meets: what the badge and the top of the matrix say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from xent_conformance.records.record import SEVERITY, Status
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

    @property
    def worst(self) -> Status | None:
        """The status that needs attention most; None where what is not known decides."""
        if self.missing and set(self.statuses) <= {Status.PASS, Status.NOT_APPLICABLE}:
            return None
        return min(self.statuses, key=SEVERITY.index, default=None)


def standings(run: Run, level: str) -> dict[str, Standing]:
    """Each backend's standing by its label."""
    return {backend.name: _standing(run, backend.name, level) for backend in run.available}


def _standing(run: Run, label: str, level: str) -> Standing:
    statuses: Counter[Status] = Counter()
    missing = 0
    for requirement in run.requirements:
        found = worst(v for v in run.cells.get((requirement.id, label), ()) if v.level == level)
        if found is not None:
            statuses[found.status] += 1
        elif requirement.level == level and (requirement.id, label) not in run.cells:
            missing += 1
    return Standing(statuses, missing)
