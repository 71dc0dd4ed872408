"""Calls that end their process every time: while causes are determined, each is made a few times only.

Many requirements make the same call on the small problem of a known cause. A call that hangs is remembered only where
it is expected to hang: on a busy machine another one may exceed its limit once.
"""

from __future__ import annotations

from typing import Any

from xent_conformance.calling.calls import LARGEST, Invocation, Outcome
from xent_conformance.formats import name_of
from xent_conformance.problem import AnyArray

#: Most calls that are remembered.
MOST = 512


class EndedCalls:
    """Outcomes of calls that have ended a process as its first call.

    A call that was not the first may have ended its process because of the calls before.
    """

    def __init__(self, *fates: str) -> None:
        """No call has ended a process yet. ``fates`` are the ways of ending it that are remembered."""
        self._fates = fates
        self._outcomes: dict[Any, Outcome] = {}

    def outcome(self, invocation: Invocation) -> Outcome | None:
        """The outcome of a call that is known to end its process; None for any other."""
        return self._outcomes.get(_content(invocation)) if self._outcomes else None

    def add(self, invocation: Invocation, outcome: Outcome) -> None:
        """Note a call that has ended a process as its first call."""
        content = _content(invocation) if outcome.fate in self._fates else None
        if content is not None and len(self._outcomes) < MOST:
            self._outcomes[content] = outcome


def _content(invocation: Invocation) -> Any:
    """Equal for calls with the same arguments in the same memory layouts; None for a call with large arrays."""
    arrays = invocation.arrays
    if sum(array.nbytes for array in arrays.values()) > LARGEST:
        return None
    options = {name: repr(value) for name, value in invocation.options.items() if name != "weight"}
    given = tuple((name, _bits(array)) for name, array in arrays.items())
    return invocation.method, given, tuple(sorted(options.items())), invocation.guarded, invocation.ordinary


def _bits(array: AnyArray) -> tuple[Any, ...]:
    return name_of(array.dtype), array.shape, array.strides, array.flags.writeable, array.tobytes()
