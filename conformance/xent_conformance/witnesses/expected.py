"""Calls that are expected to hang, because calls in the same situation did.

A hanging call costs its time limit. Once two requirements have shown the same cause on problems of their own, the
others are judged on the small problem of that cause first, whose calls are made once and remembered. Where that hangs,
problems in its situation are set aside. Where it does not, they are judged last, one after the other and in a hurry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from xent_conformance.calling.calls import TIMEOUT
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses.behind import Cause, confirmed
from xent_conformance.witnesses.reduction import Witness

#: Requirements that must have shown a cause on problems of their own. A call may hang for particular numbers, which no
#: fact describes; then problems in its situation that another requirement judges do not.
SHOWN = 2

#: A cause's small problem for a requirement and dtype; None if the claims of the failing problem do not include it.
Small = Callable[[Cause, Requirement, Subject, Problem], Trial | None]


class ExpectedHangs:
    """The hanging calls of one backend whose situation is known."""

    def __init__(self, small: Small) -> None:
        """None is known yet."""
        self._small = small
        #: By fault (signature and situation), the requirements that have shown it, and by dtype its smallest cause.
        self._shown: dict[object, set[str]] = {}
        self._causes: dict[object, dict[str, Cause]] = {}
        #: What requirements show on the small problem of a cause, by requirement, dtype and cause.
        self._made: dict[object, Cause | None] = {}

    def add(self, cause: Cause, subject: Subject) -> None:
        """Note a cause that a requirement has shown on a problem of its own."""
        if not _hangs(cause.failing.finding) or not (cause.established or cause.always):
            return
        self._shown.setdefault(_fault(cause), set()).add(cause.requirement.id)
        self._add_smaller(cause, subject)

    def _add_smaller(self, cause: Cause, subject: Subject) -> None:
        causes = self._causes.setdefault(_fault(cause), {})
        other = causes.get(subject.dtype)
        if other is None or cause.witness.problem.logits.size < other.witness.problem.logits.size:
            causes[subject.dtype] = cause

    def explaining(self, requirement: Requirement, subject: Subject, failing: Failing) -> Cause | None:
        """The cause of a hanging call, as an expected one explains it."""
        cause = next((c for c in self.expected(subject) if c.explains(failing)), None)
        return None if cause is None else Cause(requirement, failing, cause.witness, cause.needs)

    def expected(self, subject: Subject) -> list[Cause]:
        """The causes that enough requirements have shown, and whose small problems hang in this dtype."""
        shown = [causes for fault, causes in self._causes.items() if len(self._shown[fault]) >= SHOWN]
        for causes in shown:
            if subject.dtype not in causes:
                first = next(iter(causes.values()))
                self._on_small(first.requirement, subject, first)
        return [causes[subject.dtype] for causes in shown if subject.dtype in causes]

    def foreseen(self, requirement: Requirement, subject: Subject) -> list[Cause]:
        """The causes that a requirement shows on their small problems, or has shown in another dtype."""
        seen = (self._foreseen(requirement, subject, cause) for cause in self.expected(subject))
        return [cause for cause in seen if cause is not None]

    def suspected(self, requirement: Requirement, subject: Subject) -> list[Cause]:
        """The others, whose situations may not be all that matters."""
        return [c for c in self.expected(subject) if self._foreseen(requirement, subject, c) is None]

    def _foreseen(self, requirement: Requirement, subject: Subject, cause: Cause) -> Cause | None:
        shown = self._on_small(requirement, subject, cause)
        if shown is None and requirement.id in self._shown[_fault(cause)]:
            # Its own problems in this situation hang in another dtype, and those of others in this one.
            return replace(cause, requirement=requirement, explained=0)
        return shown

    def _on_small(self, requirement: Requirement, subject: Subject, cause: Cause) -> Cause | None:
        """A cause as a requirement shows it on its small problem."""
        key = requirement.id, subject.dtype, id(cause)
        if key not in self._made:
            self._made[key] = shown = self._judged_on_small(requirement, subject, cause)
            if shown is not None:
                self._add_smaller(shown, subject)
        return self._made[key]

    def _judged_on_small(self, requirement: Requirement, subject: Subject, cause: Cause) -> Cause | None:
        trial = self._small(cause, requirement, subject, cause.failing.trial.problem)
        finding = None if trial is None else _hanging(requirement, trial)
        if trial is None or finding is None:
            return None
        small = Failing(trial, finding)
        elsewhere = cause.failing.trial.subject.dtype != subject.dtype
        if elsewhere and not (cause.covers(trial.problem) and confirmed(requirement, subject, small, cause.needs)):
            return None
        return Cause(requirement, small, Witness(trial.problem, finding), cause.needs)


def _hanging(requirement: Requirement, trial: Trial) -> Finding | None:
    """The hanging call of a requirement on a problem; None for a problem that the suite cannot judge."""
    try:
        made = findings(requirement, trial)
    except Exception:  # noqa: BLE001 - what is outside the oracle's domain shows nothing
        return None
    return next(filter(_hangs, made), None)


def _hangs(finding: Finding) -> bool:
    """Whether it is a hanging call, of one thread."""
    return isinstance(finding, Lost) and finding.fate == TIMEOUT and not finding.threads


def _fault(cause: Cause) -> object:
    """Equal for causes that are probably the same fault."""
    return cause.failing.finding.signature, cause.needs.situation
