"""Which requirements fail on a mutant, and after how many examples, by judging every problem.

``kill_steps.py`` gives the same result in less time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from xent_conformance.interface import Backend
from xent_conformance.judging.judge import fails, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.registry import Requirement, grouped
from xent_conformance.strategies.sources import Source


class Mutant(Protocol):
    """A deliberately wrong backend, the bug it copies, the requirements that must kill it, and its correct twin.

    An ``untuned`` one was written before checking what kills it, and declares no killers.
    """

    name: str
    idea: str
    bug: str
    link: str
    killed_by: tuple[str, ...]
    backend: Callable[[], Backend]
    twin: Callable[[], Backend]
    untuned: bool


@dataclass
class Corpus:
    """Trials of each source for one seed, with the answers and bounds that backends with the same claims share."""

    settings: Settings
    _trials: dict[Any, list[Trial]] = field(default_factory=dict)

    def of(self, subject: Subject, source: Source) -> list[Trial]:
        """The trials of a source on a subject."""
        key = (source, subject.drawing)
        if key not in self._trials:
            self._trials[key] = list(trials(subject, source, self.settings))
        return [trial.on(subject) for trial in self._trials[key]]


def kills(
    backend: Backend, requirements: Iterable[Requirement], corpus: Corpus, *, first: bool = False
) -> dict[str, int]:
    """Requirement id to the number of examples until it failed on a backend; ``first``: stop at the first kill.

    An example is a problem of the requirement's source, for one dtype after the other.
    """
    killed: dict[str, int] = {}
    for source, group in grouped(requirements).items():
        before = 0
        for dtype in backend.capabilities.logits_dtypes:
            subject = Subject.of(backend, dtype)
            alive = [r for r in group if r.id not in killed and r.not_applicable(subject) is None]
            judged = corpus.of(subject, source) if alive else []
            for example, trial in enumerate(judged, start=before + 1):
                killed |= {r.id: example for r in alive if fails(r, trial)}
                if killed and first:
                    return killed
                alive = [r for r in alive if r.id not in killed]
                if not alive:
                    break
            before += len(judged)
    return killed
