"""The entry point of the command line: errors and exit codes. ``parser`` has the commands and their options."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from xent_conformance import interruptions
from xent_conformance.isolation import FEW_THREADS
from xent_conformance.memory import reclaim_less_often
from xent_conformance.output import complain
from xent_conformance.parser import parse
from xent_conformance.records.status import BROKEN, OK, USAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    _streams()
    if (obstacle := _obstacle()) is not None:
        raise SystemExit(complain(obstacle, USAGE))
    options = parse(sys.argv[1:] if arguments is None else arguments)
    with interruptions.handled() as ready:
        try:
            return _done(options, ready)
        except KeyboardInterrupt:
            return complain("interrupted", BROKEN)


def _done(options: argparse.Namespace, ready: Callable[[], None]) -> int:
    """Carry out a command; an error is one line. ``ready`` is called once the modules of all commands are imported."""
    if not getattr(options, "in_process", True):
        # NumPy reads these when it is imported. The suite's own products are small: threads cost more than they save.
        for name, value in FEW_THREADS.items():
            os.environ.setdefault(name, value)
        reclaim_less_often()
    from xent_conformance.cluster import ClusterError
    from xent_conformance.interface import BackendUnavailableError
    from xent_conformance.loading.errors import BrokenBackendError, UsageError
    from xent_conformance.records.record import RecordError
    from xent_conformance.verdicts.deviations import DeviationError

    ready()
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (UsageError, RecordError) as error:
        return complain(error, USAGE)
    except (BackendUnavailableError, BrokenBackendError, ClusterError, DeviationError) as error:
        return complain(error, BROKEN)
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        return complain(f"{error.filename or 'output'}: {error.strerror or error}", BROKEN)
    return OK


def _obstacle() -> str | None:
    """Why no command can work in this interpreter or directory; None if they can."""
    if sys.flags.optimize > 1:
        return "python -OO strips the docstrings that hold the requirements' statements; run without it"
    try:
        Path.cwd()
    except OSError as error:
        return f"the working directory: {error.strerror}"
    return None


def _streams() -> None:
    """Open closed standard streams on the null device; replace characters that a terminal cannot encode."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            # Before another file gets this descriptor, and with it whatever is printed.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as we live
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
