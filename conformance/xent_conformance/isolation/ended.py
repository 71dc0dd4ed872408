"""Calls that end their process every time: while causes are determined, each is made a few times only.

Many requirements make the same call on the small problem of a known cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from xent_conformance.calling.calls import CRASH, LARGEST, Invocation, Outcome
from xent_conformance.formats import name_of
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.problem import AnyArray

#: Most calls that are remembered.
MOST = 512


class EndedCalls:
    """Outcomes of calls that have ended a process as its first call.

    A call that was not the first may have ended its process because of the calls before.
    """

    def __init__(self) -> None:
        """No call has ended a process yet."""
        self._outcomes: dict[Any, Outcome] = {}

    def outcome(self, invocation: Invocation) -> Outcome | None:
        """The outcome of a call that is known to end its process; None for any other."""
        return self._outcomes.get(_content(invocation)) if self._outcomes else None

    def add(self, invocation: Invocation, outcome: Outcome) -> None:
        """Note a call that has ended a process as its first call."""
        content = _content(invocation)
        if content is not None and len(self._outcomes) < MOST:
            self._outcomes[content] = outcome


class SparingExecutor:
    """Carries out calls through another executor, except those that are known to end their process."""

    expendable = True

    def __init__(self, executor: IsolatedExecutor, ended: EndedCalls) -> None:
        """Uses the process of another executor, and adds to the calls that are known."""
        self._executor = executor
        self._ended = ended
        self.recent = executor.recent

    @property
    def restarts(self) -> int:
        """As the other."""
        return self._executor.restarts

    @restarts.setter
    def restarts(self, count: int) -> None:
        self._executor.restarts = count

    def perform(self, invocation: Invocation) -> Outcome:
        """One call, or its known outcome."""
        known = self._ended.outcome(invocation)
        if known is not None:
            return known
        outcome = self._executor.perform(invocation)
        if outcome.fate == CRASH and self._executor.died_first:
            self._ended.add(invocation, outcome)
        return outcome

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""
        return self._executor.read_twice(invocation, other)

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        """The second of two calls with the same arrays, whose contents are replaced between them; None: immutable."""
        return self._executor.rewritten(invocation, other)

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation several times in a thread of its own."""
        return self._executor.together(invocations, rounds)

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        """One call, and what of the process it leaves changed."""
        return self._executor.disturbed(invocation)

    def renewed(self) -> bool:
        """As the other."""
        return self._executor.renewed()

    def hurried(self) -> AbstractContextManager[None]:
        """As the other."""
        return self._executor.hurried()

    def keeps_strides(self, array: AnyArray) -> bool:
        """As the other."""
        return self._executor.keeps_strides(array)

    def close(self) -> None:
        """The owner of the other executor closes it."""


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
