"""Evaluating requirements on a subject: from problems to verdicts.

Requirements with the same source of problems are judged together, on shared trials, and trials take turns. A call that
does not return, because it crashes or hangs, stops the search of its requirement; once the situation of that call is
known, the search continues with problems outside that situation. Once several requirements have hung in one situation,
others do not begin with such problems: these are set aside if the small one hangs there too, else judged last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

from xent_conformance.calling.turns import AT_ONCE, by_turns, clock
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.programs import count_as_judged, share_of
from xent_conformance.judging.subject import Subject, so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.status import Status
from xent_conformance.requirements.registry import Level, Requirement
from xent_conformance.strategies.sources import Listed
from xent_conformance.verdicts.deviations import Deviation
from xent_conformance.verdicts.excuses import Excuses, StaleError
from xent_conformance.verdicts.explanations import Known
from xent_conformance.verdicts.setting_aside import SetAside
from xent_conformance.verdicts.tally import Failing, Tally
from xent_conformance.verdicts.verdict import Verdict, reason_of

#: Statuses whose failing problems are reduced and shown.
SHOWN = (Status.FAIL, Status.WEAK, Status.CRASH, Status.TIMEOUT)

#: Called with the first failing finding of each requirement, as soon as there is one.
Announce = Callable[[Requirement, Subject, Finding], object]


def evaluate(
    subject: Subject,
    requirements: Sequence[Requirement],
    settings: Settings,
    deviations: Sequence[Deviation] = (),
    version: str | None = None,
    lost: Known | None = None,
    announce: Announce = lambda *_: None,
) -> dict[str, Verdict]:
    """Judge requirements with one common source of problems.

    Args:
        subject: The backend and dtype to judge.
        requirements: They all have the same source.
        settings: The profile and the seed.
        deviations: Known deviations of the backend.
        version: The library's version, which deviations may depend on.
        lost: Explains calls that do not return; without it the search ends with such a call.
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
        judged.append(_Judging(requirement, subject, known, announce, lost))
    if judged:
        source, programs = judged[0].requirement.source, subject.compilations
        # The share is for all searches together: the search is repeated after each call that does not return.
        before = 0 if programs is None else programs.left
        least = 0 if programs is None else before - share_of(source, programs)
        # One after the other, too, where programs are few: those of a problem are then used by all requirements.
        at_once = 1 if source.in_a_row or programs is not None else AT_ONCE
        _search(judged, subject, settings, at_once, least)
        if lost is not None and (last := [j for j in judged if j.turns_to_the_last()]):
            with lost.in_a_hurry(subject):
                _search(last, subject, settings, 1, least)
        if programs is not None:
            count_as_judged(source, programs, before - programs.left)
    verdicts |= {j.requirement.id: j.verdict() for j in judged}
    return verdicts


def _search(judged: Sequence[_Judging], subject: Subject, settings: Settings, at_once: int, least: int) -> None:
    """Judge all problems of the common source, and again those that a call that did not return has left over.

    Args:
        judged: The requirements.
        subject: The backend and dtype.
        settings: The profile and the seed.
        at_once: How many trials take turns.
        least: The number of compilations that must be left afterwards.
    """
    source, programs = judged[0].requirement.source, subject.compilations
    while judged:
        for judging in judged:
            judging.aside.foresee()
        with nullcontext() if programs is None else programs.limited(programs.left - least):
            tasks = (partial(_judge_all, judged, trial) for trial in trials(subject, source, settings))
            by_turns(tasks, at_once)
        judged = [j for j in judged if j.goes_on()]


def _judge_all(judged: Sequence[_Judging], trial: Trial) -> None:
    for judging in judged:
        judging.judge(trial)


class _Judging:
    """The state of judging one requirement on one subject, problem after problem."""

    def __init__(
        self, requirement: Requirement, subject: Subject, known: Excuses, announce: Announce, others: Known | None
    ) -> None:
        self.requirement = requirement
        self.subject = subject
        self.known = known
        self.announce = announce
        self.aside = SetAside(requirement, subject, others, known.excuse)
        self.tally = Tally()
        self.error: str | None = None
        self.fate: Status | None = None
        self.lost: Failing | None = None
        #: Examples that were drawn and not judged after a call that did not return; None before the first search ends.
        self._left: set[int] | None = None
        self._missed: set[int] = set()
        self._is_over = False
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
        self.aside.prepare()
        start = clock()
        try:
            for judged, results in judge(self.requirement, trial, partial(self._is_set_aside, trial)):
                lost = self._count(judged, results)
                self.lost = self.lost or lost
                if self.lost is not None:
                    break
        except Exception as error:  # noqa: BLE001 - an error of the suite is a verdict of its own
            self.error = reason_of(error)
        self.seconds += clock() - start

    def _is_set_aside(self, trial: Trial, problem: Problem) -> bool:
        """Whether not to judge a problem, at least not yet."""
        for failing in self.aside.expected(problem):
            self._count(failing.trial, [failing.finding])
        return self.aside.takes(problem, trial.example)

    def goes_on(self) -> bool:
        """Whether to continue after a call that did not return, with the remaining problems outside its situation."""
        lost, self.lost = self.lost, None
        self._left, self._missed = self._missed, set()
        self._is_over = self.error is not None or (lost is not None and not self._is_explained(lost))
        return bool(self._left) and not self._is_over

    def turns_to_the_last(self) -> bool:
        """Whether there are problems that were put off because their calls may hang; these are judged now."""
        self._left = self.aside.turn_to_the_last()
        return bool(self._left) and not self._is_over

    def _is_explained(self, lost: Failing) -> bool:
        """Whether a call that did not return is explained well enough to continue."""
        start = clock()
        try:
            return self.aside.explain(lost)
        except Exception as error:  # noqa: BLE001 - an error of the suite is a verdict of its own
            self.error = reason_of(error)
            return False
        finally:
            self.seconds += clock() - start

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
            explained=tuple(self.aside.explained),
            skipped=self.aside.skipped,
            seconds=self.seconds + clock() - start,
        )

    def _count(self, trial: Trial, made: Sequence[Finding]) -> Failing | None:
        """Count the findings on a problem; returns the call that did not return, if there is one."""
        failed = [f for f in made if f.failed]
        excused = bool(failed) and self.known.excuse(trial.problem)
        if failed and not excused and not self.tally.failed:
            self.announce(self.requirement, self.subject, max(failed, key=lambda f: f.ratio))
        self.tally.count(trial, made, excused=excused)
        lost = None if excused else next((f for f in failed if isinstance(f, Lost)), None)
        if lost is None:
            return None
        self.fate = self.fate or Status(lost.fate)
        return Failing(trial, lost, tuple(trial.subject.executor.recent))

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
        if not self.tally.examples and (need := self._rows_needed()) is not None:
            return Status.NOT_APPLICABLE, need
        programs = self.subject.compilations
        if programs is not None and programs.refused:
            return Status.VACUOUS, "its calls need compilations beyond the number that this run makes"
        most = self.subject.capabilities.max_rows
        within = "" if most is None else f", with max_rows={most}"
        return Status.VACUOUS, f"no problem met the requirement's condition{within}"

    def _rows_needed(self) -> str | None:
        """Why the requirement does not apply, if every problem of its list has more rows than are claimed."""
        source = self.requirement.source
        if self.subject.capabilities.max_rows is None or not isinstance(source, Listed):
            return None
        fewest = min((problem.rows for problem in source(self.subject)), default=0)
        return so_many(fewest).missing(self.subject)
