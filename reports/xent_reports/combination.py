"""Several records as one: the shards of a run, or runs over different backends.

The result does not depend on the order of the records.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xent_conformance.records.record import Record, RecordError, jsonable, number
from xent_reports.files import load, write
from xent_reports.joining import PER_RUN, canonical, joined, sources


def merge(records: Sequence[Path] | Path, output_file: Path) -> Path:
    """Write several records as one. Where one of them is truncated, so is the result: it gets no footer.

    Raises RecordError for records of different seeds, profiles or selections: their verdicts are not about the same.
    """
    loaded = load(records)
    merged = combined(loaded)
    for record in loaded[1:]:
        if different := conditions(loaded[0].header, record.header):
            what = "; ".join(different)
            raise RecordError(
                f"{loaded[0].path} and {record.path} cannot be merged: {what}. Compare them with `xent diff`"
            )
    lines = [merged.header, *merged.verdicts, *([merged.footer] if merged.footer else [])]
    text = "".join(json.dumps(jsonable(x), ensure_ascii=False, separators=(",", ":")) + "\n" for x in lines)
    write(output_file, text)
    return output_file


def conditions(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between what two headers were asked to judge: seed, profile, selection of requirements."""
    seeds, profiles = ([_of_runs(header, key) for header in (old, new)] for key in ("seed", "profile"))
    listed = [{r["id"] for r in header["requirements"]} for header in (old, new)]
    found = [
        f"the {name}s differ ({before} and {after})"
        for name, (before, after) in (("seed", seeds), ("profile", profiles))
        if before != after
    ]
    first, second = len(listed[0] - listed[1]), len(listed[1] - listed[0])
    if first or second:
        found.append(f"the requirements selected differ ({first} only in the first, {second} only in the second)")
    return found


def _of_runs(header: dict[str, Any], key: str) -> str:
    """The values that the runs behind a header have for a key."""
    return ", ".join(sorted({str(run[key]) for run in header.get("merged") or [header]}))


def combined(records: Sequence[Record]) -> Record:
    """One record with everything the given ones hold; raises RecordError where they contradict each other."""
    versions = sorted({r.header["suite"] for r in records})
    if len(versions) > 1:
        files = ", ".join(f"{r.path} ({r.header['suite']})" for r in records)
        raise RecordError(f"records of different suite versions cannot be compared: {files}; run one of them again")
    if len(records) == 1:
        return records[0]
    names = _names(records)
    copies: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda r: names[r.path]):
        copies.setdefault(canonical([record.header, record.verdicts, record.footer]), []).append(record)
    ordered = [copies[content][0] for content in sorted(copies)]
    runs = [run for same in copies.values() for run in sources(same[0], [names[r.path] for r in same])]
    truncated = any(r.truncated for r in ordered)
    verdicts = joined(ordered)
    header = _header(ordered, runs)
    return Record(ordered[0].path, header, verdicts, None if truncated else _footer(ordered, verdicts))


def _names(records: Sequence[Record]) -> dict[Path, str]:
    """A short name for each file: its own, with its folder's where two share it."""
    names = [r.path.name for r in records]
    return {r.path: r.path.name if names.count(r.path.name) == 1 else str(Path(*r.path.parts[-2:])) for r in records}


def _header(records: Sequence[Record], runs: list[dict[str, Any]]) -> dict[str, Any]:
    headers = [r.header for r in records]
    header = dict(headers[0])
    for key in PER_RUN:
        header[key] = "; ".join(sorted({h[key] for h in headers if h.get(key)}))
    header["started"] = min(h["started"] for h in headers)
    header["seed"] = min(h["seed"] for h in headers)
    header["backends"] = _union(records, "backends", ("name", "device"), ignored=("spec", "unavailable", "broken"))
    header["requirements"] = _union(records, "requirements", ("id",), ignored=("since",))
    libraries: dict[str, set[str]] = {}
    for name, version in (item for h in headers for item in h["libraries"].items()):
        libraries.setdefault(name, set()).add(str(version))
    header["libraries"] = {name: "; ".join(sorted(versions)) for name, versions in libraries.items()}
    speed = {canonical(row): row for h in headers for row in h.get("speed") or []}
    if speed:
        header["speed"] = [speed[key] for key in sorted(speed)]
    unique = {canonical(run): run for run in runs}
    header["merged"] = [unique[key] for key in sorted(unique)]
    return header


def _union(
    records: Sequence[Record], field: str, identity: tuple[str, ...], ignored: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Entries of all headers, each once; raises RecordError where two describe the same thing differently."""
    found: dict[tuple[str, ...], tuple[Record, dict[str, Any]]] = {}
    for record in records:
        for entry in record.header[field]:
            key = tuple(entry[k] for k in identity)
            other, known = found.get(key, (record, entry))
            if known.get("unavailable") is not None:
                other, known = record, entry
            differing = sorted(k for k in {*known, *entry} - set(ignored) if known.get(k) != entry.get(k))
            if differing and entry.get("unavailable") is None:
                what = f"{' '.join(key)} differently ({', '.join(differing)})"
                raise RecordError(f"{other.path} and {record.path} describe {what}: compare them with `xent diff`")
            found[key] = (other, known)
    return [found[key][1] for key in sorted(found)]


def _footer(records: Sequence[Record], verdicts: list[dict[str, Any]]) -> dict[str, Any]:
    footers = [r.footer for r in records if r.footer]
    statuses = [v["status"] for v in verdicts]
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    errors = sorted({f["error"] for f in footers if f.get("error")})
    footer = {"kind": "footer", "exit": max(f["exit"] for f in footers), "verdicts": len(verdicts), "counts": counts}
    seconds = round(sum(number(f.get("seconds") or 0) for f in footers), 3)
    return {**footer, "seconds": seconds, **({"error": "; ".join(errors)} if errors else {})}
