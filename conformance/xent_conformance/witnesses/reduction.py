"""Reduces a failing problem to a small one that is within the backend's claims and fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from xent_conformance.calling.calls import Invocation
from xent_conformance.judging.findings import Finding, Lost, Repeated, StrayRead
from xent_conformance.judging.judge import findings
from xent_conformance.judging.narrow import as_narrow, shows_narrow
from xent_conformance.judging.profiles import PATIENT
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses.calls_before import calls_before, own_calls_before
from xent_conformance.witnesses.lost import SECONDS, reduce_lost, time_for_lost
from xent_conformance.witnesses.reducer import LIMIT, LIMIT_STATIC_SHAPES, Reducer
from xent_conformance.witnesses.repetition import Repetitions, repeated, times
from xent_conformance.witnesses.script import script
from xent_conformance.witnesses.time_left import TimeLeft

#: Reducing does not go below this ratio, so that the failure of the witness is clear.
CLEAR = 8.0
#: Most tries for reducing a stray read, and a number of float64 that was computed in float32: it needs no special
#: problem, and every requirement fails in that dtype.
LIMIT_STRAY, LIMIT_FLOAT32 = 40, 40
#: How often a failing problem is judged again before it is reduced, since an intermittent failure cannot be reduced;
#: and how many more times if it did not fail in all of them.
AGAIN, MORE = 2, 8


@dataclass(frozen=True)
class Witness:
    """A reduced failing problem, which failed ``seen`` of the ``tries`` times that it was judged.

    ``reductions`` is the number of problems that were tried; ``before`` are calls without which it does not fail in a
    new process. ``lingering``: it failed in no new process, not even after the calls that are remembered. ``stopped``:
    the seconds after which reducing ended before it was as small as possible, otherwise 0.
    """

    problem: Problem
    finding: Finding
    seen: int = 1
    tries: int = 1
    reductions: int = 0
    before: tuple[Invocation, ...] = ()
    lingering: bool = False
    stopped: float = 0.0

    @property
    def sometimes(self) -> bool:
        """Whether it failed in only some of the tries."""
        return self.seen < self.tries

    @property
    def message(self) -> str:
        """What is wrong, in one line."""
        # A repeated call that is compared with the first is several calls already.
        once = len(self.finding.calls) == 1 and not isinstance(self.finding, Repeated)
        what = "calls" if once else "tries"
        notes = [f" (in {self.seen} of {self.tries} identical {what})"] if self.sometimes else []
        count = len(self.before)
        notes += [f" (after {count} other call{'s' if count > 1 else ''})"] if count else []
        notes += [" (only after earlier calls of the run)"] * self.lingering
        notes += [f" (reducing stopped after {self.stopped:.2g} s)"] if self.stopped else []
        return "".join([self.finding.message, *notes])

    def script(self, requirement: Requirement, subject: Subject) -> str:
        """A script that reproduces it."""
        about = requirement, subject, self.problem, self.finding
        return script(*about, sometimes=self.sometimes, before=self.before, lingering=self.lingering)


def time_for(failing: Failing) -> TimeLeft:
    """The time for reducing and explaining a failure."""
    return time_for_lost() if isinstance(failing.finding, Lost) else TimeLeft(PATIENT)


def reduce(requirement: Requirement, subject: Subject, failing: Failing, time: TimeLeft | None = None) -> Witness:
    """Reduce a failing problem, within the backend's claims and failing in the same way.

    If the failure depends on earlier calls, these are part of the witness. ``time`` is by default that for one failure;
    reducing takes at most half of it, so that the small problem can be explained, unless its calls do not return.
    """
    time = time or time_for(failing)
    time = time if isinstance(failing.finding, Lost) else time.half()
    return said(time, failing, _reduced_to(requirement, subject, failing, time))


def said(time: TimeLeft, failing: Failing, witness: Witness) -> Witness:
    """The witness, whose message says if the time ran out."""
    limit = SECONDS if isinstance(failing.finding, Lost) else time.seconds
    return replace(witness, stopped=limit) if time.ran_out else witness


def _reduced_to(requirement: Requirement, subject: Subject, failing: Failing, time: TimeLeft) -> Witness:
    original, problem = failing.finding, failing.trial.problem
    witness = _reduced(requirement, subject, failing, time)
    caller, again = subject.caller, _again(requirement, subject, failing)
    if isinstance(original, Lost) or not caller.executor.renewed():
        return witness
    # Before earlier calls are blamed, the problem is judged alone more than once.
    for candidate in (witness.problem, problem):
        often = 1 if shows_narrow(failing.trial, original) else times(requirement, candidate)
        tried = repeated(caller, candidate, again, time, often)
        # Where it could not be reduced, it need not come by chance either: every third call may fail.
        if tried.by_chance or (witness.sometimes and not witness.reductions and tried.failed):
            return _by_chance(witness, candidate, tried)
        if tried.first is not None:
            before = own_calls_before(caller, tried.first, tried.made, time)
            return replace(witness, problem=candidate, finding=tried.first, seen=1, tries=1, before=before)
    return _with_calls_before(witness, requirement, subject, failing, time)


def _by_chance(witness: Witness, problem: Problem, tried: Repetitions) -> Witness:
    """The witness of a failure that comes by chance. That it failed in the process of the run counts too."""
    same = witness.problem is problem
    seen, tries = (witness.seen, witness.tries) if same and witness.sometimes else (1, 1)
    shown = tried.failed[-1] if tried.failed else witness.finding
    return replace(witness, problem=problem, finding=shown, seen=seen + len(tried.failed), tries=tries + tried.tries)


def checked_again(
    requirement: Requirement, subject: Subject, failing: Failing, witness: Witness, time: TimeLeft
) -> Witness:
    """A witness that has failed every time, after other calls: it says so if it comes by chance all the same."""
    again, often = _again(requirement, subject, failing), times(requirement, witness.problem)
    failed = [*time.within(again(witness.problem) for _ in range(often))]
    if often == 1 or None not in failed:
        return witness
    here = Repetitions((tuple(failed),))
    if not subject.caller.executor.renewed():
        return _by_chance(witness, witness.problem, here)
    tried = repeated(subject.caller, witness.problem, again, time, often)
    return _by_chance(witness, witness.problem, tried) if tried.by_chance else witness


def same_failure(
    requirement: Requirement, subject: Subject, failing: Failing, candidate: Problem, *, examine: bool = True
) -> Finding | None:
    """The same failure of another problem; None also for a problem that the suite cannot judge.

    ``examine``: whether to look for a stray read behind a wrong number; a stray read is not the same failure otherwise.
    """
    original, trial = failing.finding, Trial(subject, candidate)
    try:
        made = findings(requirement, trial, examine=examine)
    except Exception:  # noqa: BLE001 - a candidate outside the oracle's domain is just not a simpler problem
        return None
    same = [f for f in made if f.failed and f.likeness == original.likeness]
    same = [f for f in same if as_narrow(failing.trial, original, trial, f)]
    return max(same, key=lambda f: f.ratio, default=None)


def _again(requirement: Requirement, subject: Subject, failing: Failing) -> Callable[[Problem], Finding | None]:
    """Gives the same failure of a problem whose first failure was examined: a stray read shows in each of them."""
    return partial(same_failure, requirement, subject, failing, examine=isinstance(failing.finding, StrayRead))


def _with_calls_before(
    witness: Witness, requirement: Requirement, subject: Subject, failing: Failing, time: TimeLeft
) -> Witness:
    """The witness with the earlier calls that it depends on, or the remark that these are not known."""
    problem, caller = failing.trial.problem, subject.caller
    again, often = _again(requirement, subject, failing), times(requirement, problem)
    needed = calls_before(caller, failing.before, lambda: again(problem) is not None, time)
    if needed is None:
        return replace(witness, lingering=not witness.sometimes)
    tried = repeated(caller, problem, again, time, often, needed)
    # After the same calls it has failed before.
    if often > 1 and (tried.by_chance or tried.first is None):
        return _by_chance(Witness(problem, failing.finding), problem, tried)
    shown = tried.first or failing.finding
    return Witness(problem, shown, before=own_calls_before(caller, shown, tried.made, time) or needed)


def _reduced(
    requirement: Requirement,
    subject: Subject,
    failing: Failing,
    time: TimeLeft,
) -> Witness:
    """Reduce the problem as long as the failure is the same, in the process of the run."""
    original, problem = failing.finding, failing.trial.problem
    worst = partial(same_failure, requirement, subject, failing)
    once_more = _again(requirement, subject, failing)
    # The smallest problem shows a stray read best, and its numbers do not matter.
    stray, narrow = isinstance(original, StrayRead), shows_narrow(failing.trial, original)
    limit = LIMIT_STATIC_SHAPES if subject.compiles_freely else LIMIT
    limit = LIMIT_STRAY if stray else LIMIT_FLOAT32 if narrow else limit
    within = partial(within_claims, requirement, subject, problem)
    reducing = partial(Reducer, problem, limit=limit if requirement.reducible else 0, within=within, time=time)
    if isinstance(original, Lost):
        lost = reduce_lost(subject.executor, original, worst, partial(reducing, lost=True))
        return Witness(lost.problem, lost.finding, 1, 1 + lost.by_chance, lost.tries)
    repeated = [once_more(problem) for _ in range(AGAIN)]
    if None in repeated:
        repeated += time.within(once_more(problem) for _ in range(MORE))
        # The failure in the run counts too.
        seen = 1 + sum(failure is not None for failure in repeated)
        return Witness(problem, original, seen, 1 + len(repeated))
    clearly = _Clearly((once_more, worst), original)
    reducer = reducing(clearly, costly=stray or narrow)
    small = reducer.run(_row_of(failing))
    # In the reduction each problem failed twice in a row; one that fails by chance does so too, sooner or later.
    again = [] if narrow else [*time.within(once_more(small) for _ in range(times(requirement, small)))]
    # If it never fails again, the latest failure of the small problem, not that of the original one.
    failed = [failure for failure in again if failure is not None]
    seen, tries = (1 + len(failed), 1 + len(again)) if len(again) > 1 and None in again else (1, 1)
    return Witness(small, failed[-1] if failed else clearly.latest, seen, tries, reducer.tries)


class _Clearly:
    """Whether a candidate fails clearly enough: a ratio near 1 would not convince a reader."""

    def __init__(self, tries: Sequence[Callable[[Problem], Finding | None]], original: Finding) -> None:
        # More than once: on a small problem, two calls that must agree may disagree by chance.
        self._tries, self._wanted = tries, min(original.ratio, CLEAR)
        #: The latest failure that is clear enough.
        self.latest = original

    def __call__(self, candidate: Problem) -> bool:
        failure = None
        for judged in self._tries:
            failure = judged(candidate)
            if failure is None or failure.ratio < self._wanted:
                return False
        self.latest = failure or self.latest
        return True


def within_claims(requirement: Requirement, subject: Subject, failing: Problem, candidate: Problem) -> Problem | None:
    """A simpler problem changed to be within the backend's claims; None if that is not possible."""
    claimed = subject.capabilities.reductions
    if candidate.reduction not in claimed and failing.reduction in claimed:
        return None
    return candidate if requirement.source.foreign_labels else subject.within_claims(candidate)


def _row_of(failing: Failing) -> int | None:
    """The row in which the failure was seen; None if it is not that of a single row."""
    finding, problem = failing.finding, failing.trial.problem
    index = getattr(finding, "index", None)
    if not index or finding.problem is not None or (len(index) == 1 and problem.reduction != "none"):
        return None
    return int(index[0]) if index[0] < np.prod(problem.row_shape, dtype=np.int64) else None
