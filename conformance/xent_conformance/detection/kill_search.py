"""Searching for kills: every mutant on every problem of a source, one problem at a time.

The answers and outcomes of a problem are shared by all mutants and freed before the next problem. Every mutant is
constructed anew for a source, so that the result does not depend on earlier sources or on the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xent_conformance.detection.kill_steps import OnProblem, Twin, Wrong
from xent_conformance.detection.kill_twins import comparable
from xent_conformance.detection.kills import Mutant
from xent_conformance.judging.judge import trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.loading.description import describe
from xent_conformance.requirements.registry import Requirement


@dataclass
class Kills:
    """Mutant and requirement to the examples until the kill; correct twins and requirements that fail on them."""

    kills: dict[tuple[str, str], int] = field(default_factory=dict)
    twins: set[tuple[str, str]] = field(default_factory=set)


def families(mutants: Iterable[Mutant]) -> list[list[Mutant]]:
    """Groups of mutants that can be compared with the same twin; one whose claims differ from its twin's is alone."""
    groups: dict[Any, list[Mutant]] = {}
    for mutant in mutants:
        backend, twin = mutant.backend(), mutant.twin()
        claims = repr(replace(describe(twin), name="", methods=()))
        groups.setdefault((type(twin), claims) if comparable(backend, twin) else mutant.name, []).append(mutant)
    return list(groups.values())


def search(
    families: Iterable[Sequence[Mutant]], group: Sequence[Requirement], settings: Settings, *, any_mutant: bool = False
) -> Kills:
    """Kills of families of mutants by requirements with one common source.

    ``any_mutant``: a requirement is done at its first kill, of whichever mutant.
    """
    result = Kills()
    for family in families:
        _Search(family, group, settings, result, any_mutant=any_mutant).run()
    return result


class _Search:
    """One family on one source."""

    def __init__(
        self,
        family: Sequence[Mutant],
        group: Sequence[Requirement],
        settings: Settings,
        result: Kills,
        *,
        any_mutant: bool,
    ) -> None:
        self.backends = {mutant.name: mutant.backend() for mutant in family}
        self.correct = family[0].twin()
        self.alike = comparable(self.backends[family[0].name], self.correct)
        # Without a comparable twin only the mutant's claims are used, to draw the problems.
        self.base = self.correct if self.alike else family[0].backend()
        self.group = group
        self.settings = settings
        self.result = result
        self.any_mutant = any_mutant
        self.examples = 0

    def run(self) -> None:
        for dtype in self.base.capabilities.logits_dtypes:
            twin = Twin(self.base, dtype, correct=self.alike)
            wrong = {name: Wrong(b, dtype, self.correct if self.alike else None) for name, b in self.backends.items()}
            judged = [r for r in self.group if r.not_applicable(twin.subject) is None]
            alive = {name: left for name in wrong if (left := self._left(name, judged))}
            for trial in trials(twin.subject, self.group[0].source, self.settings) if alive else ():
                self.examples += 1
                self._ask(twin.on(trial.problem), wrong, alive)
                alive = {name: still for name, left in alive.items() if (still := self._left(name, left))}
                if not alive:
                    break

    def _ask(self, asked: OnProblem, wrong: dict[str, Wrong], alive: dict[str, list[Requirement]]) -> None:
        for name, requirements in alive.items():
            # Checked again, because with ``any_mutant`` another mutant may have been killed just now.
            for requirement in self._left(name, requirements):
                if wrong[name].fails(requirement, asked):
                    self.result.kills[name, requirement.id] = self.examples
        if self.alike:
            self.result.twins |= {(self.correct.name, identifier) for identifier in asked.failed}

    def _left(self, name: str, requirements: Iterable[Requirement]) -> list[Requirement]:
        if self.any_mutant:
            done = {identifier for _, identifier in self.result.kills}
            return [r for r in requirements if r.id not in done]
        return [r for r in requirements if (name, r.id) not in self.result.kills]
