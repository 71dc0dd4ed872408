"""The known deviations of one requirement on one subject, which excuse its failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement
from xent_conformance.verdicts.deviations import Deviation
from xent_conformance.verdicts.tally import Failing


class StaleError(Exception):
    """A deviation whose witness passes."""


class Excuses:
    """Deviations that list the requirement, and others that it belongs to if it fails on their witness."""

    def __init__(
        self, requirement: Requirement, subject: Subject, deviations: Sequence[Deviation], version: str | None
    ) -> None:
        self._requirement = requirement
        self._subject = subject
        about = requirement.id, subject.dtype, version
        self._listed = [d for d in deviations if d.concerns(*about)]
        self._others = [d for d in deviations if d.may_concern(*about)]
        #: What the witnesses of those others show that were needed; None for one that passes.
        self._needed: dict[int, Failing | None] = {}

    def excuse(self, problem: Problem) -> bool:
        """Whether a failing problem is a known deviation."""
        return any(d.excuses(problem) for d in self._listed) or any(
            d.excuses(problem) and self._shown(number) is not None for number, d in enumerate(self._others)
        )

    def witnesses(self) -> Iterator[tuple[Deviation, Failing]]:
        """The witness of each deviation with its worst finding now; raises StaleError if a listed one passes."""
        for deviation in self._listed:
            failing = self._failing(deviation)
            if failing is None:
                raise StaleError(
                    f"stale deviation: the witness of {self._requirement.id} no longer fails"
                    f" ({deviation.reason}); delete the entry or narrow its versions or dtypes"
                )
            yield deviation, failing
        yield from ((self._others[n], failing) for n, failing in self._needed.items() if failing is not None)

    def _shown(self, number: int) -> Failing | None:
        """The failure of another deviation's witness, which is judged only once."""
        if number not in self._needed:
            failing = None
            # A check relies on what its own source draws, such as a cotangent, and this witness is of another one.
            with suppress(Exception):
                failing = self._failing(self._others[number], valid=True)
            # Not before: other problems of this requirement are judged while a call is made.
            self._needed[number] = failing
        return self._needed[number]

    def _failing(self, deviation: Deviation, *, valid: bool = False) -> Failing | None:
        """The worst finding on the witness of a deviation; None if that passes, or is not a ``valid`` call.

        A call without classes is an error, so it fails in every requirement that is not about such calls.
        """
        problem = deviation.witness_for(self._subject.dtype, self._subject.capabilities.default_ignore_index)
        if valid and not problem.classes:
            return None
        trial = Trial(self._subject, problem)
        worst = max(findings(self._requirement, trial), key=lambda f: f.ratio, default=None)
        return Failing(trial, worst) if worst is not None and worst.failed else None
