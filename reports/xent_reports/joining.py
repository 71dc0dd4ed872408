"""Verdicts that several records hold, merged into one each.

A verdict that several records hold is one verdict of the worst status and the largest ratio; its examples are added up
where the seeds differ, because then the problems did too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from xent_conformance.records.lines import Bin, SourceLine, VerdictLine
from xent_conformance.records.plain import as_data
from xent_conformance.records.record import Record, RecordError
from xent_conformance.records.status import SEVERITY
from xent_reports.figures import size


def canonical(content: object) -> str:
    """Text that is equal for equal lines of records: what order and identity are decided by."""
    return json.dumps(as_data(content), sort_keys=True)


def sources(record: Record, names: Sequence[str] = ()) -> list[SourceLine]:
    """The runs a record comes from, each with its seed, its end and how much it judged.

    ``names`` are those of the files that hold this very record: the second and later ones are copies.
    """
    header, footer = record.header, record.footer
    if header.merged:
        return list(header.merged)
    return [
        SourceLine(
            name=names[0] if names else record.path.name,
            suite=header.suite,
            started=header.started,
            seed=header.seed,
            profile=header.profile,
            python=header.python,
            platform=header.platform,
            command=header.command,
            exit=footer.exit if footer else None,
            seconds=footer.seconds if footer else None,
            error=footer.error if footer else None,
            verdicts=len(record.verdicts),
            truncated=record.truncated,
            copies=tuple(names[1:]),
        )
    ]


def _seeds(record: Record) -> frozenset[int]:
    return frozenset(run.seed for run in sources(record))


def joined(records: Sequence[Record]) -> list[VerdictLine]:
    """All verdicts of the records, one for each requirement, backend, device and dtype, in that order."""
    groups: dict[tuple[str, ...], list[tuple[Record, VerdictLine]]] = {}
    for record in records:
        for verdict in record.verdicts:
            key = (verdict.requirement, verdict.backend, verdict.device, verdict.dtype)
            groups.setdefault(key, []).append((record, verdict))
    return [_one(groups[key]) for key in sorted(groups)]


def _one(group: list[tuple[Record, VerdictLine]]) -> VerdictLine:
    """One verdict from those of several records: the worst, with the sums of their counts."""
    if len(group) == 1:
        return group[0][1]
    by_seeds: dict[frozenset[int], list[VerdictLine]] = {}
    for record, verdict in group:
        by_seeds.setdefault(_seeds(record), []).append(verdict)
    if sum(len(seeds) for seeds in by_seeds) > len(frozenset().union(*by_seeds)):
        files = ", ".join(sorted(str(record.path) for record, _ in group))
        raise RecordError(f"{files}: the same seeds are counted in more than one; merge the original records instead")
    verdicts = sorted((v for _, v in group), key=_worst_first)
    deviations = {canonical(d): d for v in verdicts for d in v.deviations}
    per_seed = [list(_bins((b for v in same for b in v.bins), max)) for same in by_seeds.values()]
    return replace(
        verdicts[0],
        examples=sum(max(v.examples for v in same) for same in by_seeds.values()),
        exercised=sum(max(v.exercised for v in same) for same in by_seeds.values()),
        ratio=max((v.ratio for v in verdicts if v.ratio is not None), key=size, default=None),
        bins=tuple(_bins((b for bins in per_seed for b in bins), sum)),
        deviations=tuple(deviations[key] for key in sorted(deviations)),
        seconds=sum(v.seconds for v in verdicts),
    )


def _worst_first(verdict: VerdictLine) -> tuple[int, int, str]:
    """Worst status first, then the shortest failure."""
    return SEVERITY.index(verdict.status), len(canonical(verdict.failures)), canonical(verdict)


def _bins(bins: Iterable[Bin], count: Callable[[Iterable[int]], int]) -> Iterable[Bin]:
    """Bins by class count: largest ratio and error of all, and their counts put together by ``count``."""
    by_classes: dict[int, list[Bin]] = {}
    for entry in bins:
        by_classes.setdefault(entry.classes, []).append(entry)
    for classes, same in sorted(by_classes.items()):
        yield Bin(
            classes=classes,
            count=count(b.count for b in same),
            ratio=max((b.ratio for b in same), key=size),
            ulp=max((b.ulp for b in same), key=size),
        )
