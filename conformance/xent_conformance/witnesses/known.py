"""The known causes of a backend's calls that do not return.

Each such call costs a process, so that a fault is reduced once, and not again for each requirement and dtype in which
it shows: a failure in the situation of a known cause has that cause if the witness of the cause fails in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np

from xent_conformance.calling.calls import CRASH, TIMEOUT
from xent_conformance.calling.guarded import laid_out_like
from xent_conformance.causes.facts import facts
from xent_conformance.isolation.ended import EndedCalls
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses.behind import Cause, cause_of, confirmed
from xent_conformance.witnesses.expected import ExpectedHangs
from xent_conformance.witnesses.lost import hurried
from xent_conformance.witnesses.reduction import Witness, same_failure, within_claims

#: Most known causes whose witnesses a failing requirement is judged on.
TRIED = 6


class KnownCauses:
    """The causes of one backend's calls that do not return."""

    def __init__(self, notice: Callable[[Requirement, Subject], object] = lambda *_: None) -> None:
        """None is known yet. ``notice`` is called before a failure is reduced, which may take long."""
        self._notice = notice
        self._hangs = ExpectedHangs(_small)
        #: By dtype, causes that differ in what they need, or in the facts of their witness.
        self._different: dict[str, list[Cause]] = {}
        #: By requirement, the causes of its failures in all dtypes.
        self._own: dict[str, list[Cause]] = {}
        #: Calls that are not made again: while causes are determined, and where calls are expected to hang.
        self._crashing, self._hanging = EndedCalls(CRASH), EndedCalls(CRASH, TIMEOUT)

    def foreseen(self, requirement: Requirement, subject: Subject) -> Sequence[Cause]:
        """The causes of calls that are expected to hang in a requirement that is not judged yet."""
        with self.in_a_hurry(subject):
            return self._hangs.foreseen(requirement, subject)

    def suspected(self, requirement: Requirement, subject: Subject) -> Sequence[Cause]:
        """The causes of hanging calls of which it is not known whether they show in a requirement."""
        with self.in_a_hurry(subject):
            return self._hangs.suspected(requirement, subject)

    def hanging(self, subject: Subject) -> Sequence[Cause]:
        """The causes of calls that are expected to hang in any requirement."""
        with self.in_a_hurry(subject):
            return [cause for cause in self._hangs.expected(subject) if cause.established]

    @contextmanager
    def in_a_hurry(self, subject: Subject) -> Iterator[None]:
        """Inside the block, time limits are short, and calls that are known not to return are not made again."""
        with _sparing(subject, self._hanging), hurried(subject.executor):
            yield

    def renew(self, subject: Subject) -> None:
        """Let the next call be the first of its process: if it hangs, it is not the fault of earlier ones.

        Otherwise a call that hangs is made again. Where each new process imports the backend, that takes less time.
        """
        executor = subject.executor
        if isinstance(executor, IsolatedExecutor) and executor.obstacle is None:
            executor.renewed()

    def explained(self, requirement: Requirement, subject: Subject, failing: Failing) -> Cause:
        """The cause of a call that does not return, which is known afterwards."""
        cause = self._hangs.explaining(requirement, subject, failing)
        if cause is None:
            self._notice(requirement, subject)
            with _sparing(subject, self._crashing):
                cause = self._determined(requirement, subject, failing)
        self._hangs.add(cause, subject)
        self._own.setdefault(requirement.id, []).append(cause)
        if cause.key not in {other.key for other in self._in(subject.dtype)}:
            self._different.setdefault(subject.dtype, []).append(cause)
        return cause

    def _determined(self, requirement: Requirement, subject: Subject, failing: Failing) -> Cause:
        """A known cause that explains a failure, or a new one."""
        tried = self._that_may_explain(requirement, subject, failing)
        same = (self._by_witness_of(cause, requirement, subject, failing) for cause in tried)
        cause = next((c for c in same if c is not None), None)
        return cause or cause_of(requirement, subject, failing, known=self._in(subject.dtype))

    def _in(self, dtype: str) -> list[Cause]:
        return self._different.get(dtype, [])

    def _that_may_explain(self, requirement: Requirement, subject: Subject, failing: Failing) -> list[Cause]:
        """The causes of this requirement in other dtypes, and of others the smallest and those most like this failure.

        Of those it must be known what they need, unless one of them needs nothing.
        """
        own = [cause for cause in self._own.get(requirement.id, []) if cause.explains(failing)]
        here = [cause for cause in self._in(subject.dtype) if cause.explains(failing)]
        others = here or [c for causes in self._different.values() for c in causes if c.explains(failing)]
        always = any(cause.always for cause in others)
        others = sorted((c for c in others if always or c.established), key=lambda c: -_likeness(c, failing))
        smallest = sorted(others, key=lambda c: c.witness.problem.logits.size)[:1]
        tried = {id(cause): cause for cause in (*own, *smallest, *others)}
        return [*tried.values()][:TRIED]

    def _by_witness_of(
        self, cause: Cause, requirement: Requirement, subject: Subject, failing: Failing
    ) -> Cause | None:
        """The cause by the witness of another requirement or dtype: one process, not a dozen.

        None if that witness does not fail this requirement in the same way, or is not known to need the same.
        """
        trial = _small(cause, requirement, subject, failing.trial.problem)
        if trial is None:
            return None
        with hurried(subject.executor):
            finding = same_failure(requirement, subject, failing, trial.problem)
        if finding is None:
            return None
        small = Failing(trial, finding)
        if cause.needs not in [other.needs for other in self._in(subject.dtype)] and not (
            cause.explains(small) and confirmed(requirement, subject, small, cause.needs)
        ):
            return None
        return Cause(requirement, failing, Witness(trial.problem, finding), cause.needs)


def _sparing(subject: Subject, ended: EndedCalls) -> AbstractContextManager[None]:
    executor = subject.executor
    return executor.sparing(ended) if isinstance(executor, IsolatedExecutor) else nullcontext()


def _small(cause: Cause, requirement: Requirement, subject: Subject, failing: Problem) -> Trial | None:
    """The small problem of a cause for a requirement and dtype; None if it is not within the claims."""
    problem = _in_dtype(cause.witness.problem, subject.dtype)
    within = within_claims(requirement, subject, failing, problem) if requirement.reducible else None
    return None if within is None else Trial(subject, within)


def _likeness(cause: Cause, failing: Failing) -> float:
    """The share of facts that a failing problem has in common with a witness."""
    own = facts(cause.witness.problem)
    return len(own & failing.facts) / len(own | failing.facts)


def _in_dtype(problem: Problem, dtype: str) -> Problem:
    """A problem with logits of another dtype, and all other arrays of their dtype too, in the same memory layouts."""
    if problem.dtype == dtype:
        return problem
    own = {name: array for name, array in problem.arrays().items() if array.dtype == problem.logits.dtype}
    moved = {name: array_of(array.astype(np.float64), dtype) for name, array in own.items()}
    return problem.with_(**{name: laid_out_like(own[name], array) for name, array in moved.items()})
