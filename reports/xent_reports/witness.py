"""One failing problem as the pages show it: what was expected, what came back, the problem, how to see it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from xent_conformance.record import GLYPHS, Status
from xent_reports.call import Call
from xent_reports.figures import difference, quantity, ratio
from xent_reports.model import Backend, Verdict
from xent_reports.problem_table import Table, table_of
from xent_reports.visible import anchor, shortened

#: Characters that are shown of a value.
_VALUE = 400


@dataclass(frozen=True)
class Witness:
    """One failing problem, or one known to fail."""

    anchor: str
    dtype: str
    status: Status
    message: str
    facts: Sequence[tuple[str, str]] = ()
    call: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    script: str = ""
    command: str = ""
    found: str = ""
    text: str = ""
    #: Whether script and table were left out for the size of the page.
    brief: bool = False

    @property
    def glyph(self) -> str:
        """Glyph of the status."""
        return GLYPHS[self.status][0]

    @property
    def word(self) -> str:
        """Word of the status."""
        return GLYPHS[self.status][1]

    @property
    def weight(self) -> int:
        """About how many bytes its details take on a page."""
        cells = len(self.table.columns) * len(self.table.lines) if self.table else 0
        return len(self.script) + 14 * cells + sum(len(v) for _, v in self.call)


def of_verdict(verdict: Verdict, backend: Backend, limit: int) -> Witness:
    """What the record has about a failing verdict; its texts are cut at ``limit`` characters."""
    if verdict.failure is None:
        place = anchor(verdict.requirement.id, verdict.backend, verdict.dtype)
        return Witness(place, verdict.dtype, verdict.status, shortened(verdict.reason or "no detail recorded", limit))
    return of_failure(verdict.failure, verdict, backend, limit)


def of_failure(failure: dict[str, Any], verdict: Verdict, backend: Backend, limit: int) -> Witness:
    """A failure, or a deviation's witness, of a verdict."""
    problem = failure["problem"]
    ignored = problem.get("ignore_index")
    default = backend.capabilities.get("default_ignore_index")
    call = Call(problem, ignored if ignored is not None else default if isinstance(default, int) else None)
    reason = f"\n{verdict.reason}" if verdict.reason and verdict.reason != failure["message"] else ""
    return Witness(
        anchor=anchor(verdict.requirement.id, verdict.backend, verdict.dtype),
        dtype=verdict.dtype,
        status=verdict.status,
        message=shortened(failure["message"] + reason, limit),
        facts=_facts(failure, limit),
        call=[(name, shortened(text, min(limit, _VALUE))) for name, text in call.facts()],
        table=table_of(call, failure.get("index"), failure["quantity"]),
        script=failure.get("reproducer") or "",
        command=shortened(failure.get("command") or "", 2 * _VALUE),
        found=_origin(failure.get("found") or {}),
        text=failure.get("text") or "",
    )


def _facts(failure: dict[str, Any], limit: int) -> list[tuple[str, str]]:
    """What was looked at, expected and found, and by how much it is out."""
    index = failure.get("index")
    what = failure["quantity"] + (f"[{', '.join(map(str, index))}]" if index else "")
    values = {k: failure.get(k) for k in ("expected", "got", "bound")}
    facts = [
        ("quantity", what),
        ("expected", quantity(values["expected"])),
        ("got", quantity(values["got"])),
        ("error", difference(values["expected"], values["got"])),
        ("bound", difference(0.0, values["bound"]) or quantity(values["bound"])),
        ("error / bound", ratio(None if failure.get("ratio") is None else float(failure["ratio"]))),
    ]
    return [(name, shortened(text, min(limit, _VALUE))) for name, text in facts if text]


def _origin(found: dict[str, Any]) -> str:
    """Where a problem was found, without its recipe, which is long and in the record."""
    return ", ".join(
        f"{k.replace('_', ' ')} {v}" for k, v in found.items() if k != "recipe" and not isinstance(v, dict)
    )


def briefly(witness: Witness) -> Witness:
    """The witness without its script and its table."""
    return replace(witness, table=None, script="", found="", brief=bool(witness.script or witness.table))
