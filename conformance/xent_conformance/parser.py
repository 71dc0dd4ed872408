"""The commands of `xent` and their options, with all that ``--help`` says. Imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from xent_conformance import __version__, commands, exporting, measuring, watching
from xent_conformance.commands import AUTO, USAGE, complain
from xent_conformance.request import add_options
from xent_conformance.suggestions import instead

EXAMPLES = """\
examples:
  xent run torch                          judge a registered backend; the report is in ./xent-report
  xent run numpy torch jax                several side by side
  xent new my_backend.py                  write an adapter to start from ...
  xent run ./my_backend.py                ... and judge it
  xent run torch:my_kernels.fused_loss    judge any callable with the signature of F.cross_entropy
  xent run torch --only 'gradients.*'     some of the requirements
  xent explain accuracy.loss              what a requirement says, and why
"""
EXIT_CODES = """\
exit codes:
  0  nothing failed that is not a known deviation
  1  something failed
  2  usage error: an option, a file or a backend that does not exist
  3  the suite or an adapter broke, a framework or device is missing, or the run was interrupted
"""
DIFF_EXIT_CODES = """\
exit codes, as of diff(1):
  0  nothing is worse
  1  something is worse
  2  a record cannot be read
"""
RUN_EXAMPLES = """\
examples:
  xent run torch --profile quick                     a quick check in seconds
  xent run torch --only accuracy,gradients.linear*   families and patterns
  xent run ./my_backend.py:other                     another name than `backend` in the file
  xent run jax:my_losses.cross_entropy --dtypes float32,bfloat16
  xent run torch --output nightly --resume           finish an interrupted run
  xent run ./my_backend.py --fail-fast               stop at the first failure ...
  xent run ./my_backend.py --last-failed             ... and judge only what failed again
"""
WATCHING = """\
Modules that it imports from its folder are watched too. After a change, what failed is judged first, and everything
else once that passes; fixed and new failures are printed. A change during a run starts a new run. Ctrl-C ends the
command, with the exit code of the last complete run.
"""
WATCH_EXAMPLES = """\
examples:
  xent watch ./my_backend.py --profile quick         in a terminal beside the editor
  xent watch ./my_backend.py --only gradients --dtypes float32
"""
BENCH_EXAMPLES = """\
examples:
  xent bench numpy torch                             side by side at shapes that people train with
  xent bench ./my_backend.py --shapes 4096x1000 --dtypes float32
  xent bench torch --output speed.json               for `xent report RECORD --speed speed.json`

A call with a wrong loss at a shape is not timed there. The last column is the time as a multiple of that of a copy of
the logits. Backends are called in this process. Times on devices other than the CPU have not been verified.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like those of all commands."""

    def __init__(self, *, epilog: str = EXIT_CODES, **options: Any) -> None:
        """Options cannot be abbreviated, and the epilog is printed without wrapping."""
        super().__init__(
            epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
        )

    def error(self, message: str) -> NoReturn:
        """Print an error and exit."""
        raise SystemExit(complain(f"{message} (see `{self.prog} --help`)", USAGE))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command line; ``command`` is the function that carries it out.

    Raises SystemExit for a wrong command line, after printing what is wrong with it. Without arguments it prints the
    help and exits with the code of a usage error, so that no script mistakes that for a successful run.
    """
    parser = Parser(
        prog="xent",
        description="Is this implementation of softmax cross-entropy right, and how do you know?",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}\n`xent COMMAND --help` prints the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"xent-conformance {__version__}")
    parsers = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
    for add in (
        _run,
        _watch,
        _list,
        _explain,
        _report,
        _merge,
        _diff,
        _new,
        _deviations,
        _mutants,
        _campaign,
        _coverage,
    ):
        add(parsers.add_parser)
    _vectors(parsers.add_parser)
    _bench(parsers.add_parser)
    if not arguments:
        parser.print_help()
        raise SystemExit(USAGE)
    name, known = arguments[0], parsers.choices
    if not name.startswith("-") and name not in known:
        parser.error(f"unknown command {name!r}; {instead(name, known)}")
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        asked = known.get(name, parser)
        asked.error(_unrecognized(unknown, asked))
    if "command" not in options:
        parser.error("a command is missing")
    return options


