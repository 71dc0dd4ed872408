"""Several records as one: the shards of a run, or runs over different backends.

The result does not depend on the order of the records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from msgspec.structs import fields, replace

from xent_conformance.records.lines import BackendLine, Footer, Header, Line, RequirementLine, SourceLine, VerdictLine
from xent_conformance.records.record import Record, RecordError
from xent_conformance.records.writer import text_of
from xent_reports.files import load, write
from xent_reports.joining import canonical, joined, sources

_Entry = TypeVar("_Entry", BackendLine, RequirementLine)


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
    lines: list[Line] = [merged.header, *merged.verdicts, *([merged.footer] if merged.footer else [])]
    write(output_file, "".join(map(text_of, lines)))
    return output_file


def conditions(old: Header, new: Header) -> list[str]:
    """Differences between the requests of two headers: seed, profile, selection of requirements."""
    seeds, profiles = ([_of_runs(header, key) for header in (old, new)] for key in ("seed", "profile"))
    found = [
        f"the {name}s differ ({before} and {after})"
        for name, (before, after) in (("seed", seeds), ("profile", profiles))
        if before != after
    ]
    listed, other = ({r.id for r in header.requirements} for header in (old, new))
    first, second = len(listed - other), len(other - listed)
    if first or second:
        found.append(f"the requirements selected differ ({first} only in the first, {second} only in the second)")
    return found


def _of_runs(header: Header, key: str) -> str:
    """The values that the runs behind a header have for a key."""
    return ", ".join(sorted({str(getattr(run, key)) for run in header.merged or [header]}))


def combined(records: Sequence[Record]) -> Record:
    """One record with the contents of all given ones; raises RecordError if they contradict each other."""
    versions = sorted({r.header.suite for r in records})
    if len(versions) > 1:
        files = ", ".join(f"{r.path} ({r.header.suite})" for r in records)
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
    """A short name for each file: its own, preceded by its folder's if two files share it."""
    names = [r.path.name for r in records]
    return {r.path: r.path.name if names.count(r.path.name) == 1 else str(Path(*r.path.parts[-2:])) for r in records}


def _header(records: Sequence[Record], runs: list[SourceLine]) -> Header:
    headers = [r.header for r in records]
    libraries: dict[str, set[str]] = {}
    for name, version in (item for h in headers for item in h.libraries.items()):
        libraries.setdefault(name, set()).add(version)
    speed = {canonical(row): row for h in headers for row in h.speed}
    unique = {canonical(run): run for run in runs}
    return replace(
        headers[0],
        profile=_side_by_side(h.profile for h in headers),
        python=_side_by_side(h.python for h in headers),
        platform=_side_by_side(h.platform for h in headers),
        command=_side_by_side(h.command for h in headers),
        started=min(h.started for h in headers),
        seed=min(h.seed for h in headers),
        # Empty if one of them judged all that are claimed.
        dtypes=tuple(sorted({d for h in headers for d in h.dtypes})) if all(h.dtypes for h in headers) else (),
        backends=_union(records, lambda h: h.backends, ("name", "device"), ("spec", "unavailable", "broken")),
        requirements=_union(records, lambda h: h.requirements, ("id",), ("since", "source")),
        libraries={name: _side_by_side(versions) for name, versions in libraries.items()},
        speed=tuple(speed[key] for key in sorted(speed)),
        merged=tuple(unique[key] for key in sorted(unique)),
    )


def _side_by_side(values: Iterable[str]) -> str:
    """The facts that describe a run, collected from several runs, each once."""
    return "; ".join(sorted({value for value in values if value}))


def _union(
    records: Sequence[Record],
    listed: Callable[[Header], Sequence[_Entry]],
    identity: Sequence[str],
    ignored: Sequence[str],
) -> tuple[_Entry, ...]:
    """Entries of all headers, each once; raises RecordError if two describe the same thing differently."""
    found: dict[tuple[str, ...], tuple[Record, _Entry]] = {}
    for record in records:
        for entry in listed(record.header):
            key = tuple(getattr(entry, name) for name in identity)
            other, known = found.get(key, (record, entry))
            if _is_absent(known):
                other, known = record, entry
            names = sorted({f.name for f in fields(entry)} - set(ignored))
            differing = [name for name in names if _differ(name, known, entry)]
            if differing and not _is_absent(entry):
                what = f"{' '.join(key)} differently ({', '.join(differing)})"
                raise RecordError(f"{other.path} and {record.path} describe {what}: compare them with `xent diff`")
            found[key] = (other, known)
    return tuple(found[key][1] for key in sorted(found))


def _differ(name: str, known: _Entry, entry: _Entry) -> bool:
    """Whether two entries differ in a field. Which files of a backend are loaded depends on the process."""
    one, other = getattr(known, name), getattr(entry, name)
    return any(other.get(k, v) != v for k, v in one.items()) if name == "sources" else bool(one != other)


def _is_absent(entry: BackendLine | RequirementLine) -> bool:
    """Whether it is a backend that could not be judged, of which nothing is known."""
    return isinstance(entry, BackendLine) and entry.unavailable is not None


def _footer(records: Sequence[Record], verdicts: Sequence[VerdictLine]) -> Footer:
    footers = [r.footer for r in records if r.footer]
    return Footer(
        exit=max(f.exit for f in footers),
        verdicts=len(verdicts),
        counts=dict(sorted(Counter(v.status.value for v in verdicts).items())),
        seconds=round(sum(f.seconds for f in footers), 3),
        error="; ".join(sorted({f.error for f in footers if f.error})) or None,
    )
