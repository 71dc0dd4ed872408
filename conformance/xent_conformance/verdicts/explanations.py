"""What judging has to know of calls that do not return: the causes are determined elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.tally import Failing


class Explanation(Protocol):
    """What is known of a call that did not return."""

    @property
    def established(self) -> bool:
        """Whether its situation is known. If it is not, the same fault would cost one process after the other."""
        ...

    @property
    def failing(self) -> Failing:
        """The call."""
        ...

    def covers(self, problem: Problem) -> bool:
        """Whether a problem is in its situation, so that it would probably show the same fault."""
        ...


class Known(Protocol):
    """What is known of the calls of a backend that did not return."""

    def explained(self, requirement: Requirement, subject: Subject, failing: Failing) -> Explanation:
        """The explanation of such a call, which is known afterwards."""
        ...

    def foreseen(self, requirement: Requirement, subject: Subject) -> Sequence[Explanation]:
        """Explanations of calls that are expected to hang in a requirement too."""
        ...

    def suspected(self, requirement: Requirement, subject: Subject) -> Sequence[Explanation]:
        """Explanations of hanging calls of which it is not known whether they show in a requirement."""
        ...

    def in_a_hurry(self, subject: Subject) -> AbstractContextManager[None]:
        """Inside the block, calls that are likely to hang cost little time."""
        ...

    def renew(self, subject: Subject) -> None:
        """Let the next call be the first of its process, where that costs less than making it again."""
        ...
