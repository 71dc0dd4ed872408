"""The summary of a run for a terminal: the head of the page, with the same glyphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from xent_conformance.records.record import Record
from xent_conformance.records.status import Status
from xent_reports.causes import Cause, causes
from xent_reports.combination import combined
from xent_reports.files import load
from xent_reports.headline import counts, counts_line, look, notices, sentence
from xent_reports.model import Run, run_of
from xent_reports.visible import abridged, one_line, shortened

#: Blue and orange, as on the page, from the 256 colours.
_COLORS = {
    **dict.fromkeys((Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.ERROR), "38;5;208;1"),
    **dict.fromkeys((Status.WEAK, Status.VACUOUS), "38;5;178"),
    Status.DEVIATION: "38;5;141",
    Status.PASS: "38;5;75",
}
_BOLD = "1"
#: Causes that are listed, and requirements of a cause that are named; the page has all.
_LISTED, _NAMED = 20, 3


def wants_color(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to use colour on a stream: on a terminal that is not dumb, without NO_COLOR (no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def summary_lines(records: Sequence[Path | Record] | Path, *, color: bool = False) -> list[str]:
    """The summary of records as lines; raises RecordError as :func:`xent_reports.render` does."""
    run = run_of(combined(load(records)))
    grouped = causes(run)
    lines = [_painted(one_line(sentence(run)), _BOLD, color=color), counts_line(run)]
    lines += [f"! {one_line(notice)}" for notice in notices(run)]
    lines += _backends(run, color=color) if len(run.available) > 1 else []
    for cause in grouped[:_LISTED]:
        lines += _cause(cause, color=color)
    if len(grouped) > _LISTED:
        lines.append(f"… and {len(grouped) - _LISTED:,} more in the report")
    return lines


def _backends(run: Run, *, color: bool) -> list[str]:
    names = {b.name: abridged(one_line(b.name), 24) for b in run.available}
    width = max((len(name) for name in names.values()), default=0)
    lines = []
    for label, name in names.items():
        parts = [
            _painted(f"{look(s)[0]} {number:,} {look(s)[1]}", _COLORS.get(s) if s else None, color=color)
            for s, number in counts(run, label)
        ]
        lines.append(f"  {name:<{width}}  {'  '.join(parts)}")
    return lines


def _cause(cause: Cause, *, color: bool) -> list[str]:
    """A cause: its situation, the smallest problem and its failure, the other backends' answers, what breaks."""
    head = _painted(cause.head, _COLORS.get(cause.status), color=color)
    witness, names = cause.witness, [one_line(name) for name in cause.requirements]
    rest = f" … and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    situation = shortened(one_line(cause.situation), 200)
    call, *arrays = witness.text.splitlines() or [""]
    problem = "; ".join([call, *(array for array in arrays if array)])
    return [
        f"{head} {abridged(one_line(cause.backend))}, {situation}: {shortened(one_line(witness.message), 300)}",
        *([f"  {shortened(one_line(problem), 240)}"] if problem else []),
        *([f"  {witness.answers.sentence}"] if witness.answers else []),
        f"  breaks {one_line(cause.breaks)}: {', '.join(map(abridged, names[:_NAMED]))}{rest}",
        *([f"  {one_line(witness.command)}"] if witness.command else []),
        *([f"  {cause.hint}"] if cause.hint else []),
    ]


def _painted(text: str, style: str | None, *, color: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if color and style else text
