"""The work of a kill matrix, divided into tasks that any number of processes take in any order.

A task is one source of problems with one seed, for all mutants. A fixed list has the same problems for every seed if
the profile takes all of them, so it is searched only once. The result of each task is written to a file at once, so
that an interrupted measurement can be continued.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from xent_conformance.cluster import Cluster
from xent_conformance.detection.kill_search import families, search
from xent_conformance.detection.kills import Mutant
from xent_conformance.judging.profiles import PROFILES, Settings
from xent_conformance.loading.errors import UsageError
from xent_conformance.loading.loader import catalogue_in
from xent_conformance.request import check_profile
from xent_conformance.requirements.registry import Level, Requirement, grouped, load
from xent_conformance.strategies.streams import Stream
from xent_conformance.suggestions import instead, quoted


@dataclass(frozen=True)
class Plan:
    """What is measured: the mutants of a package folder, or some of them by name, on problems of a profile."""

    folder: str
    profile: str = "default"
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A source, by its name, with one seed; None means all seeds."""

    source: str
    seed: int | None


@dataclass(frozen=True)
class Done:
    """The result of a task: mutant, requirement and examples of each kill; twin and requirement of each false alarm.

    ``seconds`` is what the task took in its process.
    """

    task: Task
    kills: list[tuple[str, str, int]]
    twins: list[tuple[str, str]]
    seconds: float = field(default=0.0, compare=False)


@cache
def planned(plan: Plan) -> list[Mutant]:
    """The mutants of a plan; raises UsageError for a name or pattern that matches none.

    Mutants whose declared killers are all in the opt-in profile are left out, because a matrix does not judge these.
    """
    opt_in = {r.id for r in load().values() if r.opt_in}
    listed: list[Mutant] = catalogue_in(Path(plan.folder), "all_mutants")
    mutants = [m for m in listed if m.untuned or not set(m.killed_by) <= opt_in]
    if unknown := [p for p in plan.only if not any(fnmatchcase(m.name, p) for m in mutants)]:
        near = instead(unknown[0], [m.name for m in mutants], otherwise="")
        missing = f"no mutant {quoted(unknown)} in {plan.folder} that a matrix judges"
        raise UsageError("; ".join(filter(None, (missing, near))))
    return [m for m in mutants if not plan.only or any(fnmatchcase(m.name, p) for p in plan.only)]


@cache
def judged() -> dict[str, list[Requirement]]:
    """Names of sources to the requirements that can fail on their problems."""
    groups = grouped(r for r in load().values() if r.level is not Level.OBSERVED and not r.opt_in)
    return {source.name: group for source, group in groups.items()}


def tasks(profile: str, seeds: Sequence[int]) -> list[Task]:
    """All tasks, the longest first; raises UsageError for an unknown profile."""
    check_profile(profile)
    whole = PROFILES[profile].enumerated == 1
    found = []
    for name, group in judged().items():
        varies = isinstance(group[0].source, Stream) or not whole
        found += [Task(name, seed) for seed in (seeds if varies else (None,))]
    return sorted(found, key=lambda task: -_length(judged()[task.source]))


def _length(group: Sequence[Requirement]) -> float:
    """An estimate of the time of a task, in arbitrary units."""
    source = group[0].source
    return (source.budget if isinstance(source, Stream) else 0.1) * len(group)


def done(plan: Plan, task: Task) -> Done:
    """Carry out a task."""
    begun = time.perf_counter()
    result = search(_families(plan), judged()[task.source], Settings(plan.profile, task.seed or 0))
    kills = [(*pair, examples) for pair, examples in result.kills.items()]
    return Done(task, kills, sorted(result.twins), round(time.perf_counter() - begun, 1))


@cache
def _families(plan: Plan) -> list[list[Mutant]]:
    return families(planned(plan))


def carried_out(plan: Plan, todo: Sequence[Task], workers: int | Cluster) -> Iterator[Done]:
    """The results of tasks, in the order of completion: in this process, in several others, or on a cluster."""
    if isinstance(workers, Cluster):
        yield from workers.done(done, [(plan, task) for task in todo])
        return
    if workers == 1:
        yield from (done(plan, task) for task in todo)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures: list[Future[Done]] = [pool.submit(done, plan, task) for task in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


class Notes:
    """A file with the results so far: a line that says what is measured, then a line for each task."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Nothing is read or written yet."""
        self.path = path
        mutants = [m.name for m in planned(plan)]
        self._head = {"profile": plan.profile, "mutants": mutants, "requirements": sorted(load())}

    def read(self) -> list[Done]:
        """The results in the file, without an incomplete last line; raises UsageError if it is of another plan."""
        if not self.path.exists() or not self.path.stat().st_size:
            return []
        head, *lines = self.path.read_text("utf-8").splitlines(keepends=True)
        if json.loads(head) != self._head:
            raise UsageError(f"{self.path} is of other mutants, requirements or another profile: delete it to continue")
        return [_from_data(json.loads(line)) for line in lines if line.endswith("\n")]

    def begin(self, known: Sequence[Done]) -> None:
        """Write a new file, with the results that are known already."""
        lines = [self._head, *map(asdict, known)]
        self.path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    def add(self, found: Done) -> None:
        """Append a result."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(asdict(found))}\n")


def _from_data(data: Mapping[str, Any]) -> Done:
    kills, twins = [tuple(k) for k in data["kills"]], [tuple(t) for t in data["twins"]]
    return Done(Task(**data["task"]), kills, twins, data.get("seconds", 0.0))
