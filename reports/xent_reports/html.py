"""The page: everything prepared for one Jinja template, styles and script inlined, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from xent_conformance.records.status import GLYPHS, SEVERITY, Status
from xent_reports import charts, comparison, coverage, figures, headline, visible
from xent_reports.accuracy import accuracy, tiers
from xent_reports.causes import Cause
from xent_reports.changes import KINDS, SIGNS, Changes, state, statuses, trend
from xent_reports.compiled import CompiledTemplates
from xent_reports.coverage_map import CoverageMap
from xent_reports.deviations import deviations
from xent_reports.glossary import GLOSSARY, MEANINGS
from xent_reports.kill_matrix import KillMatrix
from xent_reports.matrix import Cell, abbreviated, columns, families
from xent_reports.model import Run, dtype_order
from xent_reports.speed import races
from xent_reports.standing import standing

#: Class names of the statuses on the page, short because they are on every cell.
_CLASSES = dict(zip(SEVERITY, ("er", "cr", "ti", "fa", "we", "de", "va", "pa", "ob", "na"), strict=True))
#: Statuses whose reasons are listed in one table.
_UNSHOWN = (Status.NOT_APPLICABLE, Status.VACUOUS)
#: With more columns than this, titles of requirements are left out.
_TITLED = 5
#: With more columns than this, their heads are written upwards.
_WIDE = 8

#: File name of the kill matrix's page, in the folder of the run's page.
KILL_MATRIX = "kill-matrix.html"


def page(
    run: Run,
    causes: Sequence[Cause],
    changes: Changes | None = None,
    *,
    kill_matrix: KillMatrix | None = None,
    coverage_map: CoverageMap | None = None,
) -> str:
    """The HTML page of a run and its causes, with changes since earlier runs and the coverage map, if given.

    It links to the page of the kill matrix if there is one.
    """
    measured = accuracy(run, ("accuracy",) if abbreviated(run) else ("accuracy", "gradients"))
    panels = [panel for group in measured for panel in group.panels]
    axes = charts.Axes(panels)
    dtypes = sorted({dtype for panel in panels for dtype in panel.dtypes}, key=dtype_order)
    heads = columns(run)
    content: dict[str, Any] = {
        "run": run,
        "sentence": headline.sentence(run),
        "counts": headline.counts(run),
        "counted_for": lambda name: dict(headline.counts(run, name)),
        "scope": headline.scope(run),
        "notices": headline.notices(run),
        "standing": lambda name, level: str(standing(run, name, level)),
        "places": _places(causes),
        "families": families(run, changes.signs if changes else {}),
        "heads": heads,
        "titled": len(heads) <= _TITLED,
        "wide": len(heads) > _WIDE,
        "abbreviated": abbreviated(run),
        "labels": [b.name for b in run.available],
        "causes": causes,
        "deviations": deviations(run),
        "accuracy": measured,
        "definitions": charts.definitions(axes),
        "charted": dtypes,
        "clipped": charts.clipped(panels, axes),
        "chart": lambda panel: charts.chart(panel, axes, dtypes, columns=not abbreviated(run)),
        "tiers": tiers(run),
        "conventions": comparison.conventions(run),
        "unusual": comparison.unusual(run),
        "capabilities": comparison.capabilities(run),
        "left_out": comparison.left_out(run),
        "observations": comparison.observations(run),
        "exercised": coverage.exercised(run),
        "unjudged": coverage.unjudged(run),
        "races": races(run),
        "tried": coverage_map,
        "changes": changes,
        "trend": trend(changes) if changes else [],
        "statuses": statuses(changes) if changes else [],
        "kill_matrix": KILL_MATRIX if kill_matrix else None,
    }
    style, script = _asset("report.css") + _columns(len(heads)), _asset("report.js")
    style += _asset("map.css") if coverage_map else ""
    hashes = {"style_hash": _digest(style), "script_hash": _digest(script)}
    return _environment().get_template("report.html.j2").render(style=style, script=script, **hashes, **content)


def _places(causes: Sequence[Cause]) -> dict[Status | None, str]:
    """Where a count leads: to the cards of what failed, to the section that is about it, or to the matrix."""
    places: dict[Status | None, str] = dict.fromkeys([*Status, None], "matrix")
    places |= {cause.status: "weak" if cause.is_weak else "causes" for cause in causes}
    return places | {Status.DEVIATION: "deviations", Status.OBSERVED: "observed"} | dict.fromkeys(_UNSHOWN, "coverage")


def _columns(count: int) -> Markup:
    """The style of the matrix's columns: the policy of the page allows none in its elements."""
    if count > _WIDE:
        # Heads are written upwards, so that a column is as wide as what is in its cells.
        columns, least = f"minmax(12.5rem,1fr) repeat({count},minmax(3.3rem,4.4rem))", f"{12.5 + 3.3 * count:.1f}rem"
        rows = f"#mx.wide .row{{grid-template-columns:{columns};min-width:{least}}}"
    else:
        width = "minmax(4.2rem,7.5rem)" if count <= _TITLED else "minmax(4.2rem,1fr)"
        title = " minmax(0,1fr)" if count <= _TITLED else ""
        rows = f"#mx .row{{grid-template-columns:minmax(8.5rem,21rem){title} repeat({count},{width})}}"
    return Markup(f":root{{--n:{count}}}@media(min-width:50.01rem){{{rows}}}")  # noqa: S704 - numbers only


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


