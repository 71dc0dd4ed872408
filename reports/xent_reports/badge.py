"""Badges that state their denominator, in the JSON that shields.io reads from an endpoint."""

from __future__ import annotations

import json
from collections import Counter

from xent_conformance.records.status import Status
from xent_reports.figures import counted
from xent_reports.model import Run
from xent_reports.standing import standing
from xent_reports.visible import abridged, one_line, slug

#: How a badge names MUST requirements that are not met, worst first.
_NAMED = {
    Status.CRASH: ("crash", "crashes"),
    Status.TIMEOUT: ("timeout", "timeouts"),
    Status.FAIL: ("failure", "failures"),
    Status.ERROR: ("error", "errors"),
    Status.DEVIATION: ("deviation", "deviations"),
    Status.VACUOUS: ("not exercised", "not exercised"),
}


def badges(run: Run) -> dict[str, str]:
    """The badge of all backends together and, where there are several, that of each, by the names of their files."""
    names = [b.name for b in run.available]
    each = {f"badge-{slug(name)}.json": _badge(run, [name]) for name in names} if len(names) > 1 else {}
    return {"badge.json": _badge(run, names), **each}


def _badge(run: Run, names: list[str]) -> str:
    """MUST requirements met, of those that apply, counted for each backend; why others are not; how many do not apply.

    A requirement counts by its worst dtype.
    """
    standings = [standing(run, name, "MUST") for name in names]
    statuses = sum((s.statuses for s in standings), Counter[Status]())
    missing, absent = sum(s.missing for s in standings), statuses[Status.NOT_APPLICABLE]
    met, applicable = sum(s.met for s in standings), sum(s.applicable for s in standings)
    parts = [f"{met}/{applicable} MUST"]
    parts += [counted(statuses[status], *words) for status, words in _NAMED.items() if statuses[status]]
    parts += [f"{missing} not run"] if missing else []
    parts += [f"{absent} n/a"] if absent else []
    message, color = ", ".join(parts), "blue" if met == applicable else "orange"
    if not applicable or not any(v.backend in names for v in run.verdicts):
        message, color = "nothing judged", "lightgrey"
    elif run.footer is None:
        message, color = f"truncated at {message}", "lightgrey"
    who = abridged(one_line(names[0]), 24) if len(names) == 1 else counted(len(names), "backend")
    content = {"schemaVersion": 1, "label": f"cross-entropy: {who}", "message": message, "color": color}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