def _unrecognized(arguments: Sequence[str], parser: argparse.ArgumentParser) -> str:
    first = next((a for a in arguments if a.startswith("-")), arguments[0])
    flags = [flag for action in parser._actions for flag in action.option_strings]  # noqa: SLF001 - no public way
    near = instead(first.partition("=")[0], flags, otherwise="") if first.startswith("-") else ""
    return "; ".join(filter(None, (f"unrecognized argument {first!r}", near)))


Add = Callable[..., argparse.ArgumentParser]


def _run(add: Add) -> None:
    run = add(
        "run",
        help="judge backends and render the report",
        description="Judge backends, write the record and render the report.",
        epilog=f"{RUN_EXAMPLES}\n{EXIT_CODES}",
    )
    run.add_argument(
        "backends",
        nargs="+",
        metavar="BACKEND",
        help="a registered name (`xent list` prints them), a file ./my_backend.py[:name], or a callable"
        " torch:package.function (jax:, numpy: likewise)",
    )
    _judging(run)
    run.add_argument("--resume", action="store_true", help="finish the run whose record is in the output folder")
    run.add_argument(
        "--last-failed",
        action="store_true",
        help="judge only what failed in the run whose record is in the output folder",
    )
    run.add_argument("--fail-fast", action="store_true", help="stop at the first failure; --resume continues the run")
    _add_dask(run)
    run.set_defaults(command=commands.run)


def _judging(parser: argparse.ArgumentParser) -> None:
    """The options of the commands that judge."""
    add_options(parser.add_argument)
    parser.add_argument(
        "-n",
        dest="workers",
        type=_workers,
        default=AUTO,
        metavar="WORKERS",
        help="judging processes; auto: as many as there are processors and memory for (default: auto)",
    )
    parser.add_argument(
        "--output", type=_folder, default=Path("xent-report"), metavar="DIR", help="folder (default: ./xent-report)"
    )


def _watch(add: Add) -> None:
    what = "judge the backend of a file again whenever the file changes"
    watch = add(
        "watch", help=what, description=f"{_sentence(what)} {WATCHING}", epilog=f"{WATCH_EXAMPLES}\n{EXIT_CODES}"
    )
    watch.add_argument("file", metavar="FILE", help="a file ./my_backend.py[:name]")
    _judging(watch)
    watch.set_defaults(command=watching.watch)


def _list(add: Add) -> None:
    what = "print the requirements and the registered backends"
    listing = add("list", help=what, description=_sentence(what))
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--spec", action="store_true", help="as the specification, conformance/SPEC.md")
    listing.set_defaults(command=commands.listing)


def _explain(add: Add) -> None:
    what = "explain a requirement: its statement, why it exists, and what to do about a failure"
    explain = add("explain", help=what, description=_sentence(what))
    explain.add_argument(
        "only", nargs="+", metavar="ID", help="ids, families or patterns such as 'gradients.*'; `xent list` prints them"
    )
    explain.set_defaults(command=commands.explain)


def _report(add: Add) -> None:
    what = "render records as HTML, Markdown and a badge"
    report = add("report", help=what, description=_sentence(what))
    report.add_argument("records", nargs="+", type=Path, metavar="RECORD", help="files, or folders that hold them")
    report.add_argument(
        "--output", type=_folder, default=Path("xent-report"), metavar="DIR", help="folder (default: ./xent-report)"
    )
    report.add_argument(
        "--baseline",
        nargs="+",
        type=Path,
        metavar="RECORD",
        help="an earlier record to show changes against; several are shown as a history",
    )
    report.add_argument(
        "--kill-matrix", type=Path, metavar="FILE", help="output of `xent mutants`, to be rendered as a page of its own"
    )
    report.add_argument(
        "--speed", type=Path, metavar="FILE", help="output of `xent bench --output FILE` or of pytest-benchmark"
    )
    report.add_argument(
        "--coverage", type=Path, metavar="FILE", help="output of `xent coverage --output FILE`, to be shown as a map"
    )
    report.set_defaults(command=commands.report)


