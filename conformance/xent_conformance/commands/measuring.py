"""The commands that measure: the suite itself (`xent mutants`, `campaign`, `coverage`) or backends (`xent bench`)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from xent_conformance import interruptions
from xent_conformance.output import check_file, write_json
from xent_conformance.progress import Progress
from xent_conformance.records.status import FAILED, OK
from xent_conformance.request import names_in

if TYPE_CHECKING:
    from pathlib import Path

    from xent_conformance.cluster import Cluster
    from xent_conformance.detection.campaign import Campaign, Part
    from xent_conformance.detection.kill_matrix import Matrix
    from xent_conformance.speed.cells import Cell


def mutants(options: argparse.Namespace) -> int:
    """Measure the kill matrix."""
    from xent_conformance.cluster import Cluster
    from xent_conformance.detection import kill_tasks
    from xent_conformance.detection.baselines import baselines
    from xent_conformance.detection.kill_budget import spent
    from xent_conformance.detection.kill_matrix import Matrix, write

    check_file(options.output)
    plan = kill_tasks.Plan(str(options.folder), options.profile, names_in(*options.only))
    tasks = kill_tasks.tasks(options.profile, range(options.seeds))
    mutants, requirements = kill_tasks.planned(plan), [r for group in kill_tasks.judged().values() for r in group]
    matrix = Matrix(mutants, sorted(requirements, key=lambda r: r.id), range(options.seeds))
    notes = kill_tasks.Notes(options.output.with_name(f"{options.output.name}.part"), plan)
    known = [done for done in notes.read() if done.task in tasks] if options.resume else []
    notes.begin(known)
    matrix.add(known)
    todo = [task for task in tasks if task not in {done.task for done in known}]
    with Progress(sys.stderr) as progress, ExitStack() as spread:
        workers = spread.enter_context(Cluster(options.dask)) if options.dask else options.workers
        for number, done in enumerate(kill_tasks.carried_out(plan, todo, workers), start=1):
            state = f"{done.task.source}, seed {done.task.seed}: {len(done.kills)} kills"
            progress.update(state, number, len(todo))
            notes.add(done)
            matrix.add([done])
        compared = {name: asdict(baseline) for name, baseline in baselines(mutants).items()}
        write(matrix, options.output, baselines=compared, streams=spent(matrix, options.profile))
    notes.path.unlink()
    return _summarised(matrix, options.output)


def _summarised(matrix: Matrix, output: Path) -> int:
    """Print the summary of a kill matrix; returns the exit code."""
    survivors = matrix.survivors()
    for name, seed in survivors:
        print(f"survives seed {seed}: {name}")
    for name, identifier, seeds in matrix.unsure():
        print(f"declared killer missed: {identifier} does not kill {name} with seed {', '.join(map(str, seeds))}")
    for name, identifier in sorted(matrix.twins):
        print(f"false alarm: {identifier} fails on {name}, which is correct")
    for kind, killed, count in matrix.rates():
        print(f"{count} {kind} mutants, {len(matrix.seeds)} seeds: {killed} killed in every seed")
    print(f"matrix: {output}")
    return FAILED if survivors or matrix.twins else OK


def campaign(options: argparse.Namespace) -> int:
    """Measure how close correct implementations come to the bounds."""
    from xent_conformance.cluster import Cluster
    from xent_conformance.detection.campaign import Campaign, entrants, table
    from xent_conformance.records.plain import jsonable

    check_file(options.output)
    known = entrants(options.folder, options.backends)
    with Progress(sys.stderr) as progress:
        if options.dask is None:
            measured = Campaign.measured(known, options.comparisons, progress.update)
        else:
            with Cluster(options.dask) as cluster:
                tasks = partial(_parts, cluster, options.folder, tuple(options.backends))
                measured = Campaign.gathered(tasks, options.comparisons)
    for line in table(measured):
        print(line)
    write_json(options.output, jsonable(measured.as_data()))
    print(f"campaign: {options.output}")
    return FAILED if measured.alarms else OK


def _parts(cluster: Cluster, folder: Path, specs: tuple[str, ...], parts: Sequence[Part]) -> list[Campaign]:
    """Measure parts of a campaign on a cluster; results in the order of the parts."""
    from xent_conformance.detection.campaign import measured_part

    return cluster.in_order(measured_part, [(folder, specs, *part) for part in parts])


def coverage(options: argparse.Namespace) -> int:
    """Print which of the combinations that a backend claims a run tries."""
    from xent_conformance.coverage.measure import requested
    from xent_conformance.coverage.table import table
    from xent_conformance.request import Request, names_in

    request = Request((options.backend,), options.profile, options.seed, dtypes=names_in(*options.dtypes))
    check_file(options.output)
    coverage = requested(request, options.seeds)
    print("\n".join(table(coverage)))
    if options.output is not None:
        write_json(options.output, coverage.as_data())
    return OK


def bench(options: argparse.Namespace) -> int:
    """Time backends; returns 1 where the loss of a timed call is wrong, or no call could be timed."""
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.loading.imported import Narrowing
    from xent_conformance.loading.loader import load
    from xent_conformance.request import Request, names_in
    from xent_conformance.speed.cells import half_of_memory
    from xent_conformance.speed.measure import Measured, as_data, measured, table

    dtypes = Request(tuple(options.backends), dtypes=names_in(*options.dtypes), device=options.device).dtypes
    cells = _cells(options.shapes, dtypes or ("float32", "bfloat16"))
    check_file(options.output)
    memory = half_of_memory() if options.memory is None else options.memory * 1e9
    backends = [load(spec, Narrowing(dtypes or None, device=options.device))[0] for spec in options.backends]
    lines: list[Measured] = []
    with Progress(sys.stderr) as progress:
        for new in measured(backends, cells, options.seconds, memory):
            lines += new
            interruptions.check()
            progress.update(f"{new[0].backend}, {'x'.join(map(str, new[0].cell.shape))} {new[0].cell.dtype}")
    if not lines:
        raise UsageError("nothing to time: no backend claims these dtypes")
    print("\n".join(table(lines)))
    if options.output is not None:
        write_json(options.output, as_data(lines))
        print(f"times: {options.output}")
    return OK if any(line.times for line in lines) and not any(line.wrong for line in lines) else FAILED


def _cells(shapes: str, dtypes: Sequence[str]) -> list[Cell]:
    """Each of the shapes, separated by commas, with each dtype; raises UsageError for what is no shape."""
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.request import names_in
    from xent_conformance.speed.cells import Cell, shape_of

    try:
        return [Cell(shape_of(text), dtype) for text in names_in(shapes) for dtype in dtypes]
    except ValueError as error:
        raise UsageError(str(error)) from error
