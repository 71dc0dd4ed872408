"""The kill matrix: which requirement finds which deliberately wrong backend, after how many examples.

Problems, answers and bounds are made once for each seed and replayed on every mutant. A requirement is done with a
mutant at its first kill.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from xent_conformance.evaluation import Settings, findings_of, grouped, problems
from xent_conformance.interface import Backend
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Level, Requirement
from xent_conformance.subject import Subject
from xent_conformance.trial import Trial


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
                killers = [r for r in alive if _fails(r, subject, problem, shared)]
                found |= {r.id: example for r in killers}
                if found and first:
                    return found
                alive = [r for r in alive if r.id not in found]
                if not alive:
                    break
            before += len(corpus_problems)
    return found


def _fails(requirement: Requirement, subject: Subject, problem: Problem, shared: dict[Any, Any]) -> bool:
    if requirement.derive is None:
        return any(f.failed for f in findings_of(requirement, Trial(subject, problem, shared)))
    key = ("derived", requirement.id)
    if key not in shared:
        shared[key] = [(derived, {}) for derived in requirement.derive(problem)]
    derived: list[tuple[Problem, dict[Any, Any]]] = shared[key]
    return any(f.failed for p, s in derived for f in findings_of(requirement, Trial(subject, p, s)))


@dataclass
class Matrix:
    """Examples to the kill by mutant, requirement and seed; None: survived that seed."""

    mutants: Sequence[Mutant]
    requirements: Sequence[Requirement]
    seeds: Sequence[int]
    found: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)

    @classmethod
    def measured(
        cls,
        mutants: Sequence[Mutant],
        requirements: Sequence[Requirement],
        seeds: Sequence[int],
        profile: str,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Matrix:
        """Run every mutant against every requirement, seed by seed."""
        judged = [r for r in requirements if r.level is not Level.OBSERVED]
        matrix = cls(mutants, judged, seeds)
        for seed in seeds:
            corpus = Corpus(Settings(profile, seed))
            for number, mutant in enumerate(mutants, start=1):
                progress(f"seed {seed}: {number}/{len(mutants)} {mutant.name}")
                for identifier, examples in kills(mutant.backend(), judged, corpus).items():
                    matrix.found.setdefault((mutant.name, identifier), {})[seed] = examples
        return matrix

    def killers(self, mutant: str) -> dict[str, float]:
        """Requirements that kill a mutant in every seed, with the median of the examples it took."""
        return {
            identifier: statistics.median(by_seed.values())
            for (name, identifier), by_seed in sorted(self.found.items())
            if name == mutant and len(by_seed) == len(self.seeds)
        }

    def survivors(self) -> list[tuple[str, int]]:
        """Mutants and seeds in which no requirement killed them."""
        dead = {(name, seed) for (name, _), by_seed in self.found.items() for seed in by_seed}
        return [(m.name, s) for m in self.mutants for s in self.seeds if (m.name, s) not in dead]

    def unique(self) -> dict[str, list[str]]:
        """Requirement id to the mutants that it alone kills."""
        alone: dict[str, list[str]] = {r.id: [] for r in self.requirements}
        for mutant in self.mutants:
            by = {identifier for (name, identifier) in self.found if name == mutant.name}
            if len(by) == 1:
                alone[by.pop()].append(mutant.name)
        return alone

    def first_kills(self) -> list[int]:
        """Examples to the first kill, one number for each mutant and seed that was killed."""
        best: dict[tuple[str, int], int] = {}
        for (name, _), by_seed in self.found.items():
            for seed, examples in by_seed.items():
                best[name, seed] = min(examples, best.get((name, seed), examples))
        return sorted(best.values())

    def as_data(self) -> dict[str, Any]:
        """The matrix as JSON data."""
        unique = self.unique()
        return {
            "seeds": list(self.seeds),
            "median_examples_to_first_kill": statistics.median(self.first_kills()) if self.found else None,
            "survivors": [list(s) for s in self.survivors()],
            "mutants": [
                {
                    "name": m.name,
                    "idea": m.idea,
                    "bug": m.bug,
                    "link": m.link,
                    "declared": list(m.killed_by),
                    "kills": {
                        identifier: [by_seed.get(s) for s in self.seeds]
                        for (name, identifier), by_seed in sorted(self.found.items())
                        if name == m.name
                    },
                }
                for m in self.mutants
            ],
            "requirements": [
                {
                    "id": r.id,
                    "level": str(r.level),
                    "kills": len({name for (name, identifier) in self.found if identifier == r.id}),
                    "unique": unique[r.id],
                }
                for r in self.requirements
            ],
        }


def write(matrix: Matrix, baselines: dict[str, list[str]], path: Path) -> None:
    """Write the matrix as JSON, with what the tests that users have today kill."""
    data = {**matrix.as_data(), "baselines": baselines}
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
