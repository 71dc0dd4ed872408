"""What failed, by requirement and backend, with as much detail as one page holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xent_conformance.records.lines import RequirementLine, VerdictLine
from xent_conformance.records.record import Status
from xent_reports.model import Run, worst_first
from xent_reports.witness import Witness, briefly, of_verdict

#: Bytes that scripts, and tables, may take on one page; past it the later dtypes of a failure go without. Scripts have
#: less where the matrix takes more: so many bytes for each of its cells, and never less than the last number.
_SCRIPTS, _TABLES = 88_000, 40_000
_CELL, _FEW_SCRIPTS = 50, 24_000
#: Characters that all messages together may take, and the least that each may.
_MESSAGES, _MESSAGE = 300_000, 500


@dataclass(frozen=True)
class Failure:
    """A requirement that one backend breaks, with a witness for each failure of each dtype; the worst status first."""

    requirement: RequirementLine
    backend: str
    witnesses: Sequence[Witness]

    @property
    def status(self) -> Status:
        """The worst status of its dtypes."""
        return self.witnesses[0].status

    @property
    def leading(self) -> Sequence[Witness]:
        """The witnesses of the first dtype, which are shown in full; of the others only the dtype is named."""
        return [w for w in self.witnesses if w.dtype == self.witnesses[0].dtype]

    @property
    def brief(self) -> bool:
        """Whether a witness goes without its script and table."""
        return any(w.brief for w in self.witnesses)

    @property
    def words(self) -> str:
        """Statuses and dtypes, for the filter."""
        return " ".join(dict.fromkeys([*(w.status.value for w in self.witnesses), *(w.dtype for w in self.witnesses)]))


@dataclass(frozen=True)
class Broken:
    """A requirement and everyone who breaks it."""

    requirement: RequirementLine
    failures: Sequence[Failure]


def failures(run: Run) -> list[Failure]:
    """Failures by requirement and backend: those that make the run fail first, then broken SHOULDs."""
    limit = max(_MESSAGE, _MESSAGES // max(len(run.failing), 1))
    backends = {b.name: b for b in run.backends}
    grouped: dict[tuple[str, str], list[VerdictLine]] = {}
    for verdict in run.failing:
        grouped.setdefault((verdict.requirement, verdict.backend), []).append(verdict)
    found = []
    for verdicts in grouped.values():
        verdicts.sort(key=worst_first)
        requirement, backend = run.catalogue[verdicts[0].requirement], verdicts[0].backend
        witnesses = [witness for v in verdicts for witness in of_verdict(v, backends[backend], limit)]
        found.append(Failure(requirement, backend, witnesses))
    broken_must = {f.requirement.id for f in found if f.status is not Status.WEAK}
    found.sort(key=lambda f: f.requirement.id not in broken_must)
    cells = len(run.requirements) * len(run.available)
    return _within(found, max(_FEW_SCRIPTS, _SCRIPTS - _CELL * cells))


def broken(failures: Sequence[Failure]) -> list[Broken]:
    """Failures by requirement, in their order."""
    grouped: dict[RequirementLine, list[Failure]] = {}
    for failure in failures:
        grouped.setdefault(failure.requirement, []).append(failure)
    return [Broken(requirement, found) for requirement, found in grouped.items()]


def _within(failures: Sequence[Failure], room: int) -> list[Failure]:
    """The failures with as many scripts as find room, and tables: first one for each requirement, then each backend."""
    seen: dict[str, int] = {}
    places = []
    for failure in failures:
        nth = seen[failure.requirement.id] = seen.get(failure.requirement.id, -1) + 1
        places += [(depth, nth, witness) for depth, witness in enumerate(failure.witnesses)]
    places.sort(key=lambda place: place[:2])
    order = [witness for _, _, witness in places]
    scripts = _fitting([(w.anchor, len(w.script) + len(w.traceback)) for w in order], room)
    tables = _fitting([(w.anchor, w.drawing) for w in order], _TABLES)

    def fitted(witness: Witness) -> Witness:
        return briefly(witness, table=witness.anchor in tables, script=witness.anchor in scripts)

    return [replace(f, witnesses=[fitted(w) for w in f.witnesses]) for f in failures]


def _fitting(sizes: Sequence[tuple[str, int]], room: int) -> set[str]:
    """Names of what finds room, in their order; what is too large for what is left of it is passed over."""
    found = set()
    for name, size in sizes:
        if size <= room:
            room -= size
            found.add(name)
    return found
