"""The earlier calls that a failure depends on, through state that the backend keeps from one call to the next.

A failure is reproduced by a script in a new process. If the failing call alone does not fail there, the latest calls
before it are made first, reduced to as few as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from xent_conformance.calling.calls import Caller, Invocation, LostError, Outcome, differing
from xent_conformance.calling.compilations import NotCompiledError
from xent_conformance.judging.findings import Finding
from xent_conformance.witnesses.time_left import TimeLeft

#: Most new processes that the search for the necessary calls may cost.
PROCESSES = 24


def calls_before(
    caller: Caller, calls: Sequence[Invocation], fails: Callable[[], bool], time: TimeLeft
) -> tuple[Invocation, ...] | None:
    """The calls that must be made in a new process so that ``fails`` is true; None if all of them do not suffice.

    When ``time`` is over, they are not reduced any further.
    """
    tries = 0

    def fails_after(some: Sequence[Invocation]) -> bool:
        nonlocal tries
        tries += 1
        made_anew(caller, some)
        return fails()

    needed = tuple(calls)
    if not fails_after(needed):
        return None
    width = len(needed)
    while width:
        start = 0
        while start < len(needed) and tries < PROCESSES and not time.is_over():
            fewer = needed[:start] + needed[start + width :]
            if fails_after(fewer):
                needed = fewer
            else:
                start += width
        width //= 2
    return needed


def made_anew(caller: Caller, calls: Sequence[Invocation]) -> None:
    """Make calls in a new process, whatever their outcome, but none that would need one compilation too many."""
    caller.executor.renewed()
    for call in calls:
        with suppress(LostError, NotCompiledError):
            caller.perform(call)


def own_calls_before(
    caller: Caller, shown: Finding, made: Sequence[Invocation], time: TimeLeft
) -> tuple[Invocation, ...]:
    """Of the calls ``made`` in a new process until a check failed, those that change the result of the wrong one."""
    call, keys = shown.calls[0], [other.key for other in made]
    earlier = made[: keys.index(call.key)] if call.key in keys else ()
    if not earlier or len(shown.calls) > 1:
        return ()

    def outcome() -> Outcome | None:
        with suppress(LostError, NotCompiledError):
            return caller.perform(call)
        return None

    caller.executor.renewed()
    alone = outcome()

    def differs() -> bool:
        now = outcome()
        return alone is not None and now is not None and differing(alone, now) is not None

    return calls_before(caller, earlier, differs, time) or ()
