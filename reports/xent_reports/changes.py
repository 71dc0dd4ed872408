"""What changed between two records of the same suite version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.record import GLYPHS, RecordError, Status
from xent_reports.combination import combined, conditions
from xent_reports.figures import counted, ratio
from xent_reports.files import load
from xent_reports.model import Run, dtype_order, run_of
from xent_reports.visible import one_line

#: Exit codes, as diff(1)'s.
SAME, WORSE, TROUBLE = 0, 1, 2
#: How bad a status is when it comes or goes. What is not listed says nothing against a backend.
_BADNESS = {Status.FAIL: 3, Status.CRASH: 3, Status.TIMEOUT: 3, Status.ERROR: 3, Status.WEAK: 2, Status.DEVIATION: 1}
#: Statuses that say something was shown. From one of them to none of them is a loss of evidence.
_SHOWN = (Status.PASS, Status.OBSERVED)
#: Kinds of change from the worst, and what each is called on the page.
KINDS = {
    "regressed": "worse than before",
    "gone": "no longer run, or no longer shown",
    "fixed": "better than before",
    "new": "not in the earlier record",
    "changed": "different, neither better nor worse",
}


@dataclass(frozen=True)
class Change:
    """One verdict before and after; None where it is in one record only."""

    kind: str
    requirement: str
    backend: str
    dtype: str
    before: VerdictLine | None
    after: VerdictLine | None

    @property
    def worse(self) -> bool:
        """Whether the change is for the worse: it broke, it arrived broken, or its evidence is gone."""
        new_failure = self.kind == "new" and self.after is not None and _BADNESS.get(self.after.status, 0) > 1
        return self.kind in {"regressed", "gone"} or new_failure


@dataclass(frozen=True)
class Changes:
    """All changes by kind, the versions that changed, and how many verdicts are as they were.

    ``conditions`` says what differs in what was asked for: nothing is then the same as before. ``started`` and
    ``before`` are when the earlier run began and its verdicts by requirement, backend and dtype.
    """

    changes: Sequence[Change]
    conditions: Sequence[str]
    versions: Sequence[str]
    same: int
    started: str
    before: Mapping[tuple[str, str, str], VerdictLine]

    def of_kind(self, kind: str) -> list[Change]:
        """The changes of one kind."""
        return [c for c in self.changes if c.kind == kind]

    @property
    def unchanged(self) -> str:
        """How many verdicts are as before, as far as that can be said of runs under these conditions."""
        verdicts = counted(self.same, "verdict")
        return f"{verdicts} with the same status, not comparable" if self.conditions else f"{verdicts} as before"

    @property
    def sentence(self) -> str:
        """How many changes there are of each kind, and since when."""
        parts = [f"{len(self.of_kind(kind)):,} {kind}" for kind in KINDS if self.of_kind(kind)]
        return f"Since the record of {self.started}: {', '.join([*parts, self.unchanged, *self.conditions])}"

    def since(self, requirement: str, backend: str, dtype: str) -> str:
        """What a verdict was in the earlier record."""
        earlier = self.before.get((requirement, backend, dtype))
        return "not in the earlier record" if earlier is None else f"{state(earlier)} in the earlier record"


def diff(old: Sequence[Path] | Path, new: Sequence[Path] | Path) -> tuple[str, int]:
    """The changes as text, and the exit code: 0 nothing worse, 1 something worse, 2 records that cannot be compared."""
    try:
        before, after = run_of(combined(load(old))), run_of(combined(load(new)))
        found = compared(before, after)
    except RecordError as error:
        return one_line(str(error)), TROUBLE
    return "\n".join(_lines(found)), WORSE if any(c.worse for c in found.changes) else SAME


def compared(old: Run, new: Run) -> Changes:
    """What differs between two runs; raises RecordError for different suite versions."""
    if old.header.suite != new.header.suite:
        versions = f"{old.header.suite} and {new.header.suite}"
        raise RecordError(f"records of suite versions {versions} cannot be compared; run the older one again")
    before, after = ({(v.requirement, v.backend, v.dtype): v for v in run.verdicts} for run in (old, new))
    keys = sorted(before.keys() | after.keys(), key=lambda k: (k[0], k[1], dtype_order(k[2])))
    found = [_change(key, before.get(key), after.get(key)) for key in keys]
    order = list(KINDS)
    listed = sorted((c for c in found if c is not None), key=lambda c: order.index(c.kind))
    different = conditions(old.header, new.header)
    return Changes(listed, different, _versions(old, new), len(found) - len(listed), old.header.started, before)


def _change(key: tuple[str, str, str], before: VerdictLine | None, after: VerdictLine | None) -> Change | None:
    if before is None or after is None:
        return Change("new" if before is None else "gone", *key, before, after)
    if before.status is after.status:
        return Change("changed", *key, before, after) if before.observed != after.observed else None
    rise = _BADNESS.get(after.status, 0) - _BADNESS.get(before.status, 0)
    if rise:
        return Change("regressed" if rise > 0 else "fixed", *key, before, after)
    lost = before.status in _SHOWN and after.status not in _SHOWN and not _BADNESS.get(after.status)
    return Change("gone" if lost else "changed", *key, before, after)


def _versions(old: Run, new: Run) -> list[str]:
    """Libraries whose version changed, per backend."""
    before = {b.name: b.versions for b in old.backends}
    found = []
    for backend in new.backends:
        for library, version in backend.versions.items():
            earlier = before.get(backend.name, {}).get(library, version)
            if earlier != version:
                found.append(f"{backend.name}: {library} {earlier} → {version}")
    return found


def state(verdict: VerdictLine | None) -> str:
    """A verdict in a word: glyph, word, ratio, and what was observed."""
    if verdict is None:
        return "not run"
    largest = "" if verdict.status is Status.OBSERVED else ratio(verdict.ratio)
    return " ".join(x for x in (*GLYPHS[verdict.status], largest, verdict.observed) if x)


def _lines(found: Changes) -> list[str]:
    lines = [one_line(text) for text in (*found.conditions, *found.versions)]
    for kind in KINDS:
        for change in found.of_kind(kind):
            place = f"{change.requirement} on {change.backend} ({change.dtype})"
            lines.append(one_line(f"{kind}: {place}: {state(change.before)} → {state(change.after)}"))
    parts = [f"{len(found.of_kind(kind)):,} {kind}" for kind in KINDS if found.of_kind(kind)]
    return [*lines, ", ".join([*parts, found.unchanged])]
