"""Verdicts of several records as one each.

A verdict that several records hold is one verdict of the worst status and the largest ratio; its examples are added up
where the seeds differ, because then the problems did too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from xent_conformance.records.record import SEVERITY, Record, RecordError, Status, number
from xent_reports.figures import size

#: Header keys that describe one run and are written side by side where the records differ.
PER_RUN = ("profile", "python", "platform", "command")


def canonical(content: Any) -> str:
    """Text that is equal for equal content: what order and identity are decided by."""
    return json.dumps(content, sort_keys=True)


def sources(record: Record, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The runs a record comes from, each with its seed, its end and how much it judged.

    ``names`` are those of the files that hold this very record: the second and later ones are copies.
    """
    if record.header.get("merged"):
        return list(record.header["merged"])
    footer = record.footer or {}
    header = {k: record.header.get(k) for k in ("suite", "started", "seed", *PER_RUN)}
    end = {"exit": footer.get("exit"), "seconds": footer.get("seconds"), "error": footer.get("error")}
    counts = {"verdicts": len(record.verdicts), "truncated": record.truncated, "copies": list(names[1:])}
    return [{"name": names[0] if names else record.path.name, **header, **end, **counts}]


def _seeds(record: Record) -> frozenset[int]:
    return frozenset(run["seed"] for run in sources(record))


def joined(records: Sequence[Record]) -> list[dict[str, Any]]:
    """All verdicts of the records, one for each requirement, backend, device and dtype, in that order."""
    groups: dict[tuple[str, ...], list[tuple[Record, dict[str, Any]]]] = {}
    for record in records:
        for verdict in record.verdicts:
            key = tuple(verdict[k] for k in ("requirement", "backend", "device", "dtype"))
            groups.setdefault(key, []).append((record, verdict))
    return [_one(groups[key]) for key in sorted(groups)]


def _one(group: list[tuple[Record, dict[str, Any]]]) -> dict[str, Any]:
    """One verdict from those of several records: the worst, with what all of them counted."""
    if len(group) == 1:
        return group[0][1]
    by_seeds: dict[frozenset[int], list[dict[str, Any]]] = {}
    for record, verdict in group:
        by_seeds.setdefault(_seeds(record), []).append(verdict)
    if sum(len(seeds) for seeds in by_seeds) > len(frozenset().union(*by_seeds)):
        files = ", ".join(sorted(str(record.path) for record, _ in group))
        raise RecordError(f"{files}: the same seeds are counted in more than one; merge the original records instead")
    verdicts = sorted((v for _, v in group), key=_worst_first)
    one = dict(verdicts[0])
    for key in ("examples", "exercised"):
        one[key] = sum(max(v[key] for v in same) for same in by_seeds.values())
    ratios = [v["ratio"] for v in verdicts if v.get("ratio") is not None]
    one["ratio"] = max(ratios, key=size, default=None)
    bins = [_bins(same, max) for same in by_seeds.values()]
    one["bins"] = list(_bins([{"bins": list(b.values())} for b in bins], sum).values())
    deviations = {canonical(d): d for v in verdicts for d in v.get("deviations") or []}
    one["deviations"] = [deviations[key] for key in sorted(deviations)]
    one["seconds"] = sum(number(v.get("seconds") or 0) for v in verdicts)
    return one


def _worst_first(verdict: dict[str, Any]) -> tuple[int, int, str]:
    """Worst status first, then the shortest failure."""
    failure = canonical(verdict.get("failure"))
    return SEVERITY.index(Status(verdict["status"])), len(failure), canonical(verdict)


def _bins(verdicts: Iterable[dict[str, Any]], count: Any) -> dict[int, dict[str, Any]]:
    """Bins by class count: largest ratio and error of all, and their counts put together by ``count``."""
    found: dict[int, list[dict[str, Any]]] = {}
    for entry in (b for v in verdicts for b in v.get("bins") or []):
        found.setdefault(entry["classes"], []).append(entry)
    return {
        classes: {
            "classes": classes,
            "count": count(b["count"] for b in same),
            "ratio": max((b["ratio"] for b in same), key=size),
            "ulp": max((b["ulp"] for b in same), key=size),
        }
        for classes, same in sorted(found.items())
    }
