"""The known causes of a backend's calls that do not return.

Each such call costs a process, so that a fault is reduced once, and not again for each requirement and dtype in which
it shows: a failure in the situation of a known cause has that cause if the witness of the cause fails in the same way.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np

from xent_conformance.calling.guarded import laid_out_like
from xent_conformance.causes.facts import facts
from xent_conformance.isolation.ended import EndedCalls
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem, array_of
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses.behind import Cause, cause_of, confirmed
from xent_conformance.witnesses.lost import hurried
from xent_conformance.witnesses.reduction import Witness, same_failure, within_claims

#: Most known causes whose witnesses a failing requirement is judged on.
TRIED = 6


class KnownCauses:
    """The causes of one backend's calls that do not return."""

    def __init__(self) -> None:
        """None is known yet."""
        #: By dtype, causes that differ in what they need, or in the facts of their witness.
        self._different: dict[str, list[Cause]] = {}
        #: By requirement, the causes of its failures in all dtypes.
        self._own: dict[str, list[Cause]] = {}
        self._ended = EndedCalls()

    def cause_of(self, requirement: Requirement, subject: Subject, failing: Failing) -> Cause:
        """The cause of a call that does not return, which is known afterwards."""
        executor = subject.executor
        with executor.sparing(self._ended) if isinstance(executor, IsolatedExecutor) else nullcontext():
            cause = self._determined(requirement, subject, failing)
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
        problem = _in_dtype(cause.witness.problem, subject.dtype)
        within = within_claims(requirement, subject, failing.trial.problem, problem)
        if within is None or not requirement.reducible:
            return None
        with hurried(subject.executor):
            finding = same_failure(requirement, subject, failing.finding, within)
        if finding is None:
            return None
        small = Failing(failing.trial.related(within), finding)
        if cause.needs not in [other.needs for other in self._in(subject.dtype)] and not (
            cause.explains(small) and confirmed(requirement, subject, small, cause.needs)
        ):
            return None
        return Cause(requirement, failing, Witness(within, finding), cause.needs)


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
