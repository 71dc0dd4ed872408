"""The command line.

Exit codes: 0 no unexpected failure, 1 failures, 2 usage, 3 the suite or an adapter itself broke or is not available.
``xent diff`` follows diff(1): 0 the same, 1 changed for the worse, 2 trouble.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from xent_conformance import __version__

OK, FAILED, USAGE, BROKEN = 0, 1, 2, 3
RECORD = "record.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _parser().parse_args(arguments)
    from xent_conformance.deviations import DeviationError
    from xent_conformance.loading import BrokenBackendError, UsageError
    from xent_conformance.record import RecordError

    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except UsageError as error:
        return _complain(error, USAGE)
    except (BrokenBackendError, DeviationError) as error:
        return _complain(error, BROKEN)
    except RecordError as error:
        return _complain(error, USAGE)
    except KeyboardInterrupt:
        return _complain("interrupted", BROKEN)
    except BrokenPipeError:
        sys.stderr.close()
        return OK


def _complain(message: object, code: int) -> int:
    print(f"xent: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="xent", description="Is a cross-entropy right, and how do you know?")
    parser.add_argument("--version", action="version", version=f"xent-conformance {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    listing = commands.add_parser("list", help="print the requirements and the registered backends")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--spec", action="store_true", help="as the specification, conformance/SPEC.md")
    listing.set_defaults(command=_list)
    report = commands.add_parser("report", help="render records as HTML, Markdown and a badge")
    report.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="files, or folders that hold them")
    report.add_argument("--output", type=Path, default=Path("xent-report"), metavar="DIR")
    report.add_argument("--baseline", type=Path, metavar="RECORD", help="an earlier record to show changes against")
    report.add_argument("--kill-matrix", type=Path, metavar="FILE", help="what `xent mutants` wrote, for a page beside")
    report.add_argument("--speed", type=Path, metavar="FILE", help="what pytest --benchmark-json=FILE wrote")
    report.set_defaults(command=_report)
    merge = commands.add_parser("merge", help="merge the records of one run's shards")
    merge.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    merge.add_argument("--output", type=Path, required=True, metavar="FILE")
    merge.set_defaults(command=_merge)
    diff = commands.add_parser("diff", help="what changed between two records")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)
    diff.set_defaults(command=_diff)
    mutants = commands.add_parser("mutants", help="measure which requirement finds which wrong backend")
    mutants.add_argument("folder", type=Path, help="package with a module `catalogue` that has all_mutants()")
    mutants.add_argument("--seeds", type=_positive, default=10, metavar="N", help="seeds 0 to N-1 (default 10)")
    mutants.add_argument("--profile", default="default", metavar="PROFILE")
    mutants.add_argument("--output", type=Path, default=Path("kill-matrix.json"), metavar="FILE")
    mutants.set_defaults(command=_mutants)
    new = commands.add_parser("new", help="write a commented adapter to start from")
    new.add_argument("file", type=Path)
    new.set_defaults(command=_new)
    return parser


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="judge backends and render the report",
        description="BACKEND is a registered name (see `xent list`), a file ./my_backend.py[:name], or a callable"
        " torch:package.function (jax:, numpy: likewise).",
    )
    run.add_argument("backends", nargs="+", metavar="BACKEND")
    run.add_argument("--profile", default="default", metavar="PROFILE", help="quick, default or thorough")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same problems, same verdicts")
    run.add_argument("--only", action="append", default=[], metavar="ID", help="a requirement or family; repeatable")
    run.add_argument("--dtypes", default="", metavar="D,D", help="float16, bfloat16, float32, float64")
    run.add_argument("-n", dest="workers", type=_positive, default=1, metavar="WORKERS", help="processes (default 1)")
    run.add_argument("--output", type=Path, default=Path("xent-report"), metavar="DIR", help="default ./xent-report")
    run.add_argument("--device", default="cpu", help="callables: device to compute on")
    run.add_argument("--no-gradient", action="store_true", help="callables: claim no gradients")
    run.add_argument("--in-process", action="store_true", help="no process of its own for each backend: for debuggers")
    run.add_argument("--timeout", type=float, default=20.0, metavar="SECONDS", help="limit for one call (default 20)")
    run.add_argument("--resume", action="store_true", help="finish the run whose record is in the output folder")
    run.set_defaults(command=_run)


def _positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def _run(options: argparse.Namespace) -> int:
    from xent_conformance.loading import UsageError
    from xent_conformance.running import run
    from xent_conformance.session import Request, Session

    request = Request(
        backends=tuple(options.backends),
        profile=options.profile,
        seed=options.seed,
        only=tuple(options.only),
        dtypes=tuple(d for d in options.dtypes.split(",") if d),
        gradient=not options.no_gradient,
        device=options.device,
        in_process=options.in_process,
        timeout=options.timeout,
    )
    session = Session.open(request)
    for spec, reason in session.unavailable.items():
        _complain(f"{spec} is not available: {reason}", BROKEN)
    if not session.opened:
        return BROKEN
    if not any(session.cells(r) for r in session.requirements()):
        raise UsageError("nothing to judge: no backend claims these dtypes")
    record = _output_folder(options.output) / RECORD
    code = _exit_code(run(session, record, options.workers), record)
    _summarise(record)
    page = _renderer("render")([record], options.output)
    print(f"report: {page}")
    return BROKEN if session.unavailable else code


def _output_folder(folder: Path) -> Path:
    """The folder, made if need be; raises UsageError where it cannot be written."""
    from xent_conformance.loading import UsageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".xent-writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}") from error
    return folder


def _exit_code(pytest_code: int, record: Path) -> int:
    from xent_conformance.record import UNEXPECTED, Status, read

    if pytest_code not in (0, 1):
        return BROKEN
    found = {verdict["status"] for verdict in read(record).verdicts}
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


def _list(options: argparse.Namespace) -> int:
    from xent_conformance.loading import known
    from xent_conformance.requirements.registry import load
    from xent_conformance.session import catalogued

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


def _report(options: argparse.Namespace) -> int:
    records = _records(options.records)
    more = {"baseline": options.baseline, "kill_matrix": options.kill_matrix, "speed": options.speed}
    page = _renderer("render")(records, _output_folder(options.output), **more)
    print(f"report: {page}")
    return OK


def _records(paths: Sequence[Path]) -> list[Path]:
    """The records named, and those in the folders named; raises UsageError for a folder without any."""
    from xent_conformance.loading import UsageError

    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob(RECORD)) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"no {RECORD} in {path}")
        found += inside
    return found


def _merge(options: argparse.Namespace) -> int:
    _renderer("merge")(options.records, options.output)
    return OK


def _diff(options: argparse.Namespace) -> int:
    text, code = _renderer("diff")(options.old, options.new)
    print(text)
    return int(code)


def _mutants(options: argparse.Namespace) -> int:
    from xent_conformance.baselines import baselines
    from xent_conformance.kill_matrix import Matrix, mutants_in, write
    from xent_conformance.requirements.registry import load

    def progress(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text[:78]}", end="", file=sys.stderr, flush=True)

    mutants, seeds = mutants_in(options.folder), range(options.seeds)
    matrix = Matrix.measured(mutants, list(load().values()), seeds, options.profile, progress)
    write(matrix, baselines(mutants), options.output)
    progress("")
    survivors = {name for name, _ in matrix.survivors()}
    print(f"{len(mutants)} mutants, {options.seeds} seeds: {len(mutants) - len(survivors)} killed in every seed")
    for name in sorted(survivors):
        print(f"  survives: {name}")
    print(f"matrix: {options.output}")
    return FAILED if survivors else OK


def _new(options: argparse.Namespace) -> int:
    from importlib.resources import files

    from xent_conformance.loading import UsageError

    try:
        with options.file.open("x", encoding="utf-8") as file:
            file.write(files("xent_conformance").joinpath("new_backend.py.txt").read_text("utf-8"))
    except FileExistsError:
        raise UsageError(f"{options.file} exists already") from None
    except OSError as error:
        raise UsageError(f"cannot write {options.file}: {error.strerror or error}") from error
    print(f"wrote {options.file}; try: xent run ./{options.file}")
    return OK


if __name__ == "__main__":
    sys.exit(main())
