"""Reducing a problem whose call does not come back: each one that does not either costs a process, and time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import NamedTuple

from xent_conformance.calling.calls import CRASH, TIMEOUT, Executor
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.judging.findings import Finding, Lost
from xent_conformance.problem import Problem
from xent_conformance.witnesses.reducer import Reducer

#: Workers that reducing a call which ends its process may use up, and one which never comes back.
RESTARTS = {CRASH: 10, TIMEOUT: 3}
#: Seconds that it may take: the smallest problem so far stands then.
SECONDS = 20.0


class Reduced(NamedTuple):
    """A problem and how it fails, after so many ``tries``.

    ``by_chance``: it does not every time; ``stopped``: there was no time for more.
    """

    problem: Problem
    finding: Finding
    tries: int
    by_chance: bool
    stopped: bool


def reduce_lost(
    executor: Executor,
    original: Lost,
    worst: Callable[[Problem], Finding | None],
    reducing: Callable[[Callable[[Problem], bool]], Reducer],
) -> Reduced:
    """Reduce by the reducer that ``reducing`` makes. ``worst`` is the same failure of a problem, None without one."""
    latest: Finding = original
    before, deadline, stopped = executor.restarts, monotonic() + SECONDS, False

    def still_fails(candidate: Problem) -> bool:
        nonlocal latest, stopped
        if executor.restarts - before >= RESTARTS[original.fate]:
            return False
        stopped = monotonic() >= deadline
        found = None if stopped else worst(candidate)
        latest = found or latest
        return found is not None

    reducer = reducing(still_fails)
    problem = reducer.best
    with hurried(executor):
        small = reducer.run()
        # One that is smaller shows that this one was not lost by chance.
        return Reduced(small, latest, reducer.tries, small is problem and worst(small) is None, stopped)


def hurried(executor: Executor) -> AbstractContextManager[None]:
    """Inside, calls like one that does not come back have little time."""
    return executor.hurried() if isinstance(executor, IsolatedExecutor) else nullcontext()
