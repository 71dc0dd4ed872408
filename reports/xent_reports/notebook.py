"""The summary of a record for a cell of a notebook: a fragment of HTML without scripts, styles or links."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files as resources

from jinja2 import Environment, StrictUndefined, Template

from xent_conformance.records.record import Record
from xent_reports.causes import causes
from xent_reports.headline import counts_line, notices, sentence
from xent_reports.model import run_of
from xent_reports.visible import abridged, one_line, shortened, visible

#: Causes that are shown; the page has all.
_SHOWN = 20


def fragment(record: Record, remarks: Sequence[str] = ()) -> str:
    """The terminal's summary of a record as HTML: notices, the verdict, then a folded block for each cause."""
    run = run_of(record)
    grouped = causes(run)
    return _template().render(
        sentence=sentence(run),
        counts=counts_line(run),
        notices=[*notices(run), *remarks],
        causes=grouped[:_SHOWN],
        left=max(0, len(grouped) - _SHOWN),
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"line": lambda text: shortened(one_line(text), 400), "visible": visible, "name": _name}
    text = resources("xent_reports").joinpath("templates", "notebook.html.j2").read_text("utf-8")
    return environment.from_string(text)


def _name(text: str) -> str:
    return abridged(one_line(text))
