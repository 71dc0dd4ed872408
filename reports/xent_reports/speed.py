"""Median times of a record, grouped so that only comparable ones are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xent_conformance.records import lines
from xent_reports.model import Run

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True)
class Timing:
    """One backend on one size of problem; its median over that of the fastest, and of the slowest."""

    backend: str
    median: str
    spread: str
    factor: str
    share: float


@dataclass(frozen=True)
class Race:
    """Timings of the same quantity on the same size of problem."""

    title: str
    timings: Sequence[Timing]


def races(run: Run) -> list[Race]:
    """The header's ``speed`` entries by quantity, dtype and size; backends by name in each."""
    grouped: dict[tuple[str, str, int, int], list[lines.Timing]] = {}
    for entry in run.header.speed:
        key = (entry.quantity, entry.dtype, entry.classes, entry.rows)
        grouped.setdefault(key, []).append(entry)
    return [
        Race(f"{what}, {dtype}, {rows:,} × {classes:,}", _timings(entries))
        for (what, dtype, classes, rows), entries in sorted(grouped.items())
    ]


def _timings(entries: Sequence[lines.Timing]) -> list[Timing]:
    fastest, slowest = min(e.median for e in entries), max(e.median for e in entries)
    return [
        Timing(
            entry.backend,
            duration(entry.median),
            "" if entry.iqr is None else duration(entry.iqr),
            _factor(entry.median / fastest) if fastest > 0 else "",
            entry.median / slowest if slowest > 0 else 0.0,
        )
        for entry in sorted(entries, key=lambda e: e.backend)
    ]


def _factor(times: float) -> str:
    """Two digits of a factor, all of a large one."""
    return f"{times:.2g}×" if times < 100 else f"{times:,.0f}×"  # noqa: PLR2004 - more than two digits


def duration(seconds: float) -> str:
    """Seconds with three digits in a unit that suits them."""
    for scale, unit in _UNITS:
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
