"""A run as the report sees it: its lines in order, and verdicts by requirement and backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from xent_conformance.records.causes import Cause, causes
from xent_conformance.records.lines import BackendLine, Footer, Header, RequirementLine, SourceLine, VerdictLine
from xent_conformance.records.record import Record, RecordError
from xent_conformance.records.status import FAILING, SEVERITY, Status
from xent_reports.figures import size
from xent_reports.joining import sources

#: The order of dtypes in every table; others follow by name.
_DTYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Run:
    """A record, or several that were combined.

    In ``backends`` and ``verdicts`` a backend has its name, with its device if two backends share the name.
    """

    header: Header
    sources: Sequence[SourceLine]
    backends: Sequence[BackendLine]
    requirements: Sequence[RequirementLine]
    verdicts: Sequence[VerdictLine]
    #: None if the record is truncated.
    footer: Footer | None

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[VerdictLine]]:
        """Verdicts by requirement id and backend, in the order of the dtypes."""
        cells: dict[tuple[str, str], list[VerdictLine]] = {}
        for verdict in self.verdicts:
            cells.setdefault((verdict.requirement, verdict.backend), []).append(verdict)
        return cells

    @cached_property
    def catalogue(self) -> dict[str, RequirementLine]:
        """Requirements by id."""
        return {r.id: r for r in self.requirements}

    @cached_property
    def available(self) -> list[BackendLine]:
        """Backends that were run; each has a column."""
        return [b for b in self.backends if b.unavailable is None]

    @cached_property
    def failing(self) -> list[VerdictLine]:
        """Failures with a cause."""
        return [v for v in self.verdicts if v.status in FAILING]

    @cached_property
    def grouped(self) -> list[Cause]:
        """Its failures by cause, the worst first."""
        return causes(self.verdicts)

    @cached_property
    def unexplained(self) -> list[list[VerdictLine]]:
        """Verdicts for which the record has only a reason, by that reason, the worst first."""
        by_reason: dict[tuple[str, Status, str], list[VerdictLine]] = {}
        for verdict in sorted(self.failing, key=worst_first):
            if not verdict.failures:
                by_reason.setdefault((verdict.backend, verdict.status, verdict.reason or ""), []).append(verdict)
        return list(by_reason.values())


def run_of(record: Record) -> Run:
    """The run that a record describes. Backends come with the fewest issues first, then by name.

    Raises RecordError for a verdict on a device that no backend of its name has.
    """
    names = Counter(b.name for b in record.header.backends)
    labels = {
        (b.name, b.device): b.name if names[b.name] == 1 else f"{b.name} ({b.device})" for b in record.header.backends
    }
    backends = [replace(b, name=labels[b.name, b.device]) for b in record.header.backends]
    for name, device in {(v.backend, v.device) for v in record.verdicts} - labels.keys():
        if names[name] != 1:
            raise RecordError(f"{record.path}: the header lists no backend {name!r} on device {device!r}")
        labels[name, device] = name
    families = {r.id: r.family for r in record.header.requirements}
    verdicts = [replace(v, backend=labels[v.backend, v.device]) for v in record.verdicts]
    verdicts.sort(key=lambda v: (families[v.requirement], v.requirement, v.backend, dtype_order(v.dtype), v.device))
    issues = Counter(v.backend for v in verdicts if v.status in FAILING)
    return Run(
        header=record.header,
        sources=sources(record),
        backends=sorted(backends, key=lambda b: (issues[b.name], b.name)),
        requirements=sorted(record.header.requirements, key=lambda r: (r.family, r.id)),
        verdicts=verdicts,
        footer=record.footer,
    )


def dtype_order(dtype: str) -> tuple[int, str]:
    """Sorting key that puts narrow floating-point formats first."""
    return (_DTYPES.index(dtype) if dtype in _DTYPES else len(_DTYPES), dtype)


def worst(verdicts: Iterable[VerdictLine]) -> VerdictLine | None:
    """The verdict that needs attention most, the one with the largest ratio among several; None of none."""
    return min(verdicts, key=worst_first, default=None)


def worst_first(verdict: VerdictLine) -> tuple[int, float]:
    """Sorting key: what needs attention most, then the largest ratio."""
    return SEVERITY.index(verdict.status), -size(verdict.ratio) if verdict.ratio is not None else 0.0


def largest_ratio(verdicts: Iterable[VerdictLine]) -> float | None:
    """The largest ratio of several verdicts, with nan as the largest; None if none has one."""
    return max((v.ratio for v in verdicts if v.ratio is not None), key=size, default=None)
