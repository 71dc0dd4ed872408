"""The causes of a run's failures: what is shown first, with the requirements that each breaks behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from xent_conformance.records import causes as recorded
from xent_conformance.records.record import GLYPHS, SEVERITY, Status
from xent_reports.failures import Failure
from xent_reports.figures import counted
from xent_reports.model import Run, dtype_order
from xent_reports.visible import abridged, one_line
from xent_reports.witness import Witness, anchors


@dataclass(frozen=True)
class Cause:
    """A fault: the witness that stands for it, and the failures by requirement that it explains."""

    backend: str
    status: Status
    situation: str
    statement: str
    witness: Witness
    #: Ids of the requirements that it breaks, that of the witness first.
    requirements: Sequence[str]
    dtypes: Sequence[str]

    @property
    def head(self) -> str:
        """Glyph and word of the status."""
        return " ".join(GLYPHS[self.status])

    @cached_property
    def breaks(self) -> str:
        """How many requirements, in which dtypes."""
        return f"{counted(len(self.requirements), 'requirement')} ({', '.join(self.dtypes)})"


def causes(run: Run, found: Sequence[Failure]) -> list[Cause]:
    """The causes of a run, the worst first, given its failures by requirement."""
    witnesses = {w.anchor: w for failure in found for w in failure.witnesses}
    places = {id(f): place for v in run.failing for f, place in zip(v.failures, anchors(v), strict=True)}
    shown = []
    for cause in recorded.causes(run.failing):
        first = cause.shown
        leading = first.verdict.requirement
        others = [name for name in cause.requirements if name != leading]
        shown.append(
            Cause(
                backend=cause.backend,
                status=min((i.verdict.status for i in cause.instances), key=SEVERITY.index),
                situation=cause.situation or recorded.ALWAYS,
                statement=run.catalogue[leading].statement,
                witness=witnesses[places[id(first.failure)]],
                requirements=[leading, *others],
                dtypes=[abridged(one_line(dtype), 24) for dtype in sorted(cause.dtypes, key=dtype_order)],
            )
        )
    return shown


def unexplained(found: Sequence[Failure], explained: Sequence[Cause]) -> list[Failure]:
    """The failures that are none of a cause's: of verdicts that say no more than why there is no result."""
    seen = {(name, cause.backend) for cause in explained for name in cause.requirements}
    return [failure for failure in found if (failure.requirement.id, failure.backend) not in seen]
