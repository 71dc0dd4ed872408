"""What the arguments of several commands have in common: types of values, exit codes, --dask."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from xent_conformance.commands.judging import AUTO

#: ``add_parser`` of argparse's subparsers.
Add = Callable[..., argparse.ArgumentParser]


def exit_codes(succeeded: str = "done", failed: str | None = None) -> str:
    """The exit codes of a command, for its help: what 0 and 1 mean; without ``failed`` there is no 1."""
    texts = (
        succeeded,
        failed,
        "usage error: an option, a file or a backend that does not exist",
        "the suite or an adapter broke, a framework or device is missing, or the command was interrupted",
    )
    return "\n".join(["exit codes:", *(f"  {code}  {text}" for code, text in enumerate(texts) if text)]) + "\n"


#: Those of the commands that judge.
JUDGED = exit_codes("nothing failed that is not a known deviation", "something failed")


def add_dask(command: argparse.ArgumentParser) -> None:
    """The option --dask."""
    command.add_argument(
        "--dask", metavar="ADDRESS", help="distribute the work over a dask cluster: the address of its scheduler"
    )


def add_profile(command: argparse.ArgumentParser, default: str = "default") -> None:
    """The option --profile of a command that is not `xent run`."""
    command.add_argument(
        "--profile", default=default, metavar="PROFILE", help=f"as for `xent run` (default: {default})"
    )


def add_dtypes(command: argparse.ArgumentParser, which: str = "as for `xent run` (default: all)") -> None:
    """The option --dtypes; ``which`` is its help."""
    command.add_argument("--dtypes", default=[], action="append", metavar="D,D", help=which)


def sentence(text: str) -> str:
    """The one-line help of a command as the sentence that begins its own help."""
    return f"{text[0].upper()}{text[1:]}."


def positive(text: str) -> int:
    """A positive integer."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, not {text!r}")
    return value


def above_zero(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text!r}")
    return value


def integer(text: str) -> int:
    """An integer of any sign."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an integer, not {text!r}") from None


def workers(text: str) -> int | str:
    """A number of processes, or AUTO."""
    if text == AUTO:
        return AUTO
    try:
        return positive(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected a positive integer or {AUTO!r}, not {text!r}") from None


def folder(text: str) -> Path:
    """A folder name. An empty string, such as that of an unset shell variable, is an error."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a folder, not ''")
    return Path(text)
