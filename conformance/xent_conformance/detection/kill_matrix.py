"""The kill matrix: which requirement kills which mutant, and after how many examples."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xent_conformance.detection.kill_tasks import Done
from xent_conformance.detection.kills import Mutant
from xent_conformance.requirements.registry import Requirement

#: Separators of JSON that leave out blanks.
SHORT = (",", ":")


@dataclass
class Matrix:
    """Examples to the kill by mutant, requirement and seed; no entry if the mutant survived that seed.

    ``twins`` has pairs of a correct twin and a requirement that fails on it, which is a false alarm. ``seconds`` is the
    time of all tasks, added up over processes.
    """

    mutants: Sequence[Mutant]
    requirements: Sequence[Requirement]
    seeds: Sequence[int]
    found: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    twins: set[tuple[str, str]] = field(default_factory=set)
    seconds: float = 0.0

    def add(self, results: Iterable[Done]) -> None:
        """Add the results of tasks, in any order."""
        for done in results:
            seeds = self.seeds if done.task.seed is None else [done.task.seed]
            for mutant, requirement, examples in done.kills:
                self.found.setdefault((mutant, requirement), {}).update(dict.fromkeys(seeds, examples))
            self.twins |= set(done.twins)
            self.seconds += done.seconds

    def survivors(self) -> list[tuple[str, int]]:
        """Mutants and seeds in which no requirement killed them."""
        dead = {(name, seed) for (name, _), by_seed in self.found.items() for seed in by_seed}
        return [(m.name, s) for m in self.mutants for s in self.seeds if (m.name, s) not in dead]

    def rates(self) -> list[tuple[str, int, int]]:
        """For tuned and for untuned mutants: their kind, how many are killed in every seed, and how many there are."""
        missed = {name for name, _ in self.survivors()}
        counted = []
        for kind, untuned in (("tuned", False), ("untuned", True)):
            names = [m.name for m in self.mutants if m.untuned == untuned]
            counted.append((kind, sum(name not in missed for name in names), len(names)))
        return [line for line in counted if line[2]]

    def unsure(self) -> list[tuple[str, str, list[int]]]:
        """Mutants and requirements declared to kill them, with the seeds in which they do not."""
        pairs = [(m.name, identifier) for m in self.mutants for identifier in m.killed_by]
        missed = [(*pair, [s for s in self.seeds if s not in self.found.get(pair, {})]) for pair in pairs]
        return [entry for entry in missed if entry[2]]

    def unique(self) -> dict[str, list[str]]:
        """Requirement id to the mutants that only it kills."""
        alone: dict[str, list[str]] = {r.id: [] for r in self.requirements}
        for mutant in self.mutants:
            by = {identifier for (name, identifier) in self.found if name == mutant.name}
            if len(by) == 1:
                alone[by.pop()].append(mutant.name)
        return alone

    def first_kills(self) -> list[int]:
        """Examples to the first kill, one number for each mutant and seed in which it was killed."""
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
            "seconds": round(self.seconds),
            "median_examples_to_first_kill": statistics.median(self.first_kills()) if self.found else None,
            "survivors": [list(s) for s in self.survivors()],
            "mutants": [
                {
                    "name": m.name,
                    "idea": m.idea,
                    "bug": m.bug,
                    "link": m.link,
                    "untuned": m.untuned,
                    "declared": list(m.killed_by),
                    "kills": {
                        identifier: _by_seed([by_seed.get(s) for s in self.seeds])
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


def _by_seed(examples: list[int | None]) -> list[int | None] | int:
    """The examples for each seed, or one number if they are the same for all."""
    first, *others = examples
    return first if first is not None and all(e == first for e in others) else examples


def write(matrix: Matrix, path: Path, **more: Any) -> None:
    """Write the matrix and ``more`` as JSON, one line for each mutant and requirement."""
    data = {**matrix.as_data(), **more}
    path.write_text(f"{{{','.join(_lines(key, value) for key, value in data.items())}\n}}\n", encoding="utf-8")


def _lines(key: str, value: Any) -> str:
    if key in ("mutants", "requirements", "streams"):
        entries = ",".join(f"\n  {json.dumps(entry, separators=SHORT)}" for entry in value)
        return f"\n {json.dumps(key)}: [{entries}\n ]"
    return f"\n {json.dumps(key)}: {json.dumps(value, separators=SHORT)}"
