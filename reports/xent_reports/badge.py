"""A badge that states its denominator, in the JSON that shields.io reads from an endpoint."""

from __future__ import annotations

import json
from collections import Counter

from xent_conformance.record import Status
from xent_reports.figures import counted
from xent_reports.model import Run, worst
from xent_reports.visible import abridged, one_line

#: Statuses that are neither met nor plainly broken, and what the badge calls them.
_NAMED = {Status.DEVIATION: "deviation", Status.ERROR: "error", Status.VACUOUS: "vacuous"}


def badge(run: Run) -> str:
    """The badge: MUST requirements met, of those that apply, counted for each backend, and how many do not apply."""
    statuses, missing = _must(run)
    absent = statuses.pop(Status.NOT_APPLICABLE, 0)
    met, applicable = statuses[Status.PASS], sum(statuses.values()) + missing
    parts = [f"{met}/{applicable} MUST"]
    parts += [counted(statuses[status], name) for status, name in _NAMED.items() if statuses[status]]
    parts += [f"{missing} not run"] if missing else []
    parts += [f"{absent} n/a"] if absent else []
    message, color = ", ".join(parts), "blue" if met == applicable else "orange"
    if not applicable or not run.verdicts:
        message, color = "nothing judged", "lightgrey"
    elif run.footer is None:
        message, color = f"truncated at {message}", "lightgrey"
    names = [b.label for b in run.available]
    who = abridged(one_line(names[0]), 24) if len(names) == 1 else f"{len(names)} backends"
    content = {"schemaVersion": 1, "label": f"cross-entropy: {who}", "message": message, "color": color}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _must(run: Run) -> tuple[Counter[Status], int]:
    """Worst status of each MUST requirement on each backend, and how many have no verdict."""
    statuses: Counter[Status] = Counter()
    missing = 0
    for requirement in run.requirements:
        for backend in run.available:
            found = worst(v for v in run.cells.get((requirement.id, backend.label), ()) if v.level == "MUST")
            if found is not None:
                statuses[found.status] += 1
            elif requirement.level == "MUST" and (requirement.id, backend.label) not in run.cells:
                missing += 1
    return statuses, missing
