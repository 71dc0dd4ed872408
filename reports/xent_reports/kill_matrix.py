"""The kill matrix as its page shows it: which deliberately wrong backends each requirement detects."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from xent_conformance.records.lines import Count
from xent_reports.files import read_as

#: Seeds and baselines are columns of every mutant.
MAX_SEEDS, MAX_MUTANTS, MAX_BASELINES = 1000, 5000, 50
#: Killers that are named for each mutant: those declared, then the quickest.
NAMED = 3

Examples = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
#: By requirement, the examples until a mutant is killed with each seed; None if it survives.
Kills = dict[str, list[int | None]]


class Stream(msgspec.Struct, frozen=True):
    """How many examples of a stream a run judges, and how many the kills declared for its requirements take.

    ``needed`` is what the ``hardest`` of them, a mutant and a requirement, needs to be missed with one seed in 1000.
    """

    name: str
    examples: Count
    pairs: Count
    median: float
    most: Count
    needed: Count
    hardest: tuple[str, str]


class MutantEntry(msgspec.Struct):
    """A mutant in the file: by killer the examples it takes with each seed, or one number for all seeds."""

    name: str
    idea: str
    bug: str
    link: str
    declared: list[str]
    kills: dict[str, Examples | list[Examples | None]]
    untuned: bool = False

    def by_seed(self, seeds: int) -> Kills:
        """The kills, one for each seed."""
        return {name: [found] * seeds if isinstance(found, int) else found for name, found in self.kills.items()}


class RequirementEntry(msgspec.Struct):
    """A requirement in the file."""

    id: str
    level: str
    kills: int
    unique: list[str]


class BaselineEntry(msgspec.Struct):
    """A test in common use: the mutants it kills, and its seconds for all of them."""

    kills: list[str]
    seconds: Seconds


class MatrixFile(msgspec.Struct):
    """The file that ``xent mutants`` writes; ``seconds`` of one process for all mutants and seeds."""

    seeds: Annotated[list[int], Meta(min_length=1, max_length=MAX_SEEDS)]
    mutants: Annotated[list[MutantEntry], Meta(min_length=1, max_length=MAX_MUTANTS)]
    requirements: list[RequirementEntry]
    baselines: Annotated[dict[str, BaselineEntry], Meta(max_length=MAX_BASELINES)]
    seconds: Seconds = 0.0
    streams: Annotated[list[Stream], Meta(max_length=MAX_MUTANTS)] = []

    def __post_init__(self) -> None:
        """Raise ValueError for kills of other seeds, and for mutants that are named and not there."""
        names = [m.name for m in self.mutants]
        if len(set(names)) < len(names):
            raise ValueError("a mutant is there twice")
        for mutant in self.mutants:
            for identifier, examples in mutant.by_seed(len(self.seeds)).items():
                if len(examples) != len(self.seeds) or not any(examples):
                    raise ValueError(f"{mutant.name}: kills by {identifier} are not one for each seed")
        unique = (name for requirement in self.requirements for name in requirement.unique)
        killed = (name for baseline in self.baselines.values() for name in baseline.kills)
        if absent := {*unique, *killed, *(stream.hardest[0] for stream in self.streams)} - set(names):
            raise ValueError(f"it names mutants that are not there: {', '.join(sorted(absent))}")


@dataclass(frozen=True)
class Killer:
    """A requirement that kills a mutant: the median of the examples it takes, and in how many seeds."""

    requirement: str
    examples: float
    seeds: int


@dataclass(frozen=True)
class Mutant:
    """A wrong backend. ``baselines``: whether each baseline kills it; ``survived``: the seeds in which it survives."""

    name: str
    idea: str
    bug: str
    link: str
    killers: Sequence[Killer]
    more: int
    survived: Sequence[int]
    baselines: Sequence[bool]
    untuned: bool = False


@dataclass(frozen=True)
class Row:
    """The kills of a requirement or baseline: how many, and the mutants that nothing else kills.

    ``examples`` is the median over its mutants and seeds, ``first`` how many of them no other kills sooner. A
    baseline has ``seconds``, for all mutants.
    """

    name: str
    level: str
    kills: int
    unique: Sequence[str]
    examples: float | None = None
    first: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class KillMatrix:
    """The whole page."""

    seeds: Sequence[int]
    median: float | None
    mutants: Sequence[Mutant]
    requirements: Sequence[Row]
    baselines: Sequence[Row]
    streams: Sequence[Stream] = ()
    seconds: float = 0.0

    @property
    def survivors(self) -> Sequence[Mutant]:
        """Mutants that were not killed in every seed."""
        return [m for m in self.mutants if m.survived]

    @property
    def rates(self) -> Sequence[tuple[str, int, int]]:
        """How many are killed in every seed, and of how many: of the mutants that the suite was tuned on, and of those
        that were written before checking what finds them.
        """
        kinds = (("tuned", False), ("untuned", True))
        lists = [(kind, [m for m in self.mutants if m.untuned == untuned]) for kind, untuned in kinds]
        return [(kind, sum(not m.survived for m in listed), len(listed)) for kind, listed in lists if listed]

    @property
    def copied(self) -> int:
        """Number of mutants that copy a reported bug."""
        return sum(bool(m.link) for m in self.mutants)

    def share(self, kills: int) -> str:
        """A number of kills as a share of the mutants, rounded down: 100 % is all of them."""
        return f"{100 * kills // len(self.mutants)} %"


def read(path: Path) -> KillMatrix:
    """The matrix that ``xent mutants`` wrote; raises RecordError, naming the file, for anything else."""
    data = read_as(path, MatrixFile, "a kill matrix")
    killed = {name: set(baseline.kills) for name, baseline in data.baselines.items()}
    kills = {mutant.name: mutant.by_seed(len(data.seeds)) for mutant in data.mutants}
    mutants = [_mutant(m, kills[m.name], data.seeds, list(killed.values())) for m in data.mutants]
    firsts = _first_kills(kills.values(), len(data.seeds))
    spent, quickest = _examples(kills.values())
    rows = [Row(r.id, r.level, r.kills, r.unique, spent.get(r.id), quickest[r.id]) for r in data.requirements]
    return KillMatrix(
        seeds=data.seeds,
        median=statistics.median(firsts) if firsts else None,
        mutants=sorted(mutants, key=lambda m: m.name),
        requirements=sorted(rows, key=lambda r: (-r.kills, -len(r.unique), r.name)),
        baselines=[Row(n, "baseline", len(killed[n]), (), seconds=b.seconds) for n, b in data.baselines.items()],
        streams=data.streams,
        seconds=data.seconds,
    )


def _first_kills(mutants: Iterable[Kills], seeds: int) -> list[int]:
    """Examples to the first kill, one number for each mutant and seed."""
    columns = [[found for k in kills.values() if (found := k[seed])] for kills in mutants for seed in range(seeds)]
    return [min(column) for column in columns if column]


def _examples(mutants: Iterable[Kills]) -> tuple[dict[str, float], Counter[str]]:
    """Median of the examples that each requirement's kills take, and how many mutants it is the quickest to kill."""
    spent: dict[str, list[int]] = {}
    quickest: Counter[str] = Counter()
    for kills in mutants:
        medians = {}
        for identifier, examples in kills.items():
            counted = [e for e in examples if e is not None]
            spent.setdefault(identifier, []).extend(counted)
            medians[identifier] = (-len(counted), statistics.median(counted))
        best = min(medians.values(), default=None)
        quickest.update(identifier for identifier, median in medians.items() if median == best)
    return {identifier: statistics.median(examples) for identifier, examples in spent.items()}, quickest


def _mutant(entry: MutantEntry, kills: Kills, seeds: Sequence[int], baselines: Sequence[set[str]]) -> Mutant:
    found = []
    for identifier, examples in kills.items():
        counted = [e for e in examples if e is not None]
        found.append(Killer(identifier, statistics.median(counted), len(counted)))
    place = {identifier: number for number, identifier in enumerate(entry.declared)}
    found.sort(key=lambda k: (place.get(k.requirement, len(place)), -k.seeds, k.examples, k.requirement))
    missed = [not any(examples[n] for examples in kills.values()) for n in range(len(seeds))]
    return Mutant(
        name=entry.name,
        idea=entry.idea,
        bug=entry.bug,
        link=entry.link,
        killers=found[:NAMED],
        more=max(0, len(found) - NAMED),
        survived=[seed for seed, survived in zip(seeds, missed, strict=True) if survived],
        baselines=[entry.name in names for names in baselines],
        untuned=entry.untuned,
    )
