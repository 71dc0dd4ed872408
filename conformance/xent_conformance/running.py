"""A run is an iterator of verdicts."""

from __future__ import annotations

from collections.abc import Generator

from xent_conformance.distribution import Elsewhere, Judges
from xent_conformance.records.lines import VerdictLine
from xent_conformance.request import Request
from xent_conformance.session import Session


def run(asked: Request | Session, workers: int | Judges | Elsewhere = 1) -> Generator[VerdictLine, None, None]:
    """The verdicts of a run as lines of its record.

    Args:
        asked: What to judge. A session stays open afterwards, gives only the cells that are not done yet, and hands its
            open backends over to the other processes.
        workers: 1 for this process, a number of new processes, or processes that are running already. A session with
            objects of this process is always judged in this process.

    Raises:
        UsageError, RecordError: As :meth:`Session.open`, for a request.
        WorkerError: One of the processes has ended before its work was done.
    """
    if isinstance(asked, Session) and asked.objects:
        workers = 1
    if isinstance(workers, int) and workers > 1:
        with Judges(workers) as judges:
            yield from run(asked, judges)
    elif isinstance(asked, Request):
        with Session.open(asked) as session:
            yield from run(session, workers)
    elif not isinstance(workers, int):
        yield from workers.verdicts(asked, asked.groups())
    else:
        for group in asked.groups():
            yield from asked.judged(group)
