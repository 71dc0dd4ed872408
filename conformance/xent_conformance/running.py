"""A run is an iterator of verdicts."""

from __future__ import annotations

from collections.abc import Generator

from xent_conformance.distribution import Elsewhere, Judges
from xent_conformance.records.lines import VerdictLine
from xent_conformance.request import Request
from xent_conformance.session import Session


def run(asked: Request | Session, workers: int | Judges | Elsewhere = 1) -> Generator[VerdictLine, None, None]:
    """The verdicts of a run as lines of its record, in this process, in so many of their own or elsewhere.

    A session stays open, and gives its cells that are not done yet; what it has opened goes over to the other
    processes. One with objects of this process is judged in this process whatever ``workers`` says. Raises what
    :meth:`Session.open` does for a request, and WorkerError where one of the processes ends before its work does.
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
