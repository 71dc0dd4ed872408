"""What changed since earlier records of the same suite version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.record import RecordError
from xent_conformance.records.status import GLYPHS, SEVERITY, Status
from xent_reports.combination import combined, conditions
from xent_reports.figures import counted, listed, ratio
from xent_reports.files import load
from xent_reports.headline import counts
from xent_reports.model import Run, dtype_order, run_of
from xent_reports.visible import one_line

#: Exit codes, as diff(1)'s.
SAME, WORSE, TROUBLE = 0, 1, 2
#: How bad a status is when it appears or disappears. Statuses that are not listed are no objection to a backend.
_BADNESS = {Status.FAIL: 3, Status.CRASH: 3, Status.TIMEOUT: 3, Status.ERROR: 3, Status.WEAK: 2, Status.DEVIATION: 1}
#: Statuses with evidence. A change from one of them to another status is a loss of evidence.
_SHOWN = (Status.PASS, Status.OBSERVED)
#: Kinds of change, worst first, each with its name on the page.
KINDS = {
    "regressed": "worse than before",
    "gone": "no longer run, or no longer shown",
    "fixed": "better than before",
    "new": "not in the earlier record",
    "changed": "different, neither better nor worse",
    "earlier": "as in the latest earlier record, different in one before it",
}
#: Signs of verdicts that are worse, or better, than in the latest earlier record.
WORSE_SIGN, BETTER_SIGN = "▲", "▼"
SIGNS = {WORSE_SIGN: "worse than before", BETTER_SIGN: "better than before"}
#: What is said of all verdicts of a backend that is in one of the records only.
_WHOLE = {"gone": "the later record does not have this backend", "new": "no earlier record has this backend"}


@dataclass(frozen=True)
class Change:
    """One verdict before and after; None where it is in one record only. ``history`` is of all earlier records."""

    kind: str
    requirement: str
    backend: str
    dtype: str
    before: VerdictLine | None
    after: VerdictLine | None
    history: Sequence[VerdictLine | None]

    @property
    def worse(self) -> bool:
        """Whether the change is for the worse: it broke, it arrived broken, or its evidence is gone."""
        new_failure = self.kind == "new" and self.after is not None and _BADNESS.get(self.after.status, 0) > 1
        return self.kind in {"regressed", "gone"} or new_failure

    @property
    def sign(self) -> str:
        """Whether it is for the worse or for the better; empty if neither."""
        return WORSE_SIGN if self.worse else BETTER_SIGN if self.kind == "fixed" else ""

    @property
    def states(self) -> list[str]:
        """The verdict in each record, the oldest first."""
        return [state(verdict) for verdict in (*self.history, self.after)]


@dataclass(frozen=True)
class Changes:
    """All changes by kind, the versions and names that changed, and how many verdicts are as they were.

    ``conditions`` are differences between the requests: verdicts then cannot be compared. ``runs`` are all of
    them, the oldest first; ``before`` has the verdicts of the latest earlier one by requirement, backend and dtype.
    """

    changes: Sequence[Change]
    conditions: Sequence[str]
    versions: Sequence[str]
    same: int
    runs: Sequence[Run]
    before: Mapping[tuple[str, str, str], VerdictLine]

    def of_kind(self, kind: str) -> list[Change]:
        """The changes of one kind."""
        return [c for c in self.changes if c.kind == kind]

    @cached_property
    def backends_in_both(self) -> set[str]:
        """The backends of the latest record that the one before it has too."""
        return {backend for _, backend, _ in self.before} & {verdict.backend for verdict in self.runs[-1].verdicts}

    @cached_property
    def signs(self) -> dict[tuple[str, str, str], str]:
        """Signs of changes for the worse or better, by requirement, backend and dtype."""
        return {(c.requirement, c.backend, c.dtype): c.sign for c in self.changes if c.sign}

    @property
    def unchanged(self) -> str:
        """How many verdicts did not change, if the conditions allow a comparison."""
        verdicts = counted(self.same, "verdict")
        return f"{verdicts} with the same status, not comparable" if self.conditions else f"{verdicts} as before"

    @property
    def numbers(self) -> list[str]:
        """How many changes there are of each kind, the worst first, and how many verdicts did not change."""
        counts = [f"{len(self.of_kind(kind)):,} {kind}" for kind in KINDS if self.of_kind(kind)]
        return [*counts, self.unchanged]

    @property
    def sentence(self) -> str:
        """The number of changes of each kind, and since when."""
        return f"Since the record of {self.runs[-2].header.started}: {', '.join([*self.numbers, *self.conditions])}"

    def since(self, requirement: str, backend: str, dtype: str) -> str:
        """A verdict's status in the earlier record."""
        earlier = self.before.get((requirement, backend, dtype))
        return "not in the earlier record" if earlier is None else f"{state(earlier)} in the earlier record"


def diff(old: Sequence[Path] | Path, new: Sequence[Path] | Path) -> tuple[str, int]:
    """The changes as text, and the exit code: 0 nothing worse, 1 something worse, 2 records that cannot be compared.

    Several old records are a history: the new one is compared with the latest of them.
    """
    try:
        changes = compared(runs(old), run_of(combined(load(new))))
    except RecordError as error:
        return one_line(str(error)), TROUBLE
    return "\n".join(_lines(changes)), WORSE if any(c.worse for c in changes.changes) else SAME


