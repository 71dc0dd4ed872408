"""What a failure needs before it: calls of the run whose traces a backend carries on into later ones.

A failure is shown by a script in a new process. Where the failing call alone does not fail in one, the latest calls
before it are made there first, and as many of them are left out as can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from xent_conformance.calling.calls import Caller, Invocation, LostError, Outcome, differing
from xent_conformance.judging.findings import Finding

#: New processes that the search for the calls that matter may use up.
PROCESSES = 24


def calls_before(
    caller: Caller, calls: Sequence[Invocation], fails: Callable[[], bool]
) -> tuple[Invocation, ...] | None:
    """The calls that must be made in a new process before ``fails`` says yes; None where all of them do not do it."""
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
        while start < len(needed) and tries < PROCESSES:
            fewer = needed[:start] + needed[start + width :]
            if fails_after(fewer):
                needed = fewer
            else:
                start += width
        width //= 2
    return needed


def made_anew(caller: Caller, calls: Sequence[Invocation]) -> None:
    """Make calls in a new process, whatever they come to."""
    caller.executor.renewed()
    for call in calls:
        with suppress(LostError):
            caller.perform(call)


def own_calls_before(caller: Caller, shown: Finding) -> tuple[Invocation, ...]:
    """Of all calls in a new process, in which a check has just failed, those that matter to the one that is wrong."""
    call, made = shown.calls[0], list(caller.executor.recent)
    keys = [other.key for other in made]
    earlier = made[: keys.index(call.key)] if call.key in keys else []
    if not earlier or len(shown.calls) > 1:
        return ()

    def outcome() -> Outcome | None:
        with suppress(LostError):
            return caller.perform(call)
        return None

    caller.executor.renewed()
    alone = outcome()

    def differs() -> bool:
        found = outcome()
        return alone is not None and found is not None and differing(alone, found) is not None

    return calls_before(caller, earlier, differs) or ()
