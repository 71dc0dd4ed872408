"""The summary of a run as Markdown, for a CI job's page: the head of the HTML page, with the same glyphs."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from xent_reports.causes import Cause
from xent_reports.changes import KINDS, Changes
from xent_reports.deviations import deviations
from xent_reports.headline import counts, counts_line, look, notices, sentence
from xent_reports.model import Run
from xent_reports.visible import abridged, one_line, shortened, visible, web_address
from xent_reports.witness import Witness

#: Failures with their problem; more are counted. GitHub cuts a summary at 1 MiB.
_DETAILED = 30
_TEXT = 2000
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~>@-])")


def summary(run: Run, causes: Sequence[Cause], changes: Changes | None = None) -> str:
    """The summary: verdict, counts, a table of backends, the failures, deviations and changes."""
    parts = [f"## {text(sentence(run))}", counts_line(run)]
    parts += [f"> {text(notice)}" for notice in notices(run)]
    parts += [text(changes.sentence)] if changes else []
    parts.append(_backends(run))
    failing, weak = [c for c in causes if not c.is_weak], [c for c in causes if c.is_weak]
    for heading, shown in (("### Causes", failing), ("### Weak", weak)):
        parts += [heading, *map(_cause, shown[:_DETAILED])] if shown else []
    more = sum(max(0, len(some) - _DETAILED) for some in (failing, weak))
    parts += [f"… and {more:,} more, in the HTML report."] if more else []
    parts += _deviations(run)
    if changes is not None:
        parts += _changes(changes)
    return "\n\n".join(part for part in parts if part) + "\n"


def text(untrusted: str, limit: int = 400) -> str:
    """Text that Markdown and HTML leave alone, on one line."""
    return _SPECIAL.sub(r"\\\1", html.escape(shortened(one_line(untrusted), limit), quote=False))


def code(untrusted: str) -> str:
    """The text as a code span that stays one in a table and whatever backticks it holds."""
    shown = one_line(untrusted).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else ""


def block(untrusted: str, language: str = "") -> str:
    """The text as a code block that nothing in it can close."""
    shown = visible(shortened(untrusted, 10 * _TEXT))
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    return f"{fence}{language}\n{shown.rstrip()}\n{fence}"


def _backends(run: Run) -> str:
    """A row for each backend with its requirements by status."""
    statuses = [status for status, _ in counts(run)]
    if not statuses:
        return ""
    rows = ["| backend | " + " | ".join(" ".join(look(s)) for s in statuses) + " |"]
    rows.append("| --- |" + " ---: |" * len(statuses))
    for backend in run.available:
        found = dict(counts(run, backend.name))
        numbers = " | ".join(f"{found.get(s, 0):,}" for s in statuses)
        rows.append(f"| {code(abridged(backend.name))} | {numbers} |")
    return "\n".join(rows)


def _cause(cause: Cause) -> str:
    leading, *others = [code(name) for name in cause.requirements]
    title = f"#### {cause.head} on {code(abridged(cause.backend))}: {text(cause.situation)}"
    named = ", ".join(others[:_DETAILED]) + (
        f" and {len(others) - _DETAILED:,} more" if len(others) > _DETAILED else ""
    )
    also = f" It also breaks {named}." if others else ""
    where = f"Breaks {text(cause.breaks)}. Shown for {leading}: {text(cause.statement)}{also}"
    hint = f"\n\n{text(cause.hint)}." if cause.hint else ""
    return f"{title}\n\n{where}\n\n{_witness(cause.witness)}{hint}"


def _witness(witness: Witness) -> str:
    facts = ", ".join(f"{name} {code(value)}" for name, value in witness.facts if name in witness.added)
    place = f"{text(witness.dtype)}, {witness.part}" if witness.part else text(witness.dtype)
    lines = [f"**{place}**: {text(witness.message)}" + (f" ({facts})" if facts else "")]
    if witness.text:
        lines.append(block(witness.text))
    if witness.answers:
        lines.append(f"On this problem: {text(witness.answers.sentence)}.")
    if witness.script:
        script = block(witness.script, "python")
        lines.append(f"<details><summary>Reproducer</summary>\n\n{script}\n\n</details>")
    if witness.elsewhere:
        lines.append(witness.elsewhere)
    if witness.command:
        lines.append(f"Reproduce: {code(shortened(witness.command, 500))}")
    return "\n\n".join(lines)


def _deviations(run: Run) -> list[str]:
    listed = deviations(run)
    if not listed:
        return []
    lines = []
    for entry in listed:
        address = web_address(entry.issue)
        issue = f"<{address}>" if address else text(entry.issue)
        places = "; ".join(f"{code(p.requirement.id)} ({text(', '.join(p.dtypes))})" for p in entry.places)
        lines.append(f"- ≠ {code(abridged(entry.backend))}: {text(entry.reason)}, {issue}. Concerns {places}.")
    return ["### Known deviations", "\n".join(lines)]


def _changes(changes: Changes) -> list[str]:
    lines = [f"- {text(said)}" for said in (*changes.conditions, *changes.versions)]
    for kind in KINDS:
        shown = changes.of_kind(kind)
        for change in shown[:_DETAILED]:
            place = (
                f"{code(abridged(change.requirement))} on {code(abridged(change.backend))} ({text(change.dtype, 48)})"
            )
            lines.append(f"- {kind}: {place}: {text(' → '.join(change.states))}")
        if len(shown) > _DETAILED:
            lines.append(f"- {kind}: {len(shown) - _DETAILED:,} more")
    lines.append(f"- {changes.unchanged}")
    return ["### Changes since the earlier record", "\n".join(lines)]