def runs(records: Sequence[Path] | Path) -> list[Run]:
    """Earlier runs, one for each record."""
    return [run_of(combined([record])) for record in load(records)]


def compared(earlier: Sequence[Run], new: Run) -> Changes:
    """What differs between a run and earlier ones; raises RecordError for different suite versions."""
    suites = dict.fromkeys(run.header.suite for run in (*earlier, new))
    if len(suites) > 1:
        raise RecordError(
            f"records of suite versions {listed(list(suites))} cannot be compared; run the older one again"
        )
    history = sorted(earlier, key=lambda run: run.header.started)
    # Records of one backend each are those of an implementation and of its successor, whatever their names.
    only, alone = _only_backend(new), [_only_backend(run) for run in history]
    renamed = dict.fromkeys(name for name in alone if name and only and name != only)
    past = [_by_place(run, name and only) for run, name in zip(history, alone, strict=True)]
    before, after = past[-1], _by_place(new)
    places = {place for verdicts in (*past, after) for place in verdicts}
    keys = sorted(places, key=lambda k: (k[0], k[1], dtype_order(k[2])))
    all_changes = [_change(key, [verdicts.get(key) for verdicts in past], after.get(key)) for key in keys]
    order = list(KINDS)
    changes = sorted((c for c in all_changes if c is not None), key=lambda c: order.index(c.kind))
    same = len(before.keys() | after.keys()) - sum(c.kind != "earlier" for c in changes)
    different = conditions(history[-1].header, new.header)
    versions = [f"{name} is compared with {only}" for name in renamed] + _versions(history[-1], new)
    return Changes(changes, different, versions, same, (*history, new), before)


def _only_backend(run: Run) -> str | None:
    """The backend of a record that has one; None if there are several."""
    names = {verdict.backend for verdict in run.verdicts}
    return names.pop() if len(names) == 1 else None


def _by_place(run: Run, name: str | None = None) -> dict[tuple[str, str, str], VerdictLine]:
    """The verdicts of a record by requirement, backend, perhaps under another ``name``, and dtype."""
    return {(v.requirement, name or v.backend, v.dtype): v for v in run.verdicts}


def _change(
    key: tuple[str, str, str], history: Sequence[VerdictLine | None], after: VerdictLine | None
) -> Change | None:
    before = history[-1]
    kind = _kind(before, after)
    if not kind and len({state(verdict) if verdict is None else verdict.status for verdict in history}) > 1:
        kind = "earlier"
    return Change(kind, *key, before, after, history) if kind else None


def _kind(before: VerdictLine | None, after: VerdictLine | None) -> str:
    """The kind of change; empty if there is none."""
    if before is None or after is None:
        return "" if before is after else "new" if before is None else "gone"
    if before.status is after.status:
        return "changed" if before.observed != after.observed else ""
    rise = _BADNESS.get(after.status, 0) - _BADNESS.get(before.status, 0)
    if rise:
        return "regressed" if rise > 0 else "fixed"
    lost = before.status in _SHOWN and after.status not in _SHOWN and not _BADNESS.get(after.status)
    return "gone" if lost else "changed"


def _versions(old: Run, new: Run) -> list[str]:
    """Libraries whose version changed, per backend."""
    before = {b.name: b.versions for b in old.backends}
    changed = []
    for backend in new.backends:
        for library, version in backend.versions.items():
            earlier = before.get(backend.name, {}).get(library, version)
            if earlier != version:
                changed.append(f"{backend.name}: {library} {earlier} → {version}")
    return changed


def trend(changes: Changes) -> list[tuple[str, list[int]]]:
    """When each run began, and how many of its requirements are of each status of :func:`statuses`."""
    return [(run.header.started, [dict(counts(run)).get(s, 0) for s in statuses(changes)]) for run in changes.runs]


def statuses(changes: Changes) -> list[Status | None]:
    """The statuses that requirements of any of the runs have, the worst first."""
    seen = {status for run in changes.runs for status, _ in counts(run)}
    return [status for status in (*SEVERITY, None) if status in seen]


def state(verdict: VerdictLine | None) -> str:
    """A verdict in short: glyph, word, ratio, and the observation."""
    if verdict is None:
        return "not run"
    largest = "" if verdict.status is Status.OBSERVED else ratio(verdict.ratio)
    return " ".join(x for x in (*GLYPHS[verdict.status], largest, verdict.observed) if x)


def _lines(changes: Changes) -> list[str]:
    lines = [one_line(text) for text in (*changes.conditions, *changes.versions)]
    for kind in KINDS:
        of_backend = Counter(change.backend for change in changes.of_kind(kind))
        whole = [name for name in of_backend if kind in _WHOLE and name not in changes.backends_in_both]
        lines += [one_line(f"{kind}: {name}, {counted(of_backend[name], 'verdict')}: {_WHOLE[kind]}") for name in whole]
        for change in changes.of_kind(kind):
            if change.backend not in whole:
                place = f"{change.requirement} on {change.backend} ({change.dtype})"
                lines.append(one_line(f"{kind}: {place}: {' → '.join(change.states)}"))
    return [*lines, ", ".join(changes.numbers)]
