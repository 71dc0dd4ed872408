"""The commands that measure the suite itself: `xent mutants`, `xent campaign` and `xent coverage`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from xent_conformance.commands import FAILED, OK
from xent_conformance.output import check_file
from xent_conformance.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from xent_conformance.detection.kill_matrix import Matrix


def mutants(options: argparse.Namespace) -> int:
    """Measure the kill matrix."""
    from xent_conformance.detection import kill_tasks
    from xent_conformance.detection.baselines import baselines
    from xent_conformance.detection.kill_budget import spent
    from xent_conformance.detection.kill_matrix import Matrix, write
    from xent_conformance.request import check_profile

    check_profile(options.profile)
    check_file(options.output)
    plan = kill_tasks.Plan(str(options.folder), options.profile, tuple(n for n in options.only.split(",") if n))
    tasks = kill_tasks.tasks(options.profile, range(options.seeds))
    mutants, requirements = kill_tasks.planned(plan), [r for group in kill_tasks.judged().values() for r in group]
    matrix = Matrix(mutants, sorted(requirements, key=lambda r: r.id), range(options.seeds))
    notes = kill_tasks.Notes(options.output.with_name(f"{options.output.name}.part"), plan)
    known = [done for done in notes.read() if done.task in tasks] if options.resume else []
    notes.begin(known)
    matrix.add(known)
    todo = [task for task in tasks if task not in {done.task for done in known}]
    with Progress(sys.stderr) as progress:
        for number, done in enumerate(kill_tasks.carried_out(plan, todo, options.workers), start=1):
            state = f"{done.task.source}, seed {done.task.seed}: {len(done.kills)} kills"
            progress.update(state, number, len(todo))
            notes.add(done)
            matrix.add([done])
        write(matrix, options.output, baselines=baselines(mutants), streams=spent(matrix, options.profile))
    notes.path.unlink()
    return _said(matrix, options.output)


def _said(matrix: Matrix, output: Path) -> int:
    """Say what a kill matrix comes to; the exit code."""
    survivors = matrix.survivors()
    for name, seed in survivors:
        print(f"survives seed {seed}: {name}")
    for name, identifier, seeds in matrix.unsure():
        print(f"declared but not sure: {identifier} misses {name} with seed {', '.join(map(str, seeds))}")
    for name, identifier in sorted(matrix.twins):
        print(f"false alarm: {identifier} fails on {name}, which is correct")
    for kind, killed, count in matrix.rates():
        print(f"{count} {kind} mutants, {len(matrix.seeds)} seeds: {killed} killed in every seed")
    print(f"matrix: {output}")
    return FAILED if survivors or matrix.twins else OK


def campaign(options: argparse.Namespace) -> int:
    """Measure how near correct implementations come to the bounds."""
    from xent_conformance.detection.campaign import Campaign, entrants, table
    from xent_conformance.records.plain import jsonable

    check_file(options.output)
    with Progress(sys.stderr) as progress:
        measured = Campaign.measured(entrants(options.folder, options.backends), options.comparisons, progress.update)
    for line in table(measured):
        print(line)
    options.output.write_text(json.dumps(jsonable(measured.as_data()), indent=1) + "\n", encoding="utf-8")
    print(f"campaign: {options.output}")
    return FAILED if measured.alarms else OK


def coverage(options: argparse.Namespace) -> int:
    """Print what runs try of all combinations that a backend claims."""
    from xent_conformance.coverage.measure import requested
    from xent_conformance.coverage.table import table
    from xent_conformance.request import Request, names_in

    request = Request((options.backend,), options.profile, options.seed, dtypes=names_in(*options.dtypes))
    if options.output is not None:
        check_file(options.output)
    found = requested(request, options.seeds)
    print("\n".join(table(found)))
    if options.output is not None:
        options.output.write_text(json.dumps(found.as_data(), indent=1) + "\n", encoding="utf-8")
    return OK
