"""What each command of `xent` does; ``cli`` has their arguments."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xent_conformance.output import check_file, output_folder

if TYPE_CHECKING:
    from xent_conformance.detection.kill_matrix import Matrix
    from xent_conformance.session import Session

OK, FAILED, USAGE, BROKEN = 0, 1, 2, 3
RECORD = "record.jsonl"


def complain(message: object, code: int) -> int:
    """Say what is wrong; returns the exit code."""
    print(f"xent: {message}", file=sys.stderr)
    return code


def run(options: argparse.Namespace) -> int:
    """Judge backends, write the record and render the report."""
    from xent_conformance.loading.loader import UsageError
    from xent_conformance.session import Request, Session, names_in

    with output_folder(options.output) as folder:
        request = Request(
            backends=tuple(options.backends),
            profile=options.profile,
            seed=options.seed,
            only=names_in(*options.only),
            dtypes=names_in(*options.dtypes),
            gradient=not options.no_gradient,
            device=options.device,
            in_process=options.in_process,
            timeout=options.timeout,
            resume=folder / RECORD if options.resume else None,
        )
        session = Session.open(request)
        try:
            for line in session.left_out:
                complain(line, BROKEN)
            if not session.opened:
                return BROKEN
            if not session.done and not any(session.cells(r) for r in session.requirements()):
                raise UsageError("nothing to judge: no backend claims these dtypes")
            return _judged(session, folder, options)
        finally:
            session.close()


def _judged(session: Session, folder: Path, options: argparse.Namespace) -> int:
    """Judge, summarise, render; what a run leaves behind is shown however it ended."""
    from xent_conformance.running import is_begun
    from xent_conformance.running import run as run_pytest

    record = folder / RECORD
    code = _exit_code(OK if session.finished else run_pytest(session, record, options.workers), record)
    if not is_begun(record):
        # Interrupted before the header was written.
        return code
    _summarise(record)
    page = _renderer("render")([record], folder)
    print(f"report: {page}")
    return BROKEN if session.left_out else code


def _exit_code(pytest_code: int, record: Path) -> int:
    from xent_conformance.records.record import UNEXPECTED, Status, read

    if pytest_code not in (0, 1):
        return BROKEN
    found = {verdict.status for verdict in read(record).verdicts}
    if Status.ERROR in found or not found:
        return BROKEN
    return FAILED if found & set(UNEXPECTED) else OK


def _summarise(record: Path) -> None:
    color = _renderer("wants_color")(sys.stdout, os.environ)
    for line in _renderer("terminal")([record], color=color):
        print(line)


def _renderer(name: str) -> Any:
    """A function of the report package, which is known here only by its entry point."""
    return next(iter(entry_points(group="xent_conformance.renderers", name=name))).load()


def listing(options: argparse.Namespace) -> int:
    """Print the requirements and the registered backends."""
    from xent_conformance.loading.loader import known
    from xent_conformance.records.header import catalogued
    from xent_conformance.records.plain import as_data
    from xent_conformance.requirements.registry import load

    registry = load()
    if options.json:
        print(
            json.dumps(
                {"requirements": [as_data(catalogued(r)) for r in registry.values()], "backends": known()}, indent=2
            )
        )
        return OK
    if options.spec:
        from xent_conformance.spec import specification

        print(specification(registry.values()), end="")
        return OK
    width = max(len(name) for name in registry)
    for name, requirement in registry.items():
        print(f"{name:<{width}}  {requirement.level:<8}  {requirement.title}")
    print(f"\n{len(registry)} requirements; registered backends: {', '.join(known())}")
    return OK


def report(options: argparse.Namespace) -> int:
    """Render records."""
    records = _records(options.records)
    more = {"baseline": options.baseline, "kill_matrix": options.kill_matrix, "speed": options.speed}
    with output_folder(options.output) as folder:
        print(f"report: {_renderer('render')(records, folder, **more)}")
    return OK


def _records(paths: Sequence[Path]) -> list[Path]:
    """The records named, and those in the folders named; raises UsageError for a folder without any."""
    from xent_conformance.loading.loader import UsageError

    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob(RECORD)) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"no {RECORD} in {path}")
        found += inside
    return found


def merge(options: argparse.Namespace) -> int:
    """Merge the records of one run's shards."""
    check_file(options.output)
    _renderer("merge")(options.records, options.output)
    return OK


def diff(options: argparse.Namespace) -> int:
    """What changed between two records."""
    text, code = _renderer("diff")(options.old, options.new)
    print(text)
    return int(code)


def _progress(text: str) -> None:
    """Say on a terminal how far a long command is."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:78]}", end="", file=sys.stderr, flush=True)


def mutants(options: argparse.Namespace) -> int:
    """Measure the kill matrix."""
    from xent_conformance.detection import kill_tasks
    from xent_conformance.detection.baselines import baselines
    from xent_conformance.detection.kill_budget import spent
    from xent_conformance.detection.kill_matrix import Matrix, write
    from xent_conformance.session import check_profile

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
    for number, done in enumerate(kill_tasks.carried_out(plan, todo, options.workers), start=len(known) + 1):
        _progress(f"[{number}/{len(tasks)}] {done.task.source}, seed {done.task.seed}: {len(done.kills)} kills")
        notes.add(done)
        matrix.add([done])
    write(matrix, options.output, baselines=baselines(mutants), streams=spent(matrix, options.profile))
    notes.path.unlink()
    _progress("")
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
    killed = len(matrix.mutants) - len({name for name, _ in survivors})
    print(f"{len(matrix.mutants)} mutants, {len(matrix.seeds)} seeds: {killed} killed in every seed")
    print(f"matrix: {output}")
    return FAILED if survivors or matrix.twins else OK


def new(options: argparse.Namespace) -> int:
    """Write the example adapter."""
    from importlib.resources import files

    from xent_conformance.loading.loader import UsageError

    try:
        with options.file.open("x", encoding="utf-8") as file:
            file.write(files("xent_conformance").joinpath("new_backend.py.txt").read_text("utf-8"))
    except FileExistsError:
        raise UsageError(f"{options.file} exists already") from None
    except OSError as error:
        raise UsageError(f"cannot write {options.file}: {error.strerror or error}") from error
    where = options.file if options.file.is_absolute() else f"./{options.file}"
    print(f"wrote {options.file}; try: xent run {where}")
    return OK


def campaign(options: argparse.Namespace) -> int:
    """Measure how near correct implementations come to the bounds."""
    from xent_conformance.detection.campaign import Campaign, entrants, table
    from xent_conformance.records.plain import jsonable

    check_file(options.output)
    measured = Campaign.measured(entrants(options.folder, options.backends), options.comparisons, _progress)
    _progress("")
    for line in table(measured):
        print(line)
    options.output.write_text(json.dumps(jsonable(measured.as_data()), indent=1) + "\n", encoding="utf-8")
    print(f"campaign: {options.output}")
    return FAILED if measured.alarms else OK
