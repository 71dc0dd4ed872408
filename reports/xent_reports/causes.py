"""The causes of a run's failures: what is wrong, the worst first, each with the requirements that it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from xent_conformance.records.causes import Cause as Group
from xent_conformance.records.causes import broken_text
from xent_conformance.records.consequences import SECOND
from xent_conformance.records.lines import BackendLine, RequirementLine, VerdictLine
from xent_conformance.records.situations import ALWAYS
from xent_conformance.records.status import GLYPHS, SEVERITY, Status
from xent_reports.model import Run, dtype_order
from xent_reports.visible import abridged, one_line
from xent_reports.witness import Witness, briefly, of_verdict

#: Bytes of scripts, and of tables, on one page; beyond that, further failures of a cause have none.
#: A large matrix leaves scripts less: so many bytes for each of its cells, but never less than the last number.
_SCRIPTS, _TABLES = 42_000, 30_000
_CELL, _FEW_SCRIPTS = 50, 23_000
#: Characters that all messages together may take, and the least that each may.
_MESSAGES, _MESSAGE = 300_000, 500
#: The kind of a result that is no array, or one of a wrong shape or dtype.
WRONG_FORM = "wrong-form"
#: Facts, and claims, that a callable has no parameter for: whether it is meant to take that, a result does not tell.
_NOT_IN_A_SIGNATURE = ("spatial", "unbatched", "probability targets")


@dataclass(frozen=True)
class Broken:
    """A requirement that a cause breaks, with a witness for each failure of each dtype."""

    requirement: RequirementLine
    witnesses: Sequence[Witness]


@dataclass(frozen=True)
class Cause:
    """A fault and the requirements that it breaks; the first witness of the first requirement represents it."""

    backend: str
    status: Status
    situation: str
    broken: Sequence[Broken]
    #: What to do if it is not a fault, as a sentence; empty where nothing is known.
    hint: str = ""

    @property
    def witness(self) -> Witness:
        """The failure that represents all."""
        return self.broken[0].witnesses[0]

    @property
    def statement(self) -> str:
        """The statement of the requirement that the witness breaks."""
        return self.broken[0].requirement.statement

    @property
    def further(self) -> list[tuple[RequirementLine, Witness]]:
        """The other failures."""
        return [(b.requirement, w) for b in self.broken for w in b.witnesses if w is not self.witness]

    @property
    def requirements(self) -> list[str]:
        """Ids of the requirements that it breaks."""
        return [b.requirement.id for b in self.broken]

    @property
    def is_weak(self) -> bool:
        """Whether it breaks nothing but SHOULDs: no failure."""
        return self.status is Status.WEAK

    @property
    def head(self) -> str:
        """Glyph and word of the status."""
        return " ".join(GLYPHS[self.status])

    @cached_property
    def breaks(self) -> str:
        """How many requirements, in which dtypes; SHOULDs that fail no run are counted apart, as in the head."""
        weak = sum(all(w.status is Status.WEAK for w in b.witnesses) for b in self.broken)
        return f"{broken_text(len(self.broken) - weak, weak)} ({', '.join(self.dtypes)})"

    @cached_property
    def dtypes(self) -> list[str]:
        """Dtypes that it was seen with."""
        names = {w.dtype for b in self.broken for w in b.witnesses}
        return [abridged(one_line(dtype), 24) for dtype in sorted(names, key=dtype_order)]

    @property
    def words(self) -> str:
        """Statuses and dtypes, for the filter."""
        return " ".join(dict.fromkeys(word for b in self.broken for w in b.witnesses for word in (w.status, w.dtype)))


def causes(run: Run) -> list[Cause]:
    """The causes of a run, the worst first; those that break only SHOULDs come last.

    Failures for which the record has only a reason are one cause for each reason.
    """
    limit = max(_MESSAGE, _MESSAGES // max(len(run.failing), 1))
    backends = {b.name: b for b in run.backends}
    shown = {id(verdict): of_verdict(verdict, backends[verdict.backend], limit) for verdict in run.failing}
    of_failure = {
        id(failure): witness for v in run.failing for failure, witness in zip(v.failures, shown[id(v)], strict=False)
    }
    listed = [
        _cause(
            run,
            [(i.verdict, of_failure[id(i.failure)]) for i in group.instances],
            group.situation,
            _hint(group, backends[group.shown.verdict.backend]),
        )
        for group in run.grouped
    ]
    listed += [_cause(run, [(v, shown[id(v)][0]) for v in same]) for same in run.unexplained]
    listed.sort(key=lambda cause: cause.is_weak)
    return _within(listed, max(_FEW_SCRIPTS, _SCRIPTS - _CELL * len(run.requirements) * len(run.available)))


def _hint(group: Group, backend: BackendLine) -> str:
    """How not to claim what the failures of a cause need, where a callable has no parameter for that."""
    if not backend.tried:
        return ""
    failures = [instance.failure for instance in group.instances]
    others = [dtype for dtype in backend.capabilities.get("logits_dtypes", ()) if dtype != "float64"]
    if group.is_narrow and others:
        return f"If it is not meant to compute in float64: --dtypes {','.join(others)}"
    if all(failure.call.endswith(SECOND) for failure in failures) and "torch" in backend.versions:
        return "If its gradients are not meant to be differentiated: @once_differentiable above its backward says so"
    reductions, only = backend.capabilities.get("reductions", ()), {failure.problem.reduction for failure in failures}
    if failures[0].kind == WRONG_FORM and len(only) == 1 and len(reductions) > 1:
        others = [reduction for reduction in reductions if reduction not in only]
        return f"If it has no reduction={failures[0].problem.reduction!r}: --claim reductions={'+'.join(others)}"
    claim = next((fact.replace(" ", "-") for fact in failures[0].situation if fact in _NOT_IN_A_SIGNATURE), None)
    return f"If it is not meant to take such calls: --claim no-{claim}" if claim else ""


def _cause(run: Run, seen: Sequence[tuple[VerdictLine, Witness]], situation: str = ALWAYS, hint: str = "") -> Cause:
    """The cause of some failures, the first of which represents it."""
    broken: dict[str, list[Witness]] = {}
    for verdict, witness in seen:
        broken.setdefault(verdict.requirement, []).append(witness)
    return Cause(
        backend=seen[0][0].backend,
        status=min((witness.status for _, witness in seen), key=SEVERITY.index),
        situation=situation,
        broken=[Broken(run.catalogue[name], witnesses) for name, witnesses in broken.items()],
        hint=hint,
    )


def _within(ordered: Sequence[Cause], room: int) -> list[Cause]:
    """The causes with as many scripts and tables as fit; those of the representing failures come first."""
    places = [
        (nth + depth, witness)
        for cause in ordered
        for nth, broken in enumerate(cause.broken)
        for depth, witness in enumerate(broken.witnesses)
    ]
    order = [witness for _, witness in sorted(places, key=lambda place: place[0])]
    scripts = _fitting(((w.anchor, len(w.script) + len(w.traceback)) for w in order), room)
    tables = _fitting(((w.anchor, w.drawing) for w in order), _TABLES)

    def fitted(broken: Broken) -> Broken:
        return replace(
            broken,
            witnesses=[briefly(w, table=w.anchor in tables, script=w.anchor in scripts) for w in broken.witnesses],
        )

    return [replace(cause, broken=[fitted(broken) for broken in cause.broken]) for cause in ordered]


def _fitting(sizes: Iterable[tuple[str, int]], room: int) -> set[str]:
    """Names of what fits, in order; what is larger than the remaining room is skipped."""
    fitting = set()
    for name, size in sizes:
        if size <= room:
            room -= size
            fitting.add(name)
    return fitting
