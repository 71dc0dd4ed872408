"""The parser of the command line, with the errors it prints. ``arguments`` adds each command's options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from shutil import get_terminal_size
from textwrap import fill
from typing import Any, NoReturn

from xent_conformance import __version__
from xent_conformance.arguments import judging, measuring, reporting
from xent_conformance.arguments.kinds import JUDGED, exit_codes
from xent_conformance.output import complain
from xent_conformance.records.status import USAGE
from xent_conformance.suggestions import instead

EXAMPLES = """\
examples:
  xent run torch                          judge a registered backend; the report is in ./xent-report
  xent run numpy torch jax                several side by side
  xent new my_backend.py                  write an adapter to start from ...
  xent run ./my_backend.py                ... and judge it
  xent run torch:./my_kernels.py:loss     judge any callable with the signature of F.cross_entropy
  xent run torch --only 'gradients.*'     some of the requirements
  xent explain accuracy.loss              what a requirement says, and why
"""
#: Columns that argparse leaves free at the right when it wraps.
MARGIN = 2
#: Functions that add a command, in the order of the help.
COMMANDS = (
    judging.add_run,
    judging.add_watch,
    reporting.add_list,
    reporting.add_explain,
    reporting.add_report,
    reporting.add_merge,
    reporting.add_diff,
    reporting.add_new,
    reporting.add_deviations,
    measuring.add_mutants,
    measuring.add_campaign,
    measuring.add_coverage,
    measuring.add_vectors,
    measuring.add_bench,
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, like those of all commands."""

    def __init__(self, *, description: str, epilog: str | None = None, **options: Any) -> None:
        """Options cannot be abbreviated, and the epilog is printed without wrapping."""
        super().__init__(
            description=fill(description, get_terminal_size().columns - MARGIN),
            epilog=epilog or exit_codes(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
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
        epilog=f"{EXAMPLES}\n{JUDGED}\n`xent COMMAND --help` prints the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"xent-conformance {__version__}")
    parsers = parser.add_subparsers(metavar="COMMAND", title="commands", parser_class=Parser)
    for add in COMMANDS:
        add(parsers.add_parser)
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
