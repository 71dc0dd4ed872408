"""Evaluating requirements on a subject: from problems to verdicts.

Requirements with the same source of problems are judged together, on shared trials, and trials take turns. A call that
does not return, because it crashes or hangs, stops the search of its requirement; once the situation of that call is
known, the search continues with problems outside that situation. Once several requirements have hung in one situation,
others do not begin with such problems: these are set aside if the small one hangs there too, else judged last.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

from xent_conformance.calling.calls import CRASH, TIMEOUT
from xent_conformance.calling.turns import AT_ONCE, by_turns, clock
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.programs import share_of
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.status import Status
from xent_conformance.requirements.registry import Level, Requirement
from xent_conformance.verdicts.deviations import Deviation
from xent_conformance.verdicts.excuses import Excuses, StaleError
from xent_conformance.verdicts.explanations import Explanation, Known
from xent_conformance.verdicts.tally import Failing, Tally

#: Statuses whose failing problems are reduced and shown.
SHOWN = (Status.FAIL, Status.WEAK, Status.CRASH, Status.TIMEOUT)
#: Number of crashes, and of hanging calls, after which the search of a requirement ends.
MOST_LOST = {CRASH: 3, TIMEOUT: 2}


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
        least = 0 if programs is None else programs.left - share_of(source, programs)

        def search(judged: Sequence[_Judging], at_once: int) -> None:
            while judged:
                for judging in judged:
                    judging.foresee()
                with nullcontext() if programs is None else programs.limited(programs.left - least):
                    tasks = (partial(_judge_all, judged, trial) for trial in trials(subject, source, settings))
                    by_turns(tasks, at_once)
                judged = [j for j in judged if j.goes_on()]

        search(judged, 1 if source.in_a_row else AT_ONCE)
        if lost is not None and (last := [j for j in judged if j.turns_to_the_last()]):
            with lost.in_a_hurry(subject):
                search(last, 1)
    verdicts |= {j.requirement.id: j.verdict() for j in judged}
    return verdicts


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
        self.others = others
        self.tally = Tally()
        self.error: str | None = None
        self.fate: Status | None = None
        self.lost: Failing | None = None
        self.explained: list[Explanation] = []
        self.skipped = 0
        #: Explanations of hanging calls that are expected in this requirement too, and of those that may show in it.
        self._foreseen: list[Explanation] = []
        self._suspected: list[Explanation] = []
        #: Examples in the situation of one of the latter, and whether their turn has come.
        self._last: set[int] = set()
        self._is_last = self._is_over = False
        #: Examples that were drawn and not judged after a call that did not return; None before the first search ends.
        self._left: set[int] | None = None
        self._missed: set[int] = set()
        self.seconds = 0.0

    def foresee(self) -> None:
        """Before a search, determine which calls are expected to hang."""
        if self.others is None:
            return
        about = self.requirement, self.subject
        self._foreseen = [e for e in self.others.foreseen(*about) if not self._is_settled(e.failing.trial.problem)]
        self._suspected += [e for e in self.others.suspected(*about) if all(e is not s for s in self._suspected)]

    def _is_settled(self, problem: Problem) -> bool:
        return any(explanation.covers(problem) for explanation in self.explained) or self.known.excuse(problem)

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
        if self._is_last and self.others is not None:
            self.others.renew(self.subject)
        start = clock()
        try:
            for judged, results in judge(self.requirement, trial, partial(self._is_set_aside, trial)):
                lost = self._count(judged, results)
                self.lost = self.lost or lost
                if self.lost is not None:
                    break
        except Exception as error:  # noqa: BLE001 - an error of the suite is a verdict of its own
            self.error = _reason(error)
        self.seconds += clock() - start

    def goes_on(self) -> bool:
        """Whether to continue after a call that did not return, with the remaining problems outside its situation."""
        lost, self.lost = self.lost, None
        self._left, self._missed = self._missed, set()
        self._is_over = self.error is not None or (lost is not None and not self._is_explained(lost))
        return bool(self._left) and not self._is_over

    def turns_to_the_last(self) -> bool:
        """Whether there are problems that were put off because their calls may hang; these are judged now."""
        self._left, self._is_last = self._last, True
        return bool(self._left) and not self._is_over

    def _is_explained(self, lost: Failing) -> bool:
        """Whether a call that did not return is explained well enough to continue."""
        if self.others is None:
            return False
        start = clock()
        try:
            explanation = self.others.explained(self.requirement, self.subject, lost)
        except Exception as error:  # noqa: BLE001 - an error of the suite is a verdict of its own
            self.error = _reason(error)
            return False
        finally:
            self.seconds += clock() - start
        self.explained.append(explanation)
        assert isinstance(lost.finding, Lost)
        return explanation.established and len(self.explained) < MOST_LOST[lost.finding.fate]

    def _is_set_aside(self, trial: Trial, problem: Problem) -> bool:
        """Whether not to judge a problem, at least not yet."""
        for foreseen in [e for e in self._foreseen if e.covers(problem) and not self.known.excuse(problem)]:
            self._foreseen = [e for e in self._foreseen if e is not foreseen]
            self.explained.append(foreseen)
            # The small problem of that call is judged in place of this one.
            self._count(foreseen.failing.trial, [foreseen.failing.finding])
        explained = any(explanation.covers(problem) for explanation in self.explained)
        self.skipped += explained
        if explained:
            return True
        suspected = any(explanation.covers(problem) for explanation in self._suspected)
        if suspected and not self._is_last:
            self._last.add(trial.example)
        return suspected is not self._is_last

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
