"""Failures that are listed with a reason and an issue of the library's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xent_reports.model import Requirement, Run
from xent_reports.visible import anchor, shortened
from xent_reports.witness import Witness, of_failure

#: Characters of a reason or a message that are shown.
_TEXT = 2000


@dataclass(frozen=True)
class Deviation:
    """A listed deviation, once for all the dtypes it was seen in."""

    anchor: str
    requirement: Requirement
    backend: str
    reason: str
    issue: str
    versions: str
    dtypes: Sequence[str] = ()
    witness: Witness | None = field(default=None, compare=False)


def deviations(run: Run) -> list[Deviation]:
    """Listed deviations by requirement and backend."""
    backends = {b.label: b for b in run.backends}
    found: dict[Deviation, tuple[list[str], Witness | None]] = {}
    for verdict in run.verdicts:
        for entry in verdict.deviations:
            place = f"known--{anchor(verdict.requirement.id, verdict.backend)}"
            texts = (shortened(entry["reason"], _TEXT), entry["issue"], entry.get("versions") or "")
            key = Deviation(place, verdict.requirement, verdict.backend, *texts)
            witness = entry.get("witness")
            shown = of_failure(witness, verdict, backends[verdict.backend], _TEXT) if witness else None
            found.setdefault(key, ([], shown))[0].append(verdict.dtype)
    listed: dict[str, int] = {}
    result = []
    for key, (dtypes, witness) in found.items():
        again = listed[key.anchor] = listed.get(key.anchor, 0) + 1
        place = key.anchor if again == 1 else f"{key.anchor}--{again}"
        result.append(replace(key, anchor=place, dtypes=dtypes, witness=witness))
    return result
