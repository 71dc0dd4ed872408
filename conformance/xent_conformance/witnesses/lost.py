"""Reducing a problem whose call does not return: each such call costs a process, and each hanging one also time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from xent_conformance.calling.calls import CRASH, TIMEOUT, Executor
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.problem import Problem
from xent_conformance.witnesses.reducer import Reducer
from xent_conformance.witnesses.time_left import TimeLeft

#: Most worker processes that reducing a crashing call, and a hanging one, may cost.
RESTARTS = {CRASH: 10, TIMEOUT: 3}
#: Most seconds that reducing and explaining such a call may take; after that the smallest problem so far is reported.
SECONDS = 20.0


class Reduced(NamedTuple):
    """A problem and how it fails, after so many ``tries``.

    ``by_chance``: it does not fail every time.
    """

    problem: Problem
    finding: Finding
    tries: int
    by_chance: bool


def time_for_lost() -> TimeLeft:
    """The time for reducing and explaining a call that does not return."""
    return TimeLeft(SECONDS)


def reduce_lost(
    executor: Executor,
    original: Lost,
    worst: Callable[[Problem], Finding | None],
    reducing: Callable[[Callable[[Problem], bool]], Reducer],
) -> Reduced:
    """Reduce with the reducer that ``reducing`` makes. ``worst`` gives the same failure of a problem, or None."""
    latest: Finding = original
    before = executor.restarts

    def still_fails(candidate: Problem) -> bool:
        nonlocal latest
        if executor.restarts - before >= RESTARTS[original.fate]:
            return False
        failure = worst(candidate)
        latest = failure or latest
        return failure is not None

    reducer = reducing(still_fails)
    problem = reducer.best
    with hurried(executor):
        small = reducer.run()
        # If a smaller problem was lost too, this one was not lost by chance.
        return Reduced(small, latest, reducer.tries, small is problem and worst(small) is None)


def hurried(executor: Executor) -> AbstractContextManager[None]:
    """Inside the block, calls like one that hangs have a short time limit."""
    return executor.hurried() if isinstance(executor, IsolatedExecutor) else nullcontext()
