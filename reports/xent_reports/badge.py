"""A badge that states its denominator, in the JSON that shields.io reads from an endpoint."""

from __future__ import annotations

import json
from collections import Counter

from xent_conformance.records.record import Status
from xent_reports.figures import counted
from xent_reports.model import Run
from xent_reports.standing import standings
from xent_reports.visible import abridged, one_line

#: Statuses that are neither met nor plainly broken, and what the badge calls them.
_NAMED = {Status.DEVIATION: "deviation", Status.ERROR: "error", Status.VACUOUS: "vacuous"}


def badge(run: Run) -> str:
    """The badge: MUST requirements met, of those that apply, counted for each backend, and how many do not apply."""
    standing = standings(run, "MUST").values()
    statuses = sum((s.statuses for s in standing), Counter[Status]())
    missing, absent = sum(s.missing for s in standing), statuses[Status.NOT_APPLICABLE]
    met, applicable = sum(s.met for s in standing), sum(s.applicable for s in standing)
    parts = [f"{met}/{applicable} MUST"]
    parts += [counted(statuses[status], name) for status, name in _NAMED.items() if statuses[status]]
    parts += [f"{missing} not run"] if missing else []
    parts += [f"{absent} n/a"] if absent else []
    message, color = ", ".join(parts), "blue" if met == applicable else "orange"
    if not applicable or not run.verdicts:
        message, color = "nothing judged", "lightgrey"
    elif run.footer is None:
        message, color = f"truncated at {message}", "lightgrey"
    names = [b.name for b in run.available]
    who = abridged(one_line(names[0]), 24) if len(names) == 1 else f"{len(names)} backends"
    content = {"schemaVersion": 1, "label": f"cross-entropy: {who}", "message": message, "color": color}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"