def _merge(add: Add) -> None:
    what = "merge the records of one run's shards"
    merge = add("merge", help=what, description=_sentence(what))
    merge.add_argument(
        "records", nargs="+", type=Path, metavar="RECORD", help="records with the same seed, profile and requirements"
    )
    merge.add_argument("--output", type=Path, required=True, metavar="FILE", help="the record to write")
    merge.set_defaults(command=commands.merge)


def _diff(add: Add) -> None:
    what = "print what changed since an earlier record, or several"
    diff = add("diff", help=what, description=_sentence(what), epilog=DIFF_EXIT_CODES)
    diff.add_argument(
        "old", nargs="+", type=Path, metavar="OLD", help="earlier records; NEW is compared with the latest of them"
    )
    diff.add_argument("new", type=Path, metavar="NEW", help="the later record")
    diff.set_defaults(command=commands.diff)


def _new(add: Add) -> None:
    what = "write a commented adapter to start from"
    new = add("new", help=what, description=_sentence(what))
    new.add_argument("file", type=Path, metavar="FILE", help="the file to write; an existing file is not overwritten")
    new.set_defaults(command=commands.new)


def _deviations(add: Add) -> None:
    what = "draft known deviations from the failures of a run"
    deviations = add("deviations", help=what, description=_sentence(what))
    deviations.add_argument("backend", metavar="BACKEND", help="as for `xent run`")
    deviations.add_argument(
        "--record",
        type=Path,
        default=Path("xent-report/record.jsonl"),
        metavar="FILE",
        help="the record of a run (default: ./xent-report/record.jsonl)",
    )
    deviations.add_argument(
        "--write", action="store_true", help="append to deviations/NAME.toml beside the adapter instead of printing"
    )
    deviations.set_defaults(command=commands.deviations)


def _mutants(add: Add) -> None:
    what = "measure which requirement kills which mutant, a deliberately wrong backend"
    mutants = add("mutants", help=what, description=_sentence(what))
    mutants.add_argument(
        "folder", type=Path, metavar="FOLDER", help="package with a module `catalogue` that has all_mutants()"
    )
    mutants.add_argument("--seeds", type=_positive, default=10, metavar="N", help="seeds 0 to N-1 (default: 10)")
    mutants.add_argument("--profile", default="default", metavar="PROFILE", help="as for `xent run` (default: default)")
    mutants.add_argument("--only", default="", metavar="MUTANT,MUTANT", help="only these mutants: names or patterns")
    mutants.add_argument(
        "-n", dest="workers", type=_positive, default=1, metavar="WORKERS", help="processes (default: 1)"
    )
    mutants.add_argument("--resume", action="store_true", help="continue an interrupted run of the same command")
    mutants.add_argument(
        "--output",
        type=Path,
        default=Path("kill-matrix.json"),
        metavar="FILE",
        help="the matrix to write (default: ./kill-matrix.json)",
    )
    _add_dask(mutants)
    mutants.set_defaults(command=measuring.mutants)


def _add_dask(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dask", metavar="ADDRESS", help="distribute the work over a dask cluster: the address of its scheduler"
    )


def _campaign(add: Add) -> None:
    what = "measure how close correct implementations come to the bounds"
    campaign = add("campaign", help=what, description=_sentence(what))
    campaign.add_argument(
        "folder", type=Path, metavar="FOLDER", help="package with a module `catalogue` that has all_correct()"
    )
    campaign.add_argument("backends", nargs="*", metavar="BACKEND", help="backends to judge too, as for `xent run`")
    campaign.add_argument(
        "--comparisons",
        type=_positive,
        default=1_000_000,
        metavar="N",
        help="continue until N comparisons have been made (default: 1000000)",
    )
    campaign.add_argument(
        "--output",
        type=Path,
        default=Path("campaign.json"),
        metavar="FILE",
        help="the measurements to write, as JSON (default: ./campaign.json)",
    )
    _add_dask(campaign)
    campaign.set_defaults(command=measuring.campaign)


