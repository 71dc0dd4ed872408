"""The kill matrix as its page shows it: what each requirement finds among deliberately wrong backends."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xent_conformance.records.record import RecordError
from xent_reports.files import json_object
from xent_reports.shapes import Count, OddError, Shape, at_most, has

MATRIX: Shape = {"seeds": list, "survivors": list, "mutants": list, "requirements": list, "baselines": dict}
MUTANT: Shape = {"name": str, "idea": str, "bug": str, "link": str, "declared": list, "kills": dict}
STREAM: Shape = {
    "name": str,
    "median": (int, float),
    "hardest": list,
    **dict.fromkeys(("examples", "pairs", "most", "needed"), Count),
}
REQUIREMENT: Shape = {"id": str, "level": str, "kills": int, "unique": list}
#: Seeds and baselines are columns of every mutant.
MAX_SEEDS, MAX_MUTANTS, MAX_BASELINES = 1000, 5000, 50
#: Killers that are named for each mutant: those declared, then the quickest.
NAMED = 3


@dataclass(frozen=True)
class Killer:
    """A requirement that kills a mutant: the median of the examples it takes, and in how many seeds."""

    requirement: str
    examples: float
    seeds: int


@dataclass(frozen=True)
class Mutant:
    """A wrong backend. ``baselines`` says for each of them whether it kills it; ``survived`` names the seeds."""

    name: str
    idea: str
    bug: str
    link: str
    killers: Sequence[Killer]
    more: int
    survived: Sequence[int]
    baselines: Sequence[bool]


@dataclass(frozen=True)
class Row:
    """What a requirement, or a baseline, kills: how many, and which mutants nothing else kills.

    ``examples`` is the median over its mutants and seeds, ``first`` how many of them no other kills sooner.
    """

    name: str
    level: str
    kills: int
    unique: Sequence[str]
    examples: float | None = None
    first: int = 0


@dataclass(frozen=True)
class Stream:
    """How many examples of a stream a run judges, and how many the kills declared for its requirements take.

    ``needed`` is what the ``hardest`` of them, a mutant and a requirement, needs to be missed with one seed in 1000.
    """

    name: str
    examples: int
    pairs: int
    median: float
    most: int
    needed: int
    hardest: Sequence[str]


@dataclass(frozen=True)
class KillMatrix:
    """The whole page."""

    seeds: Sequence[int]
    median: float | None
    mutants: Sequence[Mutant]
    requirements: Sequence[Row]
    baselines: Sequence[Row]
    streams: Sequence[Stream] = ()

    @property
    def survivors(self) -> Sequence[Mutant]:
        """Mutants that were not killed in every seed."""
        return [m for m in self.mutants if m.survived]

    @property
    def copied(self) -> int:
        """Number of mutants that copy a reported bug."""
        return sum(bool(m.link) for m in self.mutants)

    def share(self, kills: int) -> str:
        """A number of kills as a share of the mutants, rounded down: 100 % is all of them."""
        return f"{100 * kills // len(self.mutants)} %"


def read(path: Path) -> KillMatrix:
    """The matrix that ``xent mutants`` wrote; raises RecordError, naming the file, for anything else."""
    data = json_object(path)
    try:
        _check(data)
    except OddError as error:
        raise RecordError(f"{path}: not a kill matrix: {error}") from error
    seeds: list[int] = data["seeds"]
    for entry in data["mutants"]:
        entry["kills"] = {k: [v] * len(seeds) if type(v) is int else v for k, v in entry["kills"].items()}
    killed = {name: set(names) for name, names in data["baselines"].items()}
    mutants = [_mutant(entry, seeds, list(killed.values())) for entry in data["mutants"]]
    firsts = _first_kills(data["mutants"], len(seeds))
    spent, quickest = _examples(data["mutants"])
    rows = [
        Row(r["id"], r["level"], r["kills"], r["unique"], spent.get(r["id"]), quickest[r["id"]])
        for r in data["requirements"]
    ]
    return KillMatrix(
        seeds=seeds,
        median=statistics.median(firsts) if firsts else None,
        mutants=sorted(mutants, key=lambda m: m.name),
        requirements=sorted(rows, key=lambda r: (-r.kills, -len(r.unique), r.name)),
        baselines=[Row(name, "baseline", len(names), ()) for name, names in killed.items()],
        streams=[Stream(**{key: stream[key] for key in STREAM}) for stream in _streams(data)],
    )


def _first_kills(mutants: Sequence[Mapping[str, Any]], seeds: int) -> list[int]:
    """Examples to the first kill, one number for each mutant and seed."""
    columns = [[k[seed] for k in m["kills"].values() if k[seed] is not None] for m in mutants for seed in range(seeds)]
    return [min(column) for column in columns if column]


def _examples(mutants: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float], Counter[str]]:
    """Median of the examples that each requirement's kills take, and how many mutants it is the quickest to kill."""
    spent: dict[str, list[int]] = {}
    quickest: Counter[str] = Counter()
    for mutant in mutants:
        medians = {}
        for identifier, examples in mutant["kills"].items():
            counted = [e for e in examples if e is not None]
            spent.setdefault(identifier, []).extend(counted)
            medians[identifier] = (-len(counted), statistics.median(counted))
        best = min(medians.values(), default=None)
        quickest.update(identifier for identifier, median in medians.items() if median == best)
    return {identifier: statistics.median(examples) for identifier, examples in spent.items()}, quickest


