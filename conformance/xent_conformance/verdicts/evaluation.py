"""Evaluating requirements on a subject: from problems to verdicts.

Requirements with the same source of problems are judged together, on shared trials, and trials take turns. A call that
does not return, because it crashes or hangs, stops the search of its requirement; once the situation of that call is
known, the search continues with problems outside that situation.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from xent_conformance.calling.calls import CRASH, TIMEOUT
from xent_conformance.calling.turns import AT_ONCE, by_turns, clock
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.programs import share_of
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.record import Status
from xent_conformance.requirements.registry import Level, Requirement
from xent_conformance.verdicts.deviations import Deviation
from xent_conformance.verdicts.excuses import Excuses, StaleError
from xent_conformance.verdicts.tally import Failing, Tally

#: Statuses whose failing problems are reduced and shown.
SHOWN = (Status.FAIL, Status.WEAK, Status.CRASH, Status.TIMEOUT)
#: Number of crashes, and of hanging calls, after which the search of a requirement ends.
MOST_LOST = {CRASH: 3, TIMEOUT: 2}


class Explanation(Protocol):
    """What is known of a call that did not return."""

    @property
    def established(self) -> bool:
        """Whether its situation is known. If it is not, the same fault would cost one process after the other."""
        ...

    def covers(self, problem: Problem) -> bool:
        """Whether a problem is in its situation, so that it would probably show the same fault."""
        ...


Explain = Callable[[Requirement, Subject, Failing], Explanation]
#: Called with the first failing finding of each requirement, as soon as there is one.
Announce = Callable[[Requirement, Subject, Finding], object]


@dataclass
class Verdict:
    """The result of evaluating one requirement on one subject.

    ``explained`` explains the calls that did not return; ``skipped`` is the number of problems that were not judged
    because they are in the situation of one of them.
    """

    requirement: Requirement
    subject: Subject
    status: Status
    tally: Tally
    reason: str | None = None
    observed: str | None = None
    failing: list[Failing] = field(default_factory=list)
    deviations: list[tuple[Deviation, Failing]] = field(default_factory=list)
    explained: tuple[Explanation, ...] = ()
    skipped: int = 0
    seconds: float = 0.0


def evaluate(
    subject: Subject,
    requirements: Sequence[Requirement],
    settings: Settings,
    deviations: Sequence[Deviation] = (),
    version: str | None = None,
    explain: Explain | None = None,
    announce: Announce = lambda *_: None,
) -> dict[str, Verdict]:
    """Judge requirements with one common source of problems.

    Args:
        subject: The backend and dtype to judge.
        requirements: They all have the same source.
        settings: The profile and the seed.
        deviations: Known deviations of the backend.
        version: The library's version, which deviations may depend on.
        explain: Determines the situation of a call that did not return; without it the search ends with such a call.
        announce: Called with the first failing finding of each requirement, long before its verdict.

    Returns:
        The verdicts by the requirements' ids.
    """
    verdicts = {}
    judged = []
    for requirement in requirements:
        reason = requirement.not_applicable(subject)
        if reason is not None:
            verdicts[requirement.id] = Verdict(requirement, subject, Status.NOT_APPLICABLE, Tally(), reason=reason)
            continue
        known = Excuses(requirement, subject, deviations, version)
        judged.append(_Judging(requirement, subject, known, announce))
    if judged:
        source, programs = judged[0].requirement.source, subject.compilations
        # The share is for all searches together: the search is repeated after each call that does not return.
        least = 0 if programs is None else programs.left - share_of(source, programs)
        searching = judged
        while searching:
            with nullcontext() if programs is None else programs.limited(programs.left - least):
                tasks = (partial(_judge_all, searching, trial) for trial in trials(subject, source, settings))
                by_turns(tasks, 1 if source.in_a_row else AT_ONCE)
            searching = [j for j in judged if explain is not None and j.goes_on(explain)]
    verdicts |= {j.requirement.id: j.verdict() for j in judged}
    return verdicts


def _judge_all(judged: Sequence[_Judging], trial: Trial) -> None:
    for judging in judged:
        judging.judge(trial)


class _Judging:
    """The state of judging one requirement on one subject, problem after problem."""

    def __init__(self, requirement: Requirement, subject: Subject, known: Excuses, announce: Announce) -> None:
        self.requirement = requirement
        self.subject = subject
        self.known = known
        self.announce = announce
        self.tally = Tally()
        self.error: str | None = None
        self.fate: Status | None = None
        self.lost: Failing | None = None
        self.explained: list[Explanation] = []
        self.skipped = 0
        #: Examples that were drawn and not judged after a call that did not return; None before the first search ends.
        self._left: set[int] | None = None
        self._missed: set[int] = set()
        self.seconds = 0.0

    def judge(self, trial: Trial) -> None:
        """Judge a problem, or the problems derived from it.

        An error in the suite ends this requirement and no other. So does a call that does not return, since each one
        costs a new process.
        """
        if self.error is not None or (self._left is not None and trial.example not in self._left):
            return
        if self.lost is not None:
            self._missed.add(trial.example)
            return
        start = clock()
        try:
            for judged, results in judge(self.requirement, trial, self._is_explained):
                self._count(judged, results)
                if self.lost is not None:
                    break
        except Exception as error:  # noqa: BLE001 - an error of the suite is a verdict of its own
            self.error = _reason(error)
        self.seconds += clock() - start

    def goes_on(self, explain: Explain) -> bool:
        """Whether to continue after a call that did not return, with the remaining problems outside its situation."""
        lost, self.lost = self.lost, None
        self._left, self._missed = self._missed, set()
        if lost is None or self.error is not None:
            return False
        start = clock()
        try:
            explanation = explain(self.requirement, self.subject, lost)
        except Exception as error:  # noqa: BLE001 - an error of the suite is a verdict of its own
            self.error = _reason(error)
            return False
        finally:
            self.seconds += clock() - start
        self.explained.append(explanation)
        assert isinstance(lost.finding, Lost)
        return bool(self._left) and explanation.established and len(self.explained) < MOST_LOST[lost.finding.fate]

    def _is_explained(self, problem: Problem) -> bool:
        explained = any(explanation.covers(problem) for explanation in self.explained)
        self.skipped += explained
        return explained

    def verdict(self) -> Verdict:
        """The verdict on all that was judged."""
        witnesses = []
        start = clock()
        try:
            witnesses = list(self.known.witnesses())
        except StaleError as stale:
            self.error = self.error or str(stale)
        status, reason = self._status(deviates=bool(witnesses))
        observe = self.requirement.observe
        return Verdict(
            self.requirement,
            self.subject,
            status,
            self.tally,
            reason=reason,
            observed=observe(self.tally.worst.values()) if observe and not self.error else None,
            failing=self.tally.failing if status in SHOWN else [],
            deviations=witnesses,
            explained=tuple(self.explained),
            skipped=self.skipped,
            seconds=self.seconds + clock() - start,
        )

    def _count(self, trial: Trial, made: Sequence[Finding]) -> None:
        failed = [f for f in made if f.failed]
        excused = bool(failed) and self.known.excuse(trial.problem)
        if failed and not excused and not self.tally.failed:
            self.announce(self.requirement, self.subject, max(failed, key=lambda f: f.ratio))
        self.tally.count(trial, made, excused=excused)
        lost = None if excused else next((f for f in failed if isinstance(f, Lost)), None)
        if lost is not None:
            self.fate = self.fate or Status(lost.fate)
            self.lost = self.lost or Failing(trial, lost, tuple(trial.subject.executor.recent))

    def _status(self, *, deviates: bool) -> tuple[Status, str | None]:
        level = self.requirement.level
        if self.error is not None or self.fate is not None:
            return self.fate or Status.ERROR, self.error
        if level is Level.OBSERVED:
            return Status.OBSERVED, None
        if self.tally.failed:
            return (Status.FAIL if level is Level.MUST else Status.WEAK), None
        if deviates:
            return Status.DEVIATION, None
        return (Status.PASS, None) if self.tally.exercised else self._not_exercised()

    def _not_exercised(self) -> tuple[Status, str]:
        """The status if no comparison was conclusive: because of the backend's convention, or by chance."""
        if self.tally.declined is not None:
            return Status.NOT_APPLICABLE, f"{self.subject.name} {self.tally.declined}"
        programs = self.subject.compilations
        if programs is not None and programs.refused:
            return Status.VACUOUS, "its calls need compilations beyond the number that this run makes"
        return Status.VACUOUS, "no problem met the requirement's condition"


def in_error(requirement: Requirement, subject: Subject, error: Exception) -> Verdict:
    """The verdict if the suite itself failed outside any single problem."""
    return Verdict(requirement, subject, Status.ERROR, Tally(), reason=_reason(error))


def _reason(error: Exception) -> str:
    """Where and how the suite failed, as the reason of a verdict."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    name = frame.filename.rsplit("/", 1)[-1]
    return f"the suite failed in {name}:{frame.lineno}: {type(error).__name__}: {error}"
