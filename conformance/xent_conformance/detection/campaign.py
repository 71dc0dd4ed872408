"""The false-alarm campaign: correct implementations are compared with the bounds many times.

A comparison is that of one element of a result with the exact one and its bound. The largest ratio of each quantity,
dtype and implementation must be below 1, or the bound would accuse a correct implementation; and the closer it is to 1,
the less room the bound leaves for a wrong one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from xent_conformance.calling.text import to_text
from xent_conformance.detection.campaign_problems import directed, drawn
from xent_conformance.detection.campaign_quantities import QUANTITIES, REQUIREMENTS, compared
from xent_conformance.formats import FLOATING
from xent_conformance.interface import Backend
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.loader import catalogue_in, load
from xent_conformance.problem import Problem
from xent_conformance.verdicts import deviations

#: Number of shapes for a backend that compiles each.
POOL = 4
#: The share of each bound that the worst correct implementation should reach; below it the bound is loose.
TIGHT = 0.2

Corpus = dict[Any, list[tuple[Problem, dict[Any, Any]]]]
#: A seed and a dtype: the problems that are generated together.
Part = tuple[int, str]


@dataclass(frozen=True)
class Entrant:
    """An implementation that is assumed to be correct, except for its known deviations."""

    backend: Backend
    known: tuple[deviations.Deviation, ...] = ()
    version: str | None = None

    def excused(self, quantity: str, problem: Problem, dtype: str) -> bool:
        """Whether a known deviation covers a quantity of a problem."""
        return any(
            d.concerns(name, dtype, self.version) and d.excuses(problem)
            for name in REQUIREMENTS[quantity]
            for d in self.known
        )


@dataclass
class Entry:
    """One quantity of one implementation in one dtype: the number of comparisons, and the one closest to its bound."""

    comparisons: int = 0
    excused: int = 0
    ratio: float = 0.0
    worst: str = ""


@dataclass
class Campaign:
    """Entries by implementation, quantity and dtype; ``seeds`` is the number of rounds."""

    entries: dict[tuple[str, str, str], Entry] = field(default_factory=dict)
    seeds: int = 0

    @property
    def comparisons(self) -> int:
        """Number of all comparisons."""
        return sum(e.comparisons for e in self.entries.values())

    @property
    def alarms(self) -> list[tuple[str, str, str]]:
        """Entries whose ratio reaches 1."""
        return [key for key, entry in self.entries.items() if not entry.ratio < 1.0]

    @classmethod
    def measured(
        cls, entrants: Sequence[Entrant], comparisons: int, progress: Callable[[str], None] = lambda _: None
    ) -> Campaign:
        """Run rounds over all implementations and dtypes until at least ``comparisons`` have been made."""
        return cls.gathered(lambda parts: (cls.of(entrants, *part, progress) for part in parts), comparisons)

    @classmethod
    def gathered(cls, carried_out: Callable[[Sequence[Part]], Iterable[Campaign]], comparisons: int) -> Campaign:
        """The same with parts that ``carried_out`` measures elsewhere; it returns those of one seed, in order."""
        campaign = cls()
        for seed in itertools.count():
            for part in carried_out([(seed, dtype) for dtype in FLOATING]):
                campaign.add(part)
            campaign.seeds = seed + 1
            if campaign.comparisons >= comparisons or not campaign.comparisons:
                break
        return campaign

    @classmethod
    def of(
        cls, entrants: Sequence[Entrant], seed: int, dtype: str, progress: Callable[[str], None] = lambda _: None
    ) -> Campaign:
        """One part: every implementation on the problems of one seed and dtype."""
        part, corpus = cls(), Corpus()
        for entrant in (e for e in entrants if dtype in e.backend.capabilities.logits_dtypes):
            progress(f"seed {seed}, {dtype}: {part.comparisons:,} comparisons, {entrant.backend.name}")
            subject = Subject.of(entrant.backend, dtype)
            for problem, shared in _problems(corpus, subject, seed):
                part.judge(entrant, Trial(subject, problem, shared))
        return part

    def add(self, other: Campaign) -> None:
        """Add the comparisons of another campaign."""
        for key, more in other.entries.items():
            entry = self.entries.setdefault(key, Entry())
            entry.comparisons += more.comparisons
            entry.excused += more.excused
            if not more.ratio <= entry.ratio:
                entry.ratio, entry.worst = more.ratio, more.worst

    def judge(self, entrant: Entrant, trial: Trial) -> None:
        """Compare every quantity of one problem on an implementation."""
        dtype = trial.subject.dtype
        for quantity, finding, elements in compared(trial):
            entry = self.entries.setdefault((trial.subject.name, quantity, dtype), Entry())
            if not finding.ratio < 1.0 and entrant.excused(quantity, trial.problem, dtype):
                entry.excused += elements
                continue
            entry.comparisons += elements
            if not finding.ratio <= entry.ratio:
                entry.ratio, entry.worst = finding.ratio, "\n".join([finding.message, *map(to_text, finding.calls)])

    def largest(self) -> dict[tuple[str, str], tuple[float, str]]:
        """Quantity and dtype to the largest ratio of all implementations, and the name of that implementation."""
        best: dict[tuple[str, str], tuple[float, str]] = {}
        for (name, quantity, dtype), entry in self.entries.items():
            best[quantity, dtype] = max(best.get((quantity, dtype), (0.0, "")), (entry.ratio, name))
        return best

    def as_data(self) -> dict[str, Any]:
        """The campaign as JSON data."""
        keys = ("implementation", "quantity", "dtype")
        return {
            "comparisons": self.comparisons,
            "seeds": self.seeds,
            "entries": [{**dict(zip(keys, key, strict=True)), **vars(e)} for key, e in sorted(self.entries.items())],
        }


def _problems(corpus: Corpus, subject: Subject, seed: int) -> list[tuple[Problem, dict[Any, Any]]]:
    """Problems of one seed; the same list, with its exact answers, for all implementations that claim the same."""
    key = subject.drawing
    if key not in corpus:
        static = subject.capabilities.static_shapes
        made = list(drawn(subject.dtype, subject.capabilities, seed, POOL if static else None))
        # Each shape of a directed problem would be compiled for a single use.
        made += [] if static else directed(subject.dtype, subject.capabilities, seed)
        corpus[key] = [(problem, {}) for problem in made]
    return corpus[key]


def entrants(folder: Path, specs: Sequence[str] = ()) -> list[Entrant]:
    """The implementations of a package folder, from ``all_correct()`` of its module ``catalogue``, and backends.

    Raises UsageError for a folder without one, and what loading a backend raises.
    """
    listed = [Entrant(backend) for backend in catalogue_in(folder, "all_correct")]
    for spec in specs:
        backend, description = load(spec)
        known = () if description.deviations is None else deviations.read(description.deviations)
        listed.append(Entrant(backend, known, description.version))
    return listed


@cache
def _entrants(folder: Path, specs: tuple[str, ...]) -> list[Entrant]:
    return entrants(folder, specs)


def measured_part(folder: Path, specs: tuple[str, ...], seed: int, dtype: str) -> Campaign:
    """One part, with the implementations named on the command line: a task for another process."""
    return Campaign.of(_entrants(folder, specs), seed, dtype)


def table(campaign: Campaign) -> Iterator[str]:
    """Lines: the largest ratios of each implementation and of all, then loose bounds and false alarms."""
    for name in dict.fromkeys(name for name, _, _ in campaign.entries):
        yield from ("", _row(name, FLOATING))
        for quantity in QUANTITIES:
            entries = [campaign.entries.get((name, quantity, dtype)) for dtype in FLOATING]
            if any(entries):
                yield _row(f"  {quantity}", ["" if entry is None else _ratio(entry.ratio) for entry in entries])
    yield from ("", _row("largest of all", FLOATING))
    largest = campaign.largest()
    for quantity in QUANTITIES:
        shown = [largest.get((quantity, dtype)) for dtype in FLOATING]
        if any(shown):
            yield _row(f"  {quantity}", ["" if best is None else _ratio(best[0]) for best in shown])
    yield ""
    for (quantity, dtype), (ratio, name) in largest.items():
        if ratio < TIGHT:
            yield f"loose: {quantity} in {dtype} stays at {ratio:.3f} of its bound, by {name}"
    for key in campaign.alarms:
        entry = campaign.entries[key]
        yield f"false alarm: {', '.join(key)}: {entry.ratio:.4g} times the bound: {entry.worst}"
    excused = sum(entry.excused for entry in campaign.entries.values())
    yield f"{campaign.comparisons:,} comparisons, {campaign.seeds} seeds, {excused:,} more excused as known deviations"


def _ratio(value: float) -> str:
    return f"{value:.3f}" if value < 100 else f"{value:.2g}"  # noqa: PLR2004 - as long as the columns are wide


def _row(head: str, cells: Sequence[str]) -> str:
    return f"{head:<26}" + "".join(f"{cell:>10}" for cell in cells)