def _cells(cells: Sequence[Cell], width: int) -> Markup:
    """Cells of a row of the matrix, or one across all columns."""
    wide = " all" if len(cells) < width else ""
    return Markup("").join(_cell(cell, wide) for cell in cells)


def _cell(cell: Cell, wide: str) -> Markup:
    """A passing cell is plain; any other has a CSS class, the word of its status and a sorting key."""
    changed = Markup(" <b>{}<i> {}</i></b>").format(cell.sign, SIGNS[cell.sign]) if cell.sign else ""
    if cell.status is Status.PASS:
        start = Markup('<span class="c all">') if wide else Markup("<span class=c>")
        return Markup("{}{}{}</span>").format(start, cell.text, changed)
    shown = Markup("{}<i> {}</i>{}").format(cell.text, cell.word, changed)
    return Markup('<span class="c{} {}"{}>{}</span>').format(wide, _class(cell), _order(cell), shown)


def _order(cell: Cell) -> Markup:
    """The sorting key of the column."""
    return Markup(" data-o={:.4g}").format(cell.order) if cell.order else Markup("")


def _class(cell: Cell) -> str:
    return "na" if cell.status is None else _CLASSES[cell.status]


def _basis(cells: Sequence[Cell | None]) -> Markup:
    """Cells of the table in an opened row, each with its evidence."""
    return Markup("").join(
        Markup("<td>")
        if cell is None
        else Markup("<td>{} <small>{}</small>").format(_verdict(cell), visible.isolated(cell.basis))
        for cell in cells
    )


def _verdict(cell: Cell) -> Markup:
    if cell.status is Status.PASS and not cell.href:
        return Markup("{} {}").format(cell.glyph, cell.ratio or cell.word)
    shown = Markup('<span class="g {}">{}</span> {}').format(_class(cell), cell.glyph, cell.ratio or cell.word)
    return Markup('<a href="{}">{}</a>').format(cell.href, shown) if cell.href else shown


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: files("xent_reports").joinpath("templates", name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
        bytecode_cache=CompiledTemplates(Path(__file__)),
    )
    environment.globals.update(
        GLYPHS=GLYPHS,
        DEVIATION=Status.DEVIATION,
        CLASSES=_CLASSES,
        MEANINGS=MEANINGS,
        GLOSSARY=GLOSSARY,
        NOT_RUN=headline.NOT_RUN,
        KINDS=KINDS,
        key=charts.key,
        bar=charts.bar,
    )
    environment.globals.update(
        t=visible.isolated, breakable=visible.breakable, cells=_cells, basis=_basis, look=headline.look
    )
    environment.globals.update(slug=visible.slug, state=state)
    environment.filters.update(
        ratio=figures.ratio,
        counted=figures.counted,
        binary=charts.binary,
        linked=visible.linked,
        abridged=visible.abridged,
        address=visible.web_address,
        address_label=visible.address_label,
        short=visible.shortened,
        source=visible.source,
    )
    return environment


def _finalized(value: Any) -> Any:
    """Jinja's finalizer: makes invisible characters of text visible and passes markup, which is this package's own."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible.visible(value)


def _asset(name: str) -> Markup:
    """A file of this package for the page, without its comments and indentation."""
    text = files("xent_reports").joinpath("templates", name).read_text("utf-8")
    return Markup(re.sub(r"^\s*(//.*\n)?", "", text, flags=re.MULTILINE).strip())  # noqa: S704


def _digest(text: str) -> Markup:
    """The hash by which the page's content security policy knows its own style and script."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(f"sha256-{digest}")  # noqa: S704
