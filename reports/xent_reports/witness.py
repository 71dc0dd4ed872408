"""One failing problem as the pages show it: expected and actual value, the problem, how to reproduce it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xent_conformance.records.lines import BackendLine, Failure, Found, VerdictLine
from xent_conformance.records.situations import listed, phrases
from xent_conformance.records.status import GLYPHS, Status
from xent_reports.answers import Answers, answers_of
from xent_reports.call import Call
from xent_reports.figures import counted, difference, quantity, ratio
from xent_reports.problem_table import Table, table_of
from xent_reports.visible import anchor, shortened

#: A message that only repeats the facts.
_RETOLD = re.compile(r"[\w ]+(\[[\d, ]*\])? is \S+, expected \S+( within \S+)?")
#: Characters that are shown of a value, and of a traceback.
_VALUE, _TRACEBACK = 400, 4000


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
    traceback: str = ""
    #: Its number among the failures of its verdict, if there are several.
    part: str = ""
    #: The answers of the other backends of the run.
    answers: Answers = field(default_factory=Answers)
    #: Whether script or table was left out for the size of the page.
    brief: bool = False
    #: Characters of the script, if it was left out.
    left_out: int = 0

    @property
    def elsewhere(self) -> str:
        """Where its script is, if that was left out; empty otherwise."""
        return (
            f"The script that shows it has {self.left_out:,} characters and is in the record." if self.left_out else ""
        )

    @property
    def remark(self) -> str:
        """The message, if it says more than the facts."""
        names = {name for name, _ in self.facts}
        return "" if {"expected", "got"} <= names and _RETOLD.fullmatch(self.message) else self.message

    @property
    def added(self) -> Sequence[str]:
        """Names of the facts that a summary states in addition to the message."""
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


def of_verdict(verdict: VerdictLine, backend: BackendLine, limit: int) -> list[Witness]:
    """The failures of a verdict; texts are cut at ``limit`` characters."""
    place = anchor(verdict.requirement, verdict.backend, verdict.dtype)
    if not verdict.failures:
        return [Witness(place, verdict.dtype, verdict.status, shortened(verdict.reason or "no detail recorded", limit))]
    shown = [of_failure(failure, verdict, backend, limit) for failure in verdict.failures]
    if len(shown) == 1:
        return shown
    return [
        replace(witness, anchor=place, part=f"{number} of {len(shown)}")
        for number, (witness, place) in enumerate(zip(shown, anchors(verdict), strict=True), start=1)
    ]


def anchors(verdict: VerdictLine) -> list[str]:
    """The anchor of each of a verdict's failures on the page."""
    place = anchor(verdict.requirement, verdict.backend, verdict.dtype)
    return [place if number == 1 else f"{place}--{number}" for number in range(1, len(verdict.failures) + 1)]


def of_failure(failure: Failure, verdict: VerdictLine, backend: BackendLine, limit: int) -> Witness:
    """A failure, or a deviation's witness, of a verdict."""
    ignored, default = failure.problem.ignore_index, backend.capabilities.get("default_ignore_index")
    call = Call(
        failure.problem,
        ignored if ignored is not None else default if isinstance(default, int) else None,
        logits_only=failure.quantity.startswith(("softmax", "log_softmax")),
        names_cotangent="cotangent" in failure.message,
    )
    reason = f"\n{verdict.reason}" if verdict.reason and verdict.reason != failure.message else ""
    return Witness(
        anchor=anchor(verdict.requirement, verdict.backend, verdict.dtype),
        dtype=verdict.dtype,
        status=verdict.status_of(failure),
        message=shortened(failure.message + reason, limit),
        facts=_facts(failure, call, limit),
        call=[(name, shortened(text, min(limit, _VALUE))) for name, text in call.facts()],
        table=table_of(call, failure.index, failure.quantity),
        script=failure.reproducer or "",
        command=shortened(failure.command, 2 * _VALUE),
        found=_origin(failure.found or Found(), verdict.set_aside),
        text=failure.text,
        traceback=shortened(failure.exception.traceback, _TRACEBACK) if failure.exception else "",
        answers=answers_of(failure),
    )


def _facts(failure: Failure, call: Call, limit: int) -> list[tuple[str, str]]:
    """Quantity, expected and actual value, error, bound, and what all such problems share."""
    place = call.index_text(failure.index or ())
    raised, not_finite = failure.exception, quantity(failure.expected) in ("∞", "-∞", "nan")
    facts = [
        ("quantity", failure.quantity + (f"[{place}]" if place else "")),
        ("expected", quantity(failure.expected)),
        ("got", quantity(failure.got)),
        ("error", difference(failure.expected, failure.got)),
        ("bound", "" if not_finite else difference(0.0, failure.bound) or quantity(failure.bound)),
        ("error / bound", _multiple(failure.ratio, failure.bound)),
        ("raised in", f"{raised.file}:{raised.line}" if raised and raised.file else ""),
        ("only with", listed(phrases(failure.situation))),
    ]
    # An exception and its place are not repeated if the message has them.
    repeated = [text for name, text in facts if raised and name in {"got", "raised in"} and text in failure.message]
    return [(name, shortened(text, min(limit, _VALUE))) for name, text in facts if text and text not in repeated]


def _multiple(largest: float | None, bound: float | None) -> str:
    """How many times the bound an error is; empty if the failure has no bound and no number describes it."""
    return "" if largest is None or (bound is None and math.isinf(largest)) else ratio(largest)


def _origin(origin: Found, set_aside: int) -> str:
    """How the problem was found, and how many were set aside. Its recipe is only in the record."""
    parts = [
        "" if origin.failing_examples is None else f"{counted(origin.failing_examples, 'problem')} failed",
        "" if origin.example is None else f"this is problem {origin.example}",
        "" if origin.tries is None else f"reduced in {counted(origin.tries, 'attempt')}",
        "" if origin.logits_shape is None else f"from logits of shape {origin.logits_shape}",
        f"originally {ratio(origin.ratio)} times the bound"
        if origin.ratio is not None and math.isfinite(origin.ratio)
        else "",
    ]
    sentence = ", ".join(part for part in parts if part)
    remarks = [f"{sentence[:1].upper()}{sentence[1:]}."] if sentence else []
    if set_aside:
        problems = counted(set_aside, "further problem")
        remarks.append(f"{problems} in the situation of a known cause {'was' if set_aside == 1 else 'were'} set aside.")
    return " ".join(remarks)


def briefly(witness: Witness, *, table: bool, script: bool) -> Witness:
    """The witness without its script or table, to save space on the page."""
    return replace(
        witness,
        table=witness.table if table else None,
        script=witness.script if script else "",
        traceback=witness.traceback if script else "",
        found=witness.found if script else "",
        left_out=0 if script else len(witness.script),
        brief=bool((witness.script and not script) or (witness.table and not table)),
    )
