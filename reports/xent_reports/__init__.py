"""From records to pages: HTML, Markdown, a badge; merging records, and what changed between two.

It reads the record format and nothing else of the suite.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from xent_conformance.records.record import Record
from xent_reports import badge, benchmarks, coverage_map, files, html, markdown
from xent_reports import kill_matrix as matrix_file
from xent_reports.causes import causes
from xent_reports.changes import compared, diff, runs
from xent_reports.combination import combined, merge
from xent_reports.model import run_of
from xent_reports.notebook import fragment
from xent_reports.terminal import summary_lines, wants_color

__all__ = ["diff", "fragment", "merge", "render", "summary_lines", "wants_color"]


def render(
    records: Sequence[Path] | Path,
    output: Path,
    *,
    baseline: Sequence[Path] | Path | None = None,
    kill_matrix: Path | None = None,
    speed: Path | None = None,
    coverage: Path | None = None,
) -> Path:
    """Write ``index.html``, ``summary.md`` and ``badge.json`` into a folder and return the path of the page.

    Several records are shown as one. ``baseline``: earlier records, one or several, whose differences from these are
    shown. ``kill_matrix``, as `xent mutants` writes it, is shown on a page beside; ``speed``, as pytest-benchmark
    writes it, and ``coverage``, as `xent coverage` writes it, in a section each. Raises
    :class:`xent_conformance.records.record.RecordError`, naming the file, for one that is damaged or of another suite
    version than the others; a truncated record is shown, as such.
    """
    run = run_of(_timed(combined(files.load(records)), speed))
    changed = None if baseline is None else compared(runs(baseline), run)
    matrix = None if kill_matrix is None else matrix_file.read(kill_matrix)
    tried = None if coverage is None else coverage_map.read(coverage)
    grouped = causes(run)
    pages = {
        "summary.md": markdown.summary(run, grouped, changed),
        **badge.badges(run),
        **({html.KILL_MATRIX: html.kill_matrix_page(matrix, run)} if matrix else {}),
        "index.html": html.page(run, grouped, changed, kill_matrix=matrix, coverage_map=tried),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        files.write(output / name, text)
    return output / "index.html"


def _timed(record: Record, speed: Path | None) -> Record:
    """The record with the times of a file in place of its own."""
    if speed is None:
        return record
    return dataclasses.replace(record, header=replace(record.header, speed=tuple(benchmarks.speed(speed))))