def _coverage(add: Add) -> None:
    what = "print which combinations of sizes, options, dtypes and layouts a run tries"
    coverage = add(
        "coverage", help=what, description=f"{_sentence(what)} Nothing is judged, and the backend is not called."
    )
    coverage.add_argument("backend", metavar="BACKEND", help="the backend whose claims are used, as for `xent run`")
    coverage.add_argument(
        "--profile", default="default", metavar="PROFILE", help="as for `xent run` (default: default)"
    )
    coverage.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (default: 0)")
    coverage.add_argument("--seeds", type=_positive, default=1, metavar="N", help="number of seeds (default: 1)")
    coverage.add_argument(
        "--dtypes", default=[], action="append", metavar="D,D", help="as for `xent run` (default: all)"
    )
    coverage.add_argument("--output", type=Path, metavar="FILE", help="also write the result as JSON")
    coverage.set_defaults(command=measuring.coverage)


def _vectors(add: Add) -> None:
    what = "write problems with exact answers and bounds as files, for tests in other languages"
    vectors = add(
        "vectors", help=what, description=f"{_sentence(what)} conformance/VECTORS.md describes the file format."
    )
    vectors.add_argument(
        "--output",
        type=_folder,
        default=Path("xent-vectors"),
        metavar="DIR",
        help="an empty folder (default: ./xent-vectors)",
    )
    vectors.add_argument("--profile", default="quick", metavar="PROFILE", help="as for `xent run` (default: quick)")
    vectors.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the problems (default: 0)")
    vectors.add_argument(
        "--dtypes", default=[], action="append", metavar="D,D", help="as for `xent run` (default: all)"
    )
    for flag, metavar, what in (
        ("--claim", "CLAIM", "what problems may contain, such as no-spatial or finite-logits-only; repeatable"),
        ("--convention", "NAME=VALUE", "a choice other than PyTorch's, such as all_ignored_loss=zero; repeatable"),
        ("--precision", "NAME=VALUE", "the arithmetic that the bounds allow, such as internals=native; repeatable"),
    ):
        vectors.add_argument(flag, default=[], action="append", metavar=metavar, help=what)
    vectors.set_defaults(command=exporting.vectors)


def _bench(add: Add) -> None:
    from xent_conformance.speed import SHAPES

    what = "time backends relative to a copy of the same bytes, where their loss is correct"
    bench = add("bench", help=what, description=_sentence(what), epilog=f"{BENCH_EXAMPLES}\n{EXIT_CODES}")
    bench.add_argument("backends", nargs="+", metavar="BACKEND", help="as for `xent run`")
    bench.add_argument(
        "--dtypes", default=[], action="append", metavar="D,D", help="of the logits (default: float32,bfloat16)"
    )
    bench.add_argument(
        "--shapes", default=",".join(SHAPES), metavar="SHAPE,SHAPE", help=f"of the logits (default: {','.join(SHAPES)})"
    )
    bench.add_argument(
        "--device", default="cpu", metavar="DEVICE", help="for callables, as for `xent run` (default: cpu)"
    )
    bench.add_argument(
        "--seconds",
        type=_above_zero,
        default=1.0,
        metavar="S",
        help="seconds for which each call is repeated; one that takes 10 S is left out (default: 1.0)",
    )
    bench.add_argument(
        "--memory", type=_above_zero, metavar="GB", help="larger shapes are left out (default: half of what is free)"
    )
    bench.add_argument("--output", type=Path, metavar="FILE", help="also write the times as JSON")
    bench.set_defaults(command=measuring.bench)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _positive(text: str) -> int:
    """A positive integer."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, not {text!r}")
    return value


def _above_zero(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return value


def _workers(text: str) -> int | str:
    """A number of processes, or AUTO."""
    return AUTO if text == AUTO else _positive(text)


def _folder(text: str) -> Path:
    """A folder name. An empty string, such as that of an unset shell variable, is an error."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a folder, not ''")
    return Path(text)
