"""Failures that are listed with a reason and an issue of the library's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xent_conformance.records.lines import DeviationLine, RequirementLine, VerdictLine
from xent_reports.model import Run
from xent_reports.visible import anchor, shortened
from xent_reports.witness import Witness, briefly, of_failure

#: Characters of a reason or a message that are shown.
_TEXT = 2000
#: Bytes that the scripts of all witnesses may take on one page.
_SCRIPTS = 25_000


@dataclass(frozen=True)
class Place:
    """A requirement that a deviation concerns, and the dtypes it was seen in there."""

    anchor: str
    requirement: RequirementLine
    dtypes: Sequence[str]


@dataclass(frozen=True)
class Deviation:
    """A listed deviation, once for all the requirements that it concerns, with the witness of the first of them."""

    backend: str
    reason: str
    issue: str
    versions: str
    places: Sequence[Place]
    witness: Witness | None = None


def deviations(run: Run) -> list[Deviation]:
    """Listed deviations in the order of the requirements."""
    backends = {b.name: b for b in run.backends}
    grouped: dict[tuple[str, str, str, str], list[tuple[VerdictLine, DeviationLine]]] = {}
    for verdict in run.verdicts:
        for entry in verdict.deviations:
            key = (verdict.backend, shortened(entry.reason, _TEXT), entry.issue, entry.versions)
            grouped.setdefault(key, []).append((verdict, entry))
    taken: dict[str, int] = {}
    room, result = _SCRIPTS, []
    for (backend, reason, issue, versions), seen in grouped.items():
        known = ((verdict, entry.witness) for verdict, entry in seen)
        witness = next((of_failure(w, v, backends[backend], _TEXT) for v, w in known if w is not None), None)
        if witness is not None and len(witness.script) > room:
            witness = briefly(witness, table=True, script=False)
        room -= len(witness.script) if witness else 0
        places = _places(run, [verdict for verdict, _ in seen], taken)
        result.append(Deviation(backend, reason, issue, versions, places, witness))
    return result


def _places(run: Run, verdicts: Sequence[VerdictLine], taken: dict[str, int]) -> list[Place]:
    """The requirements of some verdicts; ``taken`` counts the uses of each anchor."""
    dtypes: dict[str, list[str]] = {}
    for verdict in verdicts:
        dtypes.setdefault(verdict.requirement, []).append(verdict.dtype)
    places = []
    for requirement, names in dtypes.items():
        place = f"known--{anchor(requirement, verdicts[0].backend)}"
        again = taken[place] = taken.get(place, 0) + 1
        places.append(Place(place if again == 1 else f"{place}--{again}", run.catalogue[requirement], names))
    return places
