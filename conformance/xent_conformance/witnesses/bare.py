"""Whether a failure needs the guard bands around its inputs: a script that reproduces it must then have them too.

A backend that reads beyond an array, or takes the start of its memory for its first element, is right on an array that
fills its memory, as in a plain script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xent_conformance.calling.calls import CRASH, Executor, Invocation, Outcome
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import AnyArray, Problem
from xent_conformance.requirements.registry import Requirement


class BareExecutor:
    """Carries out calls through another executor, on inputs without guard bands."""

    def __init__(self, guarded: Executor) -> None:
        """Uses the process or processes of another executor."""
        self.guarded = guarded
        self.restarts = guarded.restarts
        self.expendable = guarded.expendable
        self.recent = guarded.recent

    def perform(self, invocation: Invocation) -> Outcome:
        """One call."""
        return self.guarded.perform(_bare(invocation))

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""
        return self.guarded.read_twice(_bare(invocation), _bare(other))

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        """The second of two calls with the same arrays, whose contents are replaced between them; None: immutable."""
        return self.guarded.rewritten(_bare(invocation), _bare(other))

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation several times in a thread of its own."""
        return self.guarded.together([_bare(i) for i in invocations], rounds)

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        """One call, and what of the process it leaves changed."""
        return self.guarded.disturbed(_bare(invocation))

    def renewed(self) -> bool:
        """As the other."""
        return self.guarded.renewed()

    def keeps_strides(self, array: AnyArray) -> bool:
        """As the other."""
        return self.guarded.keeps_strides(array)

    def close(self) -> None:
        """The owner of the other executor closes it."""


def needs_bands(requirement: Requirement, subject: Subject, problem: Problem, finding: Finding) -> bool:
    """Whether a problem fails in this way between guard bands, and does not without them."""
    bare = replace(subject, executor=BareExecutor(subject.executor))
    if isinstance(finding, Lost):
        # A crash costs another process, which is not lost if the call returns; a call that hangs costs its time limit.
        return finding.fate == CRASH and not _fails(requirement, bare, problem, finding)
    return not _fails(requirement, bare, problem, finding) and _fails(requirement, subject, problem, finding)


def _fails(requirement: Requirement, subject: Subject, problem: Problem, finding: Finding) -> bool:
    made = findings(requirement, Trial(subject, problem))
    return any(f.failed and f.likeness == finding.likeness for f in made)


def _bare(invocation: Invocation) -> Invocation:
    return replace(invocation, guarded=False)
