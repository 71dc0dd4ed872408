"""From records to pages: HTML, Markdown, a badge; merging records, and what changed between two.

It reads the record format and nothing else of the suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xent_reports import badge, files, html, markdown
from xent_reports.changes import compared, diff
from xent_reports.combination import combined, merge
from xent_reports.failures import failures
from xent_reports.model import run_of
from xent_reports.terminal import summary_lines, wants_color

__all__ = ["diff", "merge", "render", "summary_lines", "wants_color"]


def render(records: Sequence[Path] | Path, output: Path, *, baseline: Path | None = None) -> Path:
    """Write ``index.html``, ``summary.md`` and ``badge.json`` into a folder and return the path of the page.

    Several records are shown as one. Raises :class:`xent_conformance.record.RecordError`, naming the file, for one that
    is damaged or of another suite version than the others; a truncated one is shown, as such.
    """
    run = run_of(combined(files.load(records)))
    changed = None if baseline is None else compared(run_of(combined(files.load(baseline))), run)
    found = failures(run)
    pages = {
        "summary.md": markdown.summary(run, found, changed),
        "badge.json": badge.badge(run),
        "index.html": html.page(run, found, changed),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        files.write(output / name, text)
    return output / "index.html"
