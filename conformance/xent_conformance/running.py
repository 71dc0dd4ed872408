"""A run is an iterator of verdicts."""

from __future__ import annotations

from collections.abc import Generator

from xent_conformance.distribution import distributed
from xent_conformance.records.lines import VerdictLine
from xent_conformance.request import Request
from xent_conformance.session import Session


def run(asked: Request | Session, workers: int = 1) -> Generator[VerdictLine, None, None]:
    """The verdicts of a run as lines of its record, in this process or in so many of their own.

    A session stays open, and gives its cells that are not done yet. Raises what :meth:`Session.open` does for a
    request, and WorkerError where one of the processes ends before its work does.
    """
    if isinstance(asked, Request):
        with Session.open(asked) as session:
            yield from run(session, workers)
        return
    groups = asked.groups()
    if workers > 1 and len(groups) > 1:
        yield from distributed(asked, groups, min(workers, len(groups)))
        return
    for group in groups:
        yield from asked.judged(group)
