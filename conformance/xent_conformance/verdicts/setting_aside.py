"""Which problems of a requirement are not judged because of calls that did not return, and which are judged last."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xent_conformance.calling.calls import CRASH, TIMEOUT
from xent_conformance.judging.findings import Lost
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.explanations import Explanation, Known
from xent_conformance.verdicts.tally import Failing

#: Number of crashes, and of hanging calls, after which the search of a requirement ends.
MOST_LOST = {CRASH: 3, TIMEOUT: 2}


class SetAside:
    """Problems of one requirement on one subject that are in the situation of a call that did not return.

    Attributes:
        explained: Explanations of such calls of this requirement.
        skipped: The number of problems that were not judged because of them.
    """

    def __init__(
        self, requirement: Requirement, subject: Subject, known: Known | None, excuse: Callable[[Problem], bool]
    ) -> None:
        """Nothing has been lost yet.

        Args:
            requirement: The requirement.
            subject: The backend and dtype.
            known: Explains calls that do not return; None if nothing does.
            excuse: Whether a failing problem is a known deviation.
        """
        self._about = requirement, subject
        self._known, self._excuse = known, excuse
        self.explained: list[Explanation] = []
        self.skipped = 0
        #: Of hanging calls that are expected in this requirement too, and of those that may show in it.
        self._foreseen: list[Explanation] = []
        self._suspected: list[Explanation] = []
        #: Examples in the situation of one of the latter, and whether their turn has come.
        self._last: set[int] = set()
        self._is_last = False

    def foresee(self) -> None:
        """Before a search, determine which calls are expected to hang."""
        if self._known is None:
            return
        foreseen, suspected = self._known.foreseen(*self._about), self._known.suspected(*self._about)
        self._foreseen = [e for e in foreseen if not self._is_settled(e.failing.trial.problem)]
        self._suspected += [e for e in suspected if all(e is not s for s in self._suspected)]

    def _is_settled(self, problem: Problem) -> bool:
        return any(explanation.covers(problem) for explanation in self.explained) or self._excuse(problem)

    def expected(self, problem: Problem) -> Iterator[Failing]:
        """Hanging calls that were foreseen, and whose situation a problem is in: they count as calls of its search."""
        for foreseen in [e for e in self._foreseen if e.covers(problem) and not self._excuse(problem)]:
            self._foreseen = [e for e in self._foreseen if e is not foreseen]
            self.explained.append(foreseen)
            yield foreseen.failing

    def takes(self, problem: Problem, example: int) -> bool:
        """Whether not to judge a problem of an example, at least not yet."""
        if any(explanation.covers(problem) for explanation in self.explained):
            self.skipped += 1
            return True
        suspected = any(explanation.covers(problem) for explanation in self._suspected)
        if suspected and not self._is_last:
            self._last.add(example)
        return suspected is not self._is_last

    def explain(self, lost: Failing) -> bool:
        """Explain a call that did not return; whether that is explained well enough to continue the search."""
        if self._known is None:
            return False
        explanation = self._known.explained(*self._about, lost)
        self.explained.append(explanation)
        assert isinstance(lost.finding, Lost)
        return explanation.established and len(self.explained) < MOST_LOST[lost.finding.fate]

    def turn_to_the_last(self) -> set[int]:
        """The examples that were put off because their calls may hang. From now on these problems are judged."""
        self._is_last = True
        return self._last

    def prepare(self) -> None:
        """Before a problem that was put off, have its call be the first of its process."""
        if self._is_last and self._known is not None:
            self._known.renew(self._about[1])
