"""An executor whose backend runs in a worker process, which is replaced if it dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from xent_conformance.calling.calls import CRASH, History, Invocation, Outcome
from xent_conformance.isolation.channel import Channel
from xent_conformance.isolation.ended import EndedCalls
from xent_conformance.isolation.fork_client import Split
from xent_conformance.isolation.process import Limits
from xent_conformance.isolation.requests import Requests
from xent_conformance.loading.description import as_data, from_data
from xent_conformance.loading.imported import Narrowing
from xent_conformance.problem import AnyArray

T = TypeVar("T")

#: Most seconds for a call in one of the modes. No verdict depends on it, and the first call has several times as long.
CALL_IN_MODE = 10.0


@dataclass(frozen=True)
class HandedOver:
    """What another process of the run needs to call an open backend, as data that can be sent.

    ``split`` is a copy of the fork server, whose connection has to be sent as a descriptor; None if there is none.
    ``is_warned``: calls have hung while it was tried.
    """

    description: Mapping[str, Any]
    first: tuple[Invocation, Outcome] | None = None
    canary: Invocation | None = None
    split: Split | None = None
    is_warned: bool = False


class IsolatedExecutor(Requests):
    """Carries out invocations in a worker. A crash or hang is the outcome of a call; the next call has a new worker."""

    expendable = True

    def __init__(
        self,
        spec: str,
        narrowing: Narrowing,
        limits: Limits,
        handed: HandedOver | None = None,
        *,
        split: Split | None = None,
    ) -> None:
        """Nothing is started yet.

        ``handed`` is a backend that another process has opened already; ``split`` is a fork server that has imported
        one that has not been opened.
        """
        known = None if handed is None else from_data(handed.description)
        super().__init__(spec, narrowing, limits, split if handed is None else handed.split, known)
        #: A call that works on this backend, to check whether a device still works after an error. None: no device.
        self.canary: Invocation | None = None if handed is None else handed.canary
        self._times.is_warned = handed is not None and handed.is_warned
        #: The first call that was made, and its outcome.
        self.first: tuple[Invocation, Outcome] | None = None if handed is None else handed.first
        self.recent = History()
        self._ended: EndedCalls | None = None

    @contextmanager
    def sparing(self, ended: EndedCalls) -> Iterator[None]:
        """Inside the block, calls that are known to end their process are not made, and new ones become known."""
        before, self._ended = self._ended, ended
        try:
            yield
        finally:
            self._ended = before

    def perform(self, invocation: Invocation) -> Outcome:
        """One call, or its known outcome."""
        if (known := self._known(invocation)) is not None:
            return known
        outcome = self._performed(invocation)
        if self._ended is not None and outcome.fate is not None and self.ended_first:
            self._ended.add(invocation, outcome)
        return outcome

    def _known(self, *invocations: Invocation) -> Outcome | None:
        """The outcome of a call that is known to end its process, if calls are spared and one of these is."""
        known = (None if self._ended is None else self._ended.outcome(invocation) for invocation in invocations)
        return next((outcome for outcome in known if outcome is not None), None)

    def _performed(self, invocation: Invocation) -> Outcome:
        outcome = self._asked(
            "perform",
            lambda channel: (channel.invocation(invocation),),
            lambda channel, reply: channel.outcome_of(reply),
            lambda dead: dead,
            key=_key(invocation),
            # After an error of a device the next call may fail because of it.
            alone=self.canary is not None,
        )
        self.first = self.first or (invocation, outcome)
        if outcome.raised is not None and self.canary is not None and invocation is not self.canary:
            return self._after_an_error(outcome)
        return outcome

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""
        return self._with_calls(
            "read_twice",
            (invocation, other),
            lambda channel, reply: (channel.outcome_of(reply[0]), channel.outcome_of(reply[1])),
            lambda dead: (dead, dead),
        )

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        """The second of two calls with the same arrays, whose contents are replaced between them; None: immutable."""
        return self._with_calls(
            "rewritten",
            (invocation, other),
            lambda channel, reply: None if reply is None else channel.outcome_of(reply),
            lambda dead: dead,
        )

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation several times in a thread of its own."""
        return self._with_calls(
            "together",
            invocations,
            lambda channel, reply: [[channel.outcome_of(o) for o in outcomes] for outcomes in reply],
            lambda dead: [[dead]] * len(invocations),
            rounds=rounds,
        )

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        """One call, and the state of the process that it, or a call before it, has left changed."""
        return self._with_calls(
            "disturbed",
            (invocation,),
            lambda channel, reply: (channel.outcome_of(reply[0]), tuple(map(str, reply[1]))),
            lambda dead: (dead, ()),
        )

    def _with_calls(
        self,
        operation: str,
        invocations: Sequence[Invocation],
        unpack: Callable[[Channel, Any], T],
        otherwise: Callable[[Outcome], T],
        *,
        rounds: int | None = None,
    ) -> T:
        """Carry out an operation that makes these calls, unless one of them is known to end its process.

        With ``rounds`` the worker gets a list of them and this number, otherwise each as an argument.
        """
        if (known := self._known(*invocations)) is not None:
            return otherwise(known)

        def pack(channel: Channel) -> tuple[Any, ...]:
            packed = [channel.invocation(invocation) for invocation in invocations]
            return tuple(packed) if rounds is None else (packed, rounds)

        calls = len(invocations) * (rounds or 1)
        return self._asked(operation, pack, unpack, otherwise, key=_key(invocations[0]), calls=calls)

    def renewed(self) -> bool:
        """Give the next call a new worker, which does not count as a replacement."""
        self._replace()
        self.restarts -= 1
        self.recent.clear()
        return True

    def keeps_strides(self, array: AnyArray) -> bool:
        """Whether the backend's own array has the strides of this one; True if that ends the process."""
        return self._asked(
            "keeps_strides",
            lambda channel: (channel.packed(array),),
            lambda _, reply: bool(reply),
            lambda _: True,
            key="strides",
        )

    def handed_over(self) -> HandedOver:
        """What another process needs to take over. The worker is ended; the fork server stays."""
        assert self._description is not None
        split = self._processes.split()
        if split is None:
            self.close()
        else:
            self._let_go()
        return HandedOver(as_data(self._description), self.first, self.canary, split, self._times.is_warned)

    def in_mode(self, mode: str) -> IsolatedExecutor:
        """An executor for the same backend in one of its modes, in a process of its own, which is not started yet."""
        assert self._description is not None
        narrowing = replace(self._narrowing, mode=mode, tried=self._description.tried)
        limits = replace(self._limits, call=min(self._limits.call, CALL_IN_MODE), load=Limits.LEAST_LOADING)
        return IsolatedExecutor(self._spec, narrowing, limits, split=self._processes.split())

    def _after_an_error(self, outcome: Outcome) -> Outcome:
        """The outcome of a call that raised: a crash if no call works in its process afterwards."""
        assert self.canary is not None
        if self._performed(self.canary).trouble is None:
            return outcome
        self._replace()
        return replace(
            outcome, raised=None, malformed=f"{outcome.trouble}; after it every call of the process fails", fate=CRASH
        )


def _key(invocation: Invocation) -> Any:
    """Equal for calls that a compiler would compile to the same program."""
    shapes = tuple((array.shape, array.dtype.str) for array in invocation.inputs.values() if array is not None)
    return invocation.method, shapes, tuple(sorted(invocation.options))
