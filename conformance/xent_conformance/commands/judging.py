"""The command `xent run`: judging backends, writing the record and rendering the report."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from xent_conformance import interruptions
from xent_conformance.output import RECORD, complain, output_folder, renderer
from xent_conformance.progress import Progress, say
from xent_conformance.records.status import BROKEN, OK, UNEXPECTED, exit_code

if TYPE_CHECKING:
    from xent_conformance.distribution import Elsewhere, Judges
    from xent_conformance.records.lines import VerdictLine
    from xent_conformance.request import Request
    from xent_conformance.session import Session

#: Value of -n: as many processes as the machine has processors and memory for.
AUTO = "auto"
#: Called with every verdict; returns the reason to stop the run, or None to continue.
Each: TypeAlias = "Callable[[VerdictLine], str | None]"


def run(options: argparse.Namespace, each: Each | None = None) -> int:
    """Judge backends, write the record and render the report.

    ``each`` is called with every verdict; the run stops if it returns a reason.
    """
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.remarks import remarks

    with output_folder(options.output) as folder:
        record = folder / RECORD
        if (request := _requested(options, record)) is None:
            say(sys.stdout, f"nothing to judge: {record} has no failures")
            return OK
        with _judging(options, request) as workers, _opened(request) as session:
            for line in session.left_out:
                complain(line, BROKEN)
            if not session.opened:
                return BROKEN
            if not session.done and not session.groups():
                raise UsageError("nothing to judge: no backend claims these dtypes")
            for line in remarks(session):
                say(sys.stdout, line)
            try:
                code = _judged(session, record, workers, each or (_first_failure if options.fail_fast else None))
            except _UnwrittenError as error:
                return complain(error, BROKEN)
            if not _is_begun(record):
                # Interrupted before the header was written.
                return code
            # Shown however the run ended: the record of an interrupted run has verdicts too.
            color = renderer("wants_color")(sys.stdout, os.environ)
            say(sys.stdout, "\n".join(renderer("terminal")([record], color=color)))
            say(sys.stdout, f"report: {renderer('render')([record], folder)}")
            return BROKEN if session.left_out else code


def _requested(options: argparse.Namespace, record: Path) -> Request | None:
    """The request of the options; None if it is only about what failed, and nothing has. Raises UsageError."""
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.request import Request

    request = Request.of(options, tuple(options.backends), resume=record if options.resume else None)
    if not options.last_failed:
        return request
    if options.resume:
        raise UsageError("--last-failed and --resume cannot be used together")
    failed = _failed_in(record, request)
    return replace(request, only=failed) if failed else None


def _opened(request: Request) -> Session:
    """Load and try every backend, which takes minutes where calls are compiled. Raises what ``Session.open`` does."""
    from xent_conformance.session import Session

    with Progress(sys.stderr, shown=not request.in_process) as progress:
        progress.update(f"importing and trying {', '.join(request.backends)}")
        return Session.open(request)


@contextmanager
def _judging(options: argparse.Namespace, request: Request) -> Iterator[int | Judges | Elsewhere]:
    """Start the processes that judge, so that they start while backends are opened; gives 1 for this process."""
    from xent_conformance.distribution import Elsewhere, Judges
    from xent_conformance.processors import fitting

    if options.dask is not None:
        from xent_conformance.cluster import Cluster

        with Cluster(options.dask) as cluster:
            yield Elsewhere(cluster)
        return
    count = fitting(request) if options.workers == AUTO else int(options.workers)
    if count == 1:
        yield 1
        return
    with Judges(count) as judges:
        yield judges


def _failed_in(record: Path, request: Request) -> tuple[str, ...]:
    """Ids of the request's requirements that failed in a record.

    Raises UsageError where there is no record, or where it is a record of other backends.
    """
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.records.record import read
    from xent_conformance.requirements.registry import load
    from xent_conformance.selection import selected

    if not record.is_file():
        raise UsageError(f"--last-failed needs an earlier run: there is no {record}")
    before = read(record)
    named = {backend.name for backend in before.header.backends if backend.spec in request.backends}
    if not named:
        raise UsageError(f"{record} has other backends: {', '.join(b.spec for b in before.header.backends)}")
    failed = {v.requirement for v in before.verdicts if v.backend in named and v.status in UNEXPECTED}
    return tuple(r.id for r in selected(request.only, load().values()) if r.id in failed)


def _first_failure(line: VerdictLine) -> str | None:
    """The reason to stop a --fail-fast run at a verdict, or None."""
    return "stopped at the first failure: continue with --resume" if line.status in UNEXPECTED else None


def _judged(session: Session, record: Path, workers: int | Judges | Elsewhere, each: Each | None) -> int:
    """Write the verdicts of a run to its record as they come; returns the exit code. Raises _UnwrittenError."""
    from xent_conformance.distribution import WorkerError
    from xent_conformance.loading.sources import ReplacedError

    if session.earlier is not None and session.earlier.footer is not None:
        return exit_code({verdict.status for verdict in session.earlier.verdicts})
    try:
        interruptions.check()
        # What a backend in this process prints would be lost in a progress line, and a debugger's prompt too.
        with Progress(sys.stderr, shown=not session.request.in_process) as progress:
            return _recorded(session, record, workers, progress, each)
    except ReplacedError as error:
        return complain(f"{error}: start a new run, or undo the change and finish this one with --resume", BROKEN)
    except KeyboardInterrupt as error:
        message = str(error) or "interrupted"
        return complain(f"{message}: finish the run with --resume" if _is_begun(record) else message, BROKEN)
    except WorkerError as error:
        return complain(f"{error}; finish the run with --resume", BROKEN)


def _recorded(
    session: Session, record: Path, workers: int | Judges | Elsewhere, progress: Progress, each: Each | None = None
) -> int:
    """Judge, show and record, to the end or until ``each`` returns a reason to stop; returns the exit code."""
    from xent_conformance.console import Console
    from xent_conformance.records.writer import RecordWriter
    from xent_conformance.running import run as verdicts

    start = time.perf_counter()
    console = Console(progress, sum(len(group.requirements) for group in session.groups()))
    session.notice, session.announce = console.notice, console.announce
    with _writing(record):
        writer = RecordWriter(record, session.header(), resume=session.request.resume is not None)
    failing: list[VerdictLine] = []
    with closing(verdicts(session, workers)) as lines:
        for line in lines:
            with _writing(record):
                writer.verdict(line)
            console.show(line)
            failing += [line] if line.failures else []
            interruptions.check()
            if each is not None and (reason := each(line)) is not None:
                # No footer is written, so that the run can be resumed.
                progress.print(reason)
                return exit_code(writer.counts)
    code = exit_code(writer.counts)
    for line in session.answered(failing):
        writer.amend(line)
    with _writing(record):
        writer.close(code, time.perf_counter() - start)
    return code


class _UnwrittenError(Exception):
    """The record cannot be written."""


@contextmanager
def _writing(record: Path) -> Iterator[None]:
    try:
        yield
        # Writing to a file that was removed raises no error; stat does.
        record.stat()
    except OSError as error:
        raise _UnwrittenError(f"cannot write {record}: {error.strerror or error}") from error


def _is_begun(record: Path) -> bool:
    """Whether the record has its header."""
    return record.is_file() and record.stat().st_size > 0
