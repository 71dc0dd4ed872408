"""The page: everything prepared for one Jinja template, styles and script inlined, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from xent_conformance.records.record import GLYPHS, SEVERITY, Status
from xent_reports import charts, comparison, coverage, figures, headline, visible
from xent_reports.accuracy import accuracy, tiers
from xent_reports.causes import causes
from xent_reports.changes import KINDS, Changes, state
from xent_reports.deviations import deviations
from xent_reports.failures import Failure, broken
from xent_reports.kill_matrix import KillMatrix
from xent_reports.matrix import Cell, abbreviated, families, totals
from xent_reports.model import Run, dtype_order
from xent_reports.speed import races

#: Class names of the statuses on the page, short because they are on every cell.
_CLASSES = dict(zip(SEVERITY, ("er", "cr", "ti", "fa", "we", "de", "va", "pa", "ob", "na"), strict=True))


#: Name of the kill matrix's page, beside that of the run.
KILL_MATRIX = "kill-matrix.html"


def page(
    run: Run, found: Sequence[Failure], changes: Changes | None = None, *, kill_matrix: KillMatrix | None = None
) -> str:
    """The HTML page of a run, its failures, and what changed against an earlier run where that is given.

    It links to the page of the kill matrix where there is one.
    """
    measured = accuracy(run, ("accuracy",) if abbreviated(run) else ("accuracy", "gradients"))
    panels = [panel for group in measured for panel in group.panels]
    axes = charts.Axes(panels)
    dtypes = sorted({dtype for panel in panels for dtype in panel.dtypes}, key=dtype_order)
    content: dict[str, Any] = {
        "run": run,
        "sentence": headline.sentence(run),
        "counts": headline.counts(run),
        "notices": headline.notices(run),
        "totals": totals(run),
        "families": families(run),
        "abbreviated": abbreviated(run),
        "labels": [b.name for b in run.available],
        "causes": causes(run, found),
        "broken": broken(found),
        "deviations": deviations(run),
        "accuracy": measured,
        "definitions": charts.definitions(axes),
        "charted": dtypes,
        "chart": lambda panel: charts.chart(panel, axes, dtypes),
        "tiers": tiers(run),
        "conventions": comparison.conventions(run),
        "capabilities": comparison.capabilities(run),
        "left_out": comparison.left_out(run),
        "observations": comparison.observations(run),
        "exercised": coverage.exercised(run),
        "unjudged": coverage.unjudged(run),
        "races": races(run),
        "changes": changes,
        "kill_matrix": KILL_MATRIX if kill_matrix else None,
    }
    style, script = _asset("report.css"), _asset("report.js")
    hashes = {"style_hash": _digest(style), "script_hash": _digest(script)}
    return _environment().get_template("report.html.j2").render(style=style, script=script, **hashes, **content)


def kill_matrix_page(matrix: KillMatrix, run: Run) -> str:
    """The HTML page of a kill matrix, which links to the requirements on the page of a run."""
    mutants, survivors = len(matrix.mutants), len(matrix.survivors)
    killed = f"{mutants - survivors:,} of {mutants:,}" if survivors else f"All {mutants:,}"
    content = {
        "matrix": matrix,
        "sentence": f"{killed} mutants are killed in every seed",
        "catalogue": {r.id for r in run.requirements},
    }
    style = _asset("report.css")
    template = _environment().get_template("kill-matrix.html.j2")
    return template.render(style=style, style_hash=_digest(style), **content)


def _cells(cells: Sequence[Cell | None], *, brief: bool = False) -> Markup:
    """Cells of the matrix: a passing one is plain, any other has its class, its word, and a link where it leads on."""
    return Markup("".join(_cell(cell, brief=brief) for cell in cells))  # noqa: S704 - each is Markup


def _cell(cell: Cell | None, *, brief: bool) -> Markup:
    if cell is None:
        return Markup("<td class=no>")
    if cell.status is Status.PASS:
        return Markup(f"<td>{cell.text}")  # noqa: S704 - a glyph and a number
    name = "na" if cell.status is None else _CLASSES[cell.status]
    if brief:
        return Markup(f"<td class={name}>{cell.text}")  # noqa: S704
    shown = Markup("{}<i> {}</i>").format(cell.text, cell.word)
    if cell.href:
        shown = Markup('<a href="{}">{}</a>').format(cell.href, shown)
    return Markup("<td class={}>{}").format(name, shown)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: files("xent_reports").joinpath("templates", name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.globals.update(
        GLYPHS=GLYPHS,
        DEVIATION=Status.DEVIATION,
        CLASSES=_CLASSES,
        MEANINGS=headline.MEANINGS,
        NOT_RUN=headline.NOT_RUN,
        KINDS=KINDS,
        key=charts.key,
    )
    environment.globals.update(t=visible.isolated, cells=_cells, slug=visible.slug, state=state)
    environment.filters.update(
        ratio=figures.ratio,
        counted=figures.counted,
        linked=visible.linked,
        abridged=visible.abridged,
        address=visible.web_address,
        address_label=visible.address_label,
        short=visible.shortened,
        source=visible.source,
    )
    return environment


def _finalized(value: Any) -> Any:
    """What Jinja prints: text with nothing invisible in it. Markup is ours and stays."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible.visible(value)


def _asset(name: str) -> Markup:
    """A file of ours, put into the page without its comments and indentation."""
    text = files("xent_reports").joinpath("templates", name).read_text("utf-8")
    return Markup(re.sub(r"^\s*(//.*\n)?", "", text, flags=re.MULTILINE).strip())  # noqa: S704


def _digest(text: str) -> Markup:
    """The hash by which the page's content security policy knows its own style and script."""
    found = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(f"sha256-{found}")  # noqa: S704
