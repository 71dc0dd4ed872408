"""One failing problem as the pages show it: what was expected, what came back, the problem, how to see it again."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from xent_conformance.records.record import GLYPHS, Status, number
from xent_reports.call import Call
from xent_reports.figures import counted, difference, quantity, ratio
from xent_reports.model import Backend, Verdict
from xent_reports.problem_table import Table, table_of
from xent_reports.shapes import NOT_FINITE
from xent_reports.visible import anchor, shortened

#: A message that only puts the facts into a sentence.
_RETOLD = re.compile(r"[\w ]+(\[[\d, ]*\])? is \S+, expected \S+( within \S+)?")
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
    #: Whether script or table was left out for the size of the page.
    brief: bool = False

    @property
    def remark(self) -> str:
        """The message, where it says more than the facts do."""
        names = {name for name, _ in self.facts}
        return "" if {"expected", "got"} <= names and _RETOLD.fullmatch(self.message) else self.message

    @property
    def added(self) -> Sequence[str]:
        """Names of the facts that are told beside the message, by a summary that tells it in any case."""
        return [name for name, _ in self.facts if name == "error / bound" or (self.remark and name != "quantity")]

    @property
    def glyph(self) -> str:
        """Glyph of the status."""
        return GLYPHS[self.status][0]

    @property
    def word(self) -> str:
        """Word of the status."""
        return GLYPHS[self.status][1]

    @property
    def drawing(self) -> int:
        """About how many bytes its table takes on a page."""
        return 60 + 14 * (len(self.table.columns) + 1) * (len(self.table.lines) + 1) if self.table else 0


def of_verdict(verdict: Verdict, backend: Backend, limit: int) -> Witness:
    """What the record has about a failing verdict; its texts are cut at ``limit`` characters."""
    if verdict.failure is None:
        place = anchor(verdict.requirement, verdict.backend, verdict.dtype)
        return Witness(place, verdict.dtype, verdict.status, shortened(verdict.reason or "no detail recorded", limit))
    return of_failure(verdict.failure, verdict, backend, limit)


def of_failure(failure: dict[str, Any], verdict: Verdict, backend: Backend, limit: int) -> Witness:
    """A failure, or a deviation's witness, of a verdict."""
    problem = failure["problem"]
    if failure["quantity"].startswith(("softmax", "log_softmax")):
        problem = {"logits": problem["logits"]}  # they take nothing else
    ignored = problem.get("ignore_index")
    default = backend.capabilities.get("default_ignore_index")
    call = Call(problem, ignored if ignored is not None else default if isinstance(default, int) else None)
    reason = f"\n{verdict.reason}" if verdict.reason and verdict.reason != failure["message"] else ""
    return Witness(
        anchor=anchor(verdict.requirement, verdict.backend, verdict.dtype),
        dtype=verdict.dtype,
        status=verdict.status,
        message=shortened(failure["message"] + reason, limit),
        facts=_facts(failure, call, limit),
        call=[(name, shortened(text, min(limit, _VALUE))) for name, text in call.facts()],
        table=table_of(call, failure.get("index"), failure["quantity"]),
        script=failure.get("reproducer") or "",
        command=shortened(failure.get("command") or "", 2 * _VALUE),
        found=_origin(failure.get("found") or {}),
        text=failure.get("text") or "",
    )


def _facts(failure: dict[str, Any], call: Call, limit: int) -> list[tuple[str, str]]:
    """What was looked at, expected and found, and by how much it is out."""
    place = call.index_text(failure.get("index") or ())
    what = failure["quantity"] + (f"[{place}]" if place else "")
    values = {k: failure.get(k) for k in ("expected", "got", "bound")}
    facts = [
        ("quantity", what),
        ("expected", quantity(values["expected"])),
        ("got", quantity(values["got"])),
        ("error", difference(values["expected"], values["got"])),
        ("bound", "" if values["expected"] in NOT_FINITE else _bound(values["bound"])),
        ("error / bound", _multiple(failure.get("ratio"), values["bound"])),
    ]
    return [(name, shortened(text, min(limit, _VALUE))) for name, text in facts if text]


def _bound(value: Any) -> str:
    return difference(0.0, value) or quantity(value)


def _multiple(found: Any, bound: Any) -> str:
    """How many times the bound an error is; nothing where there is no bound, and no number describes the failure."""
    large = None if found is None else number(found)
    return "" if large is None or (bound is None and math.isinf(large)) else ratio(large)


def _origin(found: dict[str, Any]) -> str:
    """How the problem was found, as a sentence; without its recipe, which is long and in the record."""
    failing, tries = found.get("failing_examples"), found.get("tries")
    shape, large = found.get("logits_shape"), found.get("ratio")
    parts = [
        f"{counted(failing, 'problem')} failed" if isinstance(failing, int) else "",
        f"this is number {found['example']}" if isinstance(found.get("example"), int) else "",
        f"reduced in {counted(tries, 'try', 'tries')}" if isinstance(tries, int) else "",
        f"from logits ({', '.join(map(str, shape))})" if isinstance(shape, list) else "",
        f"from {ratio(large)} times the bound" if isinstance(large, int | float) and math.isfinite(large) else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def briefly(witness: Witness, *, table: bool, script: bool) -> Witness:
    """The witness without its script, or its table, where there is no room for it."""
    return replace(
        witness,
        table=witness.table if table else None,
        script=witness.script if script else "",
        found=witness.found if script else "",
        brief=bool((witness.script and not script) or (witness.table and not table)),
    )
