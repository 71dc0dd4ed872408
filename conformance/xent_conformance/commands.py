"""What each command of `xent` does; ``cli`` has their arguments."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xent_conformance import interruptions
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
    from xent_conformance.console import say
    from xent_conformance.loading.loader import UsageError
    from xent_conformance.request import Request
    from xent_conformance.session import Session

    with output_folder(options.output) as folder:
        record = folder / RECORD
        request = Request.of(options, tuple(options.backends), resume=record if options.resume else None)
        with Session.open(request) as session:
            for line in session.left_out:
                complain(line, BROKEN)
            if not session.opened:
                return BROKEN
            if not session.done and not session.groups():
                raise UsageError("nothing to judge: no backend claims these dtypes")
            for line in _not_claimed(session):
                say(sys.stdout, line)
            code = _judged(session, record, options.workers)
            if not _is_begun(record):
                # Interrupted before the header was written.
                return code
            # What a run leaves behind is shown however it ended.
            color = _renderer("wants_color")(sys.stdout, os.environ)
            say(sys.stdout, "\n".join(_renderer("terminal")([record], color=color)))
            say(sys.stdout, f"report: {_renderer('render')([record], folder)}")
            return BROKEN if session.left_out else code


def _not_claimed(session: Session) -> list[str]:
    """What backends leave out of their claims, a line each."""
    return [
        f"{opened.description.name}: {what}: left out, because {why}"
        for opened in session.opened
        for what, why in opened.description.capabilities.left_out
    ]


def _judged(session: Session, record: Path, workers: int) -> int:
    """Write the verdicts of a run to its record as they come; the exit code."""
    from xent_conformance.console import Console
    from xent_conformance.distribution import WorkerError
    from xent_conformance.loading.sources import ReplacedError
    from xent_conformance.records.record import RecordWriter
    from xent_conformance.running import run as verdicts

    if session.earlier is not None and session.earlier.footer is not None:
        return _exit_code({verdict["status"] for verdict in session.earlier.verdicts})
    start, request = time.perf_counter(), session.request
    total = sum(len(group.requirements) for group in session.groups())
    # What a backend in this process prints would be lost in a progress line, and a debugger's prompt too.
    console = Console(sys.stderr, total, live=not request.in_process)
    try:
        interruptions.check()
        with _writing(record):
            writer = RecordWriter(record, session.header(), resume=request.resume is not None)
        with closing(verdicts(session, workers)) as lines:
            for line in lines:
                with _writing(record):
                    writer.verdict(line)
                console.show(line)
                interruptions.check()
        code = _exit_code(writer.counts)
        with _writing(record):
            writer.close(code, time.perf_counter() - start)
    except ReplacedError as error:
        trouble = f"{error}: run it anew, or undo that and finish the run with --resume"
    except KeyboardInterrupt as error:
        message = str(error) or "interrupted"
        trouble = f"{message}: finish the run with --resume" if _is_begun(record) else message
    except WorkerError as error:
        trouble = f"{error}; finish the run with --resume"
    except _UnwrittenError as error:
        trouble = str(error)
    else:
        console.clear()
        return code
    console.clear()
    return complain(trouble, BROKEN)


class _UnwrittenError(Exception):
    """The record cannot be written."""


@contextmanager
def _writing(record: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _UnwrittenError(f"cannot write {record}: {error.strerror or error}") from error


def _is_begun(record: Path) -> bool:
    """Whether the record has its header."""
    return record.is_file() and record.stat().st_size > 0


def _exit_code(statuses: Collection[str]) -> int:
    from xent_conformance.records.record import UNEXPECTED, Status

    if not statuses or Status.ERROR in statuses:
        return BROKEN
    return FAILED if set(UNEXPECTED) & set(statuses) else OK


def _renderer(name: str) -> Any:
    """A function of the report package, which is known here only by its entry point."""
    return next(iter(entry_points(group="xent_conformance.renderers", name=name))).load()


def listing(options: argparse.Namespace) -> int:
    """Print the requirements and the registered backends."""
    from xent_conformance.loading.loader import known
    from xent_conformance.records.header import catalogued
    from xent_conformance.requirements.registry import load

    registry = load()
    if options.json:
        print(json.dumps({"requirements": [catalogued(r) for r in registry.values()], "backends": known()}, indent=2))
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


def explain(options: argparse.Namespace) -> int:
    """Say what requirements mean."""
    from xent_conformance.explain import explanation
    from xent_conformance.request import names_in
    from xent_conformance.requirements.registry import load
    from xent_conformance.selection import selected

    print("\n\n\n".join(map(explanation, selected(names_in(*options.only), load().values()))))
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
    from xent_conformance.records.record import jsonable

    check_file(options.output)
    measured = Campaign.measured(entrants(options.folder, options.backends), options.comparisons, _progress)
    _progress("")
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