def _mutant(entry: Mapping[str, Any], seeds: Sequence[int], baselines: Sequence[set[str]]) -> Mutant:
    found = []
    for identifier, examples in entry["kills"].items():
        counted = [e for e in examples if e is not None]
        found.append(Killer(identifier, statistics.median(counted), len(counted)))
    declared = entry["declared"]
    place = {identifier: number for number, identifier in enumerate(declared)}
    found.sort(key=lambda k: (place.get(k.requirement, len(declared)), -k.seeds, k.examples, k.requirement))
    missed = [all(kills[n] is None for kills in entry["kills"].values()) for n in range(len(seeds))]
    return Mutant(
        **{key: entry[key] for key in ("name", "idea", "bug", "link")},
        killers=found[:NAMED],
        more=max(0, len(found) - NAMED),
        survived=[seed for seed, survived in zip(seeds, missed, strict=True) if survived],
        baselines=[entry["name"] in names for names in baselines],
    )


def _check(data: dict[str, Any]) -> None:
    has(data, "the file", MATRIX, {"streams": list})
    if not data["seeds"] or not data["mutants"] or not all(type(s) is int for s in data["seeds"]):
        raise OddError("it has no seeds or no mutants")
    at_most(MAX_SEEDS, data["seeds"], "the seeds")
    at_most(MAX_MUTANTS, data["mutants"], "the mutants")
    at_most(MAX_BASELINES, data["baselines"], "the baselines")
    at_most(MAX_MUTANTS, _streams(data), "the streams")
    for place, mutant in enumerate(data["mutants"]):
        where = f"mutants[{place}]"
        has(mutant, where, MUTANT, {})
        if not all(isinstance(identifier, str) for identifier in mutant["declared"]):
            raise OddError(f"'declared' of {where} is not a list of ids")
        for identifier, examples in mutant["kills"].items():
            _check_examples(examples, len(data["seeds"]), f"the kills by {identifier!r} of {where}")
    names = {m["name"] for m in data["mutants"]}
    if len(names) < len(data["mutants"]):
        raise OddError("a mutant is there twice")
    for place, requirement in enumerate(data["requirements"]):
        has(requirement, f"requirements[{place}]", REQUIREMENT, {})
        _check_names(requirement["unique"], names, f"'unique' of requirements[{place}]")
    for place, stream in enumerate(_streams(data)):
        has(stream, f"streams[{place}]", STREAM, {})
        if [type(name) for name in stream["hardest"]] != [str, str]:
            raise OddError(f"'hardest' of streams[{place}] is not a mutant and a requirement")
        _check_names(stream["hardest"][:1], names, f"'hardest' of streams[{place}]")
    for name, killed in data["baselines"].items():
        _check_names(killed, names, f"the baseline {name!r}")


def _streams(data: Mapping[str, Any]) -> list[Any]:
    """What a file says of streams; earlier ones say nothing."""
    return data.get("streams") or []


def _check_examples(examples: Any, seeds: int, where: str) -> None:
    """One number or null for each seed, and not nulls alone; or one number for all."""
    if type(examples) is int and examples > 0:
        return
    if not isinstance(examples, list) or len(examples) != seeds or not any(examples):
        raise OddError(f"{where} are not one for each of {seeds} seeds")
    if not all(e is None or (type(e) is int and e > 0) for e in examples):
        raise OddError(f"{where} are not numbers of examples")


def _check_names(found: Any, names: set[str], where: str) -> None:
    if not isinstance(found, list) or not all(isinstance(n, str) and n in names for n in found):
        raise OddError(f"{where} names mutants that are not there")
