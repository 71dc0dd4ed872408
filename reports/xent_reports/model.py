"""A run as the report sees it: the record with names for its parts, and every verdict found by what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from xent_conformance.records.record import SEVERITY, UNEXPECTED, Record, RecordError, Status, number
from xent_reports.figures import size
from xent_reports.joining import sources

#: The order of dtypes in every table; others follow by name.
_DTYPES = ("float16", "bfloat16", "float32", "float64")
#: What a page lists under Failures: what makes the run fail, what broke the suite, and broken SHOULDs.
FAILING = (*UNEXPECTED, Status.ERROR, Status.WEAK)


@dataclass(frozen=True)
class Requirement:
    """An entry of the catalogue."""

    id: str
    title: str
    level: str
    statement: str
    family: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Backend:
    """An implementation under test. ``label`` is its name, with the device where that name is there twice.

    ``unavailable`` is why it was not judged, ``broken`` whether its own adapter is to blame.
    """

    label: str
    name: str
    device: str
    unavailable: str | None
    broken: bool
    versions: dict[str, Any]
    capabilities: dict[str, Any]
    conventions: dict[str, Any]
    documentation: dict[str, Any]
    forms: tuple[str, ...]

    @property
    def absence(self) -> str | None:
        """Why it was not judged, in words that follow its name; None: it was."""
        word = "broken" if self.broken else "not available"
        return None if self.unavailable is None else f"{word}: {self.unavailable}"


class Verdict(NamedTuple):
    """One line of the record. ``backend`` is the label of the backend."""

    requirement: Requirement
    backend: str
    dtype: str
    device: str
    status: Status
    level: str
    examples: int
    exercised: int
    ratio: float | None
    reason: str
    observed: str
    bins: Sequence[dict[str, Any]]
    failure: dict[str, Any] | None
    deviations: Sequence[dict[str, Any]]

    @property
    def severity(self) -> int:
        """Place of the status among those that need attention, from 0."""
        return SEVERITY.index(self.status)


@dataclass(frozen=True)
class Run:
    """A record, or several that were combined."""

    header: dict[str, Any]
    sources: Sequence[dict[str, Any]]
    backends: Sequence[Backend]
    requirements: Sequence[Requirement]
    verdicts: Sequence[Verdict]
    #: None where the record is truncated.
    footer: dict[str, Any] | None

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[Verdict]]:
        """Verdicts by requirement id and backend label, in the order of the dtypes."""
        found: dict[tuple[str, str], list[Verdict]] = {}
        for verdict in self.verdicts:
            found.setdefault((verdict.requirement.id, verdict.backend), []).append(verdict)
        return found

    @cached_property
    def available(self) -> list[Backend]:
        """Backends that were run: those with a column of their own."""
        return [b for b in self.backends if b.unavailable is None]

    @cached_property
    def failing(self) -> list[Verdict]:
        """What the page lists under Failures."""
        return [v for v in self.verdicts if v.status in FAILING]


def run_of(record: Record) -> Run:
    """The run a checked record describes. Backends come with the fewest issues first, then by name."""
    requirements = {
        r["id"]: Requirement(
            id=r["id"],
            title=r["title"],
            level=r["level"],
            statement=r["statement"],
            family=r["family"],
            references=tuple(str(reference) for reference in r["references"]),
        )
        for r in record.header["requirements"]
    }
    backends = _backends(record)
    labels = _labels(record, backends)
    verdicts = [_verdict(line, requirements[line["requirement"]], labels) for line in record.verdicts]
    verdicts.sort(key=lambda v: (v.requirement.family, v.requirement.id, v.backend, dtype_order(v.dtype), v.device))
    issues = dict.fromkeys((b.label for b in backends.values()), 0)
    for verdict in verdicts:
        issues[verdict.backend] += verdict.status in FAILING
    return Run(
        header=record.header,
        sources=sources(record),
        backends=sorted(backends.values(), key=lambda b: (issues[b.label], b.label)),
        requirements=sorted(requirements.values(), key=lambda r: (r.family, r.id)),
        verdicts=verdicts,
        footer=record.footer,
    )


def dtype_order(dtype: str) -> tuple[int, str]:
    """Sorting key that puts narrow floating-point formats first."""
    return (_DTYPES.index(dtype) if dtype in _DTYPES else len(_DTYPES), dtype)


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The verdict that needs attention most, the one with the largest ratio among several; None of none."""
    return min(verdicts, key=worst_first, default=None)


def worst_first(verdict: Verdict) -> tuple[int, float]:
    """Sorting key: what needs attention most, then the largest ratio."""
    return verdict.severity, -size(verdict.ratio) if verdict.ratio is not None else 0.0


def largest_ratio(verdicts: Iterable[Verdict]) -> float | None:
    """The largest ratio of several verdicts, nan being larger than all; None where none has one."""
    return max((v.ratio for v in verdicts if v.ratio is not None), key=size, default=None)


def _backends(record: Record) -> dict[tuple[str, str], Backend]:
    entries = record.header["backends"]
    names = [entry["name"] for entry in entries]
    found = {}
    for entry in entries:
        name, device = entry["name"], entry["device"]
        label = name if names.count(name) == 1 else f"{name} ({device})"
        found[name, device] = Backend(
            label=label,
            name=name,
            device=device,
            unavailable=entry.get("unavailable"),
            broken=entry.get("broken", False),
            versions=entry["versions"],
            capabilities=entry["capabilities"],
            conventions=entry["conventions"],
            documentation=entry.get("documentation") or {},
            forms=tuple(str(form) for form in entry.get("forms") or ()),
        )
    return found


def _labels(record: Record, backends: dict[tuple[str, str], Backend]) -> dict[tuple[str, str], str]:
    """Labels by name and device as the verdicts have them; raises RecordError where they fit no entry or several."""
    labels = {key: backend.label for key, backend in backends.items()}
    for name, device in {(line["backend"], line["device"]) for line in record.verdicts} - labels.keys():
        named = [b.label for b in backends.values() if b.name == name]
        if len(named) != 1:
            raise RecordError(f"{record.path}: the header lists no backend {name!r} on device {device!r}")
        labels[name, device] = named[0]
    return labels


def _verdict(line: dict[str, Any], requirement: Requirement, labels: dict[tuple[str, str], str]) -> Verdict:
    return Verdict(
        requirement=requirement,
        backend=labels[line["backend"], line["device"]],
        dtype=line["dtype"],
        device=line["device"],
        status=Status(line["status"]),
        level=line["level"],
        examples=line["examples"],
        exercised=line["exercised"],
        ratio=None if line.get("ratio") is None else number(line["ratio"]),
        reason=line.get("reason") or "",
        observed=line.get("observed") or "",
        bins=line.get("bins") or (),
        failure=line.get("failure"),
        deviations=line.get("deviations") or (),
    )
