"""Which requirements fail on a wrong backend, and after how many examples, judged in the plain way.

``kill_steps.py`` comes to the same in less time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from xent_conformance.interface import Backend
from xent_conformance.judging.evaluation import findings_of, grouped
from xent_conformance.judging.profiles import Settings, problems
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Requirement


class Mutant(Protocol):
    """A wrong backend with what it copies, what must kill it, and the same backend without the wrong idea."""

    name: str
    idea: str
    bug: str
    link: str
    killed_by: tuple[str, ...]
    backend: Callable[[], Backend]
    twin: Callable[[], Backend]


@dataclass
class Corpus:
    """Problems of each source for one seed, with the answers and bounds that mutants share."""

    settings: Settings
    _problems: dict[Any, list[tuple[Problem, dict[Any, Any]]]] = field(default_factory=dict)

    def of(self, subject: Subject, source: Any) -> list[tuple[Problem, dict[Any, Any]]]:
        """Problems of a source for a subject; the same list for all that claim the same."""
        key = (source, subject.drawing)
        if key not in self._problems:
            self._problems[key] = [(problem, {}) for problem, _ in problems(subject, source, self.settings)]
        return self._problems[key]


def kills(
    backend: Backend, requirements: Iterable[Requirement], corpus: Corpus, *, first: bool = False
) -> dict[str, int]:
    """Requirement id to the number of examples until it failed on a backend; ``first``: stop at the first kill.

    An example is a problem of the requirement's source, for one dtype after the other.
    """
    found: dict[str, int] = {}
    for group in grouped(requirements).values():
        before = 0
        for dtype in backend.capabilities.logits_dtypes:
            subject = Subject.of(backend, dtype)
            alive = [r for r in group if r.id not in found and r.not_applicable(subject) is None]
            corpus_problems = corpus.of(subject, group[0].source) if alive else []
            for example, (problem, shared) in enumerate(corpus_problems, start=before + 1):
                trial = Trial(subject, problem, shared)
                found |= {r.id: example for r in alive if fails(r, trial)}
                if found and first:
                    return found
                alive = [r for r in alive if r.id not in found]
                if not alive:
                    break
            before += len(corpus_problems)
    return found


def fails(requirement: Requirement, trial: Trial) -> bool:
    """Whether a requirement fails on a problem, or on one of those that it derives from it."""
    if requirement.derive is None:
        return any(f.failed for f in findings_of(requirement, trial))
    shared: dict[Any, Any] = trial.shared
    key = ("derived", requirement.id)
    if key not in shared:
        shared[key] = [(derived, {}) for derived in requirement.derive(trial.problem)]
    derived: list[tuple[Problem, dict[Any, Any]]] = shared[key]
    return any(f.failed for p, s in derived for f in findings_of(requirement, Trial(trial.subject, p, s)))
