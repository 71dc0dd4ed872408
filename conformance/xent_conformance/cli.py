"""The command line.

Exit codes: 0 no unexpected failure, 1 failures, 2 usage, 3 the suite or an adapter itself broke or is not available.
``xent diff`` follows diff(1): 0 the same, 1 changed for the worse, 2 trouble.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xent_conformance import __version__, commands, interruptions
from xent_conformance.commands import BROKEN, OK, USAGE, complain
from xent_conformance.request import add_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    _streams()
    if (obstacle := _obstacle()) is not None:
        raise SystemExit(complain(obstacle, USAGE))
    options = _parser().parse_args(arguments)
    with interruptions.heeded() as ready:
        try:
            return _done(options, ready)
        except KeyboardInterrupt:
            return complain("interrupted", BROKEN)


def _done(options: argparse.Namespace, ready: Callable[[], None]) -> int:
    """Carry out a command; its errors in one line. ``ready`` is told when what all of them need is imported."""
    from xent_conformance.loading.loader import BrokenBackendError, UsageError
    from xent_conformance.records.deviations import DeviationError
    from xent_conformance.records.record import RecordError

    ready()
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (UsageError, RecordError) as error:
        return complain(error, USAGE)
    except (BrokenBackendError, DeviationError) as error:
        return complain(error, BROKEN)
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        return complain(f"{error.filename or 'output'}: {error.strerror or error}", BROKEN)
    return OK


def _obstacle() -> str | None:
    """Why no command can work here; None: they can."""
    if sys.flags.optimize > 1:
        return "python -OO takes the requirements' statements away; run without it"
    try:
        Path.cwd()
    except OSError as error:
        return f"the working directory: {error.strerror}"
    return None


def _streams() -> None:
    """Whoever has closed a standard stream gets nothing, and a terminal that lacks a glyph another in its place."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            # Before anything else gets the number, and what is printed with it.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as we live
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="xent", description="Is a cross-entropy right, and how do you know?")
    parser.add_argument("--version", action="version", version=f"xent-conformance {__version__}")
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(subcommands)
    listing = subcommands.add_parser("list", help="print the requirements and the registered backends")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--spec", action="store_true", help="as the specification, conformance/SPEC.md")
    listing.set_defaults(command=commands.listing)
    report = subcommands.add_parser("report", help="render records as HTML, Markdown and a badge")
    report.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="files, or folders that hold them")
    report.add_argument("--output", type=_folder, default=Path("xent-report"), metavar="DIR")
    report.add_argument("--baseline", type=Path, metavar="RECORD", help="an earlier record to show changes against")
    report.add_argument("--kill-matrix", type=Path, metavar="FILE", help="what `xent mutants` wrote, for a page beside")
    report.add_argument("--speed", type=Path, metavar="FILE", help="what pytest --benchmark-json=FILE wrote")
    report.set_defaults(command=commands.report)
    merge = subcommands.add_parser("merge", help="merge the records of one run's shards")
    merge.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    merge.add_argument("--output", type=Path, required=True, metavar="FILE")
    merge.set_defaults(command=commands.merge)
    diff = subcommands.add_parser("diff", help="what changed between two records")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)
    diff.set_defaults(command=commands.diff)
    mutants = subcommands.add_parser("mutants", help="measure which requirement finds which wrong backend")
    mutants.add_argument("folder", type=Path, help="package with a module `catalogue` that has all_mutants()")
    mutants.add_argument("--seeds", type=_positive, default=10, metavar="N", help="seeds 0 to N-1 (default 10)")
    mutants.add_argument("--profile", default="default", metavar="PROFILE")
    mutants.add_argument("--only", default="", metavar="MUTANT,MUTANT", help="some of the mutants, by name")
    mutants.add_argument(
        "-n", dest="workers", type=_positive, default=1, metavar="WORKERS", help="processes (default 1)"
    )
    mutants.add_argument("--resume", action="store_true", help="go on where the same command was cut off")
    mutants.add_argument("--output", type=Path, default=Path("kill-matrix.json"), metavar="FILE")
    mutants.set_defaults(command=commands.mutants)
    campaign = subcommands.add_parser("campaign", help="measure how near correct implementations come to the bounds")
    campaign.add_argument("folder", type=Path, help="package with a module `catalogue` that has all_correct()")
    campaign.add_argument("backends", nargs="*", metavar="BACKEND", help="backends to judge beside, as for `xent run`")
    campaign.add_argument("--comparisons", type=_positive, default=1_000_000, metavar="N", help="at least so many")
    campaign.add_argument("--output", type=Path, default=Path("campaign.json"), metavar="FILE")
    campaign.set_defaults(command=commands.campaign)
    new = subcommands.add_parser("new", help="write a commented adapter to start from")
    new.add_argument("file", type=Path)
    new.set_defaults(command=commands.new)
    return parser


def _add_run(subcommands: Any) -> None:
    run = subcommands.add_parser(
        "run",
        help="judge backends and render the report",
        description="BACKEND is a registered name (see `xent list`), a file ./my_backend.py[:name], or a callable"
        " torch:package.function (jax:, numpy: likewise).",
    )
    run.add_argument("backends", nargs="+", metavar="BACKEND")
    add_options(run.add_argument)
    run.add_argument("-n", dest="workers", type=_positive, default=1, metavar="WORKERS", help="processes (default 1)")
    run.add_argument("--output", type=_folder, default=Path("xent-report"), metavar="DIR", help="default ./xent-report")
    run.add_argument("--resume", action="store_true", help="finish the run whose record is in the output folder")
    run.set_defaults(command=commands.run)


def _positive(text: str) -> int:
    """A whole number from 1 on."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is expected, not {text!r}")
    return value


def _folder(text: str) -> Path:
    """A folder with a name: an empty text is a variable that was not set."""
    if not text:
        raise argparse.ArgumentTypeError("the name of a folder is expected, not ''")
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
