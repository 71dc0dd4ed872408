"""The summary of a run as Markdown, for a CI job's page: what the HTML says first, with the same glyphs."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence

from xent_conformance.records.record import GLYPHS, SEVERITY
from xent_reports.causes import Cause, causes, unexplained
from xent_reports.changes import KINDS, Changes, state
from xent_reports.deviations import deviations
from xent_reports.failures import Failure
from xent_reports.headline import counts_line, notices, sentence
from xent_reports.model import Run
from xent_reports.visible import abridged, one_line, shortened, visible, web_address
from xent_reports.witness import Witness

#: Failures with their problem; more are counted. GitHub cuts a summary at 1 MiB.
_DETAILED = 30
_TEXT = 2000
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~>@-])")


def summary(run: Run, found: Sequence[Failure], changes: Changes | None = None) -> str:
    """The summary: verdict, counts, a table of backends, the failures, deviations and changes."""
    parts = [f"## {text(sentence(run))}", counts_line(run)]
    parts += [f"> {text(notice)}" for notice in notices(run)]
    parts += [text(changes.sentence)] if changes else []
    parts.append(_backends(run))
    explained = causes(run, found)
    for heading, shown in (
        ("### Causes", [_cause(cause) for cause in explained[:_DETAILED]]),
        ("### Failures", [_failure(failure) for failure in unexplained(found, explained)[:_DETAILED]]),
    ):
        parts += [heading, *shown] if shown else []
    more = sum(max(0, len(some) - _DETAILED) for some in (explained, unexplained(found, explained)))
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
    """A row for each backend with its verdicts by status."""
    statuses = [s for s in SEVERITY if any(v.status is s for v in run.verdicts)]
    if not statuses:
        return ""
    rows = ["| backend | " + " | ".join(" ".join(GLYPHS[s]) for s in statuses) + " |"]
    rows.append("| --- |" + " ---: |" * len(statuses))
    for backend in run.available:
        found = Counter(v.status for v in run.verdicts if v.backend == backend.name)
        rows.append(f"| {code(abridged(backend.name))} | " + " | ".join(f"{found[s]:,}" for s in statuses) + " |")
    return "\n".join(rows)


def _cause(cause: Cause) -> str:
    leading, *others = [code(name) for name in cause.requirements]
    title = f"#### {cause.head} on {code(abridged(cause.backend))}: {text(cause.situation)}"
    named = ", ".join(others[:_DETAILED]) + (
        f" and {len(others) - _DETAILED:,} more" if len(others) > _DETAILED else ""
    )
    also = f" It also breaks {named}." if others else ""
    where = f"Breaks {text(cause.breaks)}. Shown for {leading}: {text(cause.statement)}{also}"
    return f"{title}\n\n{where}\n\n{_witness(cause.witness)}"


def _failure(failure: Failure) -> str:
    first = failure.witnesses[0]
    others = dict.fromkeys(f"{w.glyph} {w.word} {text(w.dtype)}" for w in failure.witnesses if w.dtype != first.dtype)
    title = f"#### {first.glyph} {first.word}: {code(failure.requirement.id)} on {code(abridged(failure.backend))}"
    said = [title, text(failure.requirement.statement), *map(_witness, failure.leading)]
    return "\n\n".join([*said, *([f"Also: {', '.join(others)}."] if others else [])])


def _witness(witness: Witness) -> str:
    facts = ", ".join(f"{name} {code(value)}" for name, value in witness.facts if name in witness.added)
    place = f"{text(witness.dtype)}, {witness.part}" if witness.part else text(witness.dtype)
    lines = [f"**{place}**: {text(witness.message)}" + (f" ({facts})" if facts else "")]
    if witness.text:
        lines.append(block(witness.text))
    if witness.script:
        script = block(witness.script, "python")
        lines.append(f"<details><summary>Reproducer</summary>\n\n{script}\n\n</details>")
    if witness.command:
        lines.append(f"Run it again: {code(shortened(witness.command, 500))}")
    return "\n\n".join(lines)


def _deviations(run: Run) -> list[str]:
    found = deviations(run)
    if not found:
        return []
    lines = []
    for entry in found:
        address = web_address(entry.issue)
        issue = f"<{address}>" if address else text(entry.issue)
        places = "; ".join(f"{code(p.requirement.id)} ({text(', '.join(p.dtypes))})" for p in entry.places)
        lines.append(f"- ≠ {code(abridged(entry.backend))}: {text(entry.reason)}, {issue}. Concerns {places}.")
    return ["### Known deviations", "\n".join(lines)]


def _changes(changes: Changes) -> list[str]:
    lines = [f"- {text(said)}" for said in (*changes.conditions, *changes.versions)]
    for kind in KINDS:
        found = changes.of_kind(kind)
        for change in found[:_DETAILED]:
            place = (
                f"{code(abridged(change.requirement))} on {code(abridged(change.backend))} ({text(change.dtype, 48)})"
            )
            lines.append(f"- {kind}: {place}: {text(state(change.before))} → {text(state(change.after))}")
        if len(found) > _DETAILED:
            lines.append(f"- {kind}: {len(found) - _DETAILED:,} more")
    lines.append(f"- {changes.unchanged}")
    return ["### Changes since the earlier record", "\n".join(lines)]
