"""An executor whose backend runs in a worker process, which is replaced if it dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from time import monotonic
from typing import Any, TypeVar

from xent_conformance.calling.calls import CRASH, TIMEOUT, Invocation, Outcome, none_remembered
from xent_conformance.calling.turns import AT_ONCE, yield_turn
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.isolation.channel import Channel
from xent_conformance.isolation.fork_client import ForkClient, Split
from xent_conformance.isolation.process import DiedError, HungError, Limits, WorkerProcess
from xent_conformance.loading.description import Description, as_data, from_data
from xent_conformance.loading.loader import BrokenBackendError, Narrowing, NoBackendError, UsageError
from xent_conformance.loading.sources import ReplacedError, check_unchanged
from xent_conformance.problem import AnyArray

T = TypeVar("T")

#: The exceptions for a worker's reports of a backend that it could not load; for any other report it is broken.
REFUSALS: dict[str, type[Exception]] = {
    "usage": UsageError,
    "empty": NoBackendError,
    "unavailable": BackendUnavailableError,
}

#: After a call has hung, the limit of later calls is this multiple of the longest call that returned, and a smaller one
#: while a hanging call is being reduced: a backend that hangs must not hold up the run.
LIMIT_AFTER_HANG, LIMIT_WHILE_REDUCING = 100, 10
#: That limit is never below the first number of seconds divided by the number of hangs, nor below the second.
FLOOR_SHARED_BY_HANGS, FLOOR = 2.0, 0.5
#: Number of workers that may be killed by others; after that the backend itself is held responsible.
PARDONS = 3
#: Starts that may fail in a row before the backend is abandoned.
STARTS = 3


class _State(Enum):
    UNDER_WAY, ANSWERED, LOST = range(3)


@dataclass
class _Request:
    """A request that was sent. ``error``: it ended the worker; if it is lost without an error, another request did."""

    number: int
    unpack: Callable[[Channel, Any], Any]
    limit: float
    state: _State = _State.UNDER_WAY
    answer: Any = None
    error: DiedError | HungError | None = None
    waited: float = 0.0


@dataclass(frozen=True)
class HandedOver:
    """What another process of the run needs to call an open backend, as data that can be sent.

    ``split`` is a copy of the fork server, whose connection has to be sent as a descriptor; None if there is none.
    """

    description: Mapping[str, Any]
    first: tuple[Invocation, Outcome] | None = None
    canary: Invocation | None = None
    split: Split | None = None


class IsolatedExecutor:
    """Carries out invocations in a worker. A crash or hang is the outcome of a call; the next call has a new worker."""

    expendable = True

    def __init__(self, spec: str, narrowing: Narrowing, limits: Limits, handed: HandedOver | None = None) -> None:
        """Nothing is started yet; ``handed`` is a backend that another process has opened already."""
        self._spec, self._narrowing, self._limits = spec, narrowing, limits
        self._processes = ForkClient(None if handed is None else handed.split)
        self._worker: WorkerProcess | None = None
        self._description: Description | None = None if handed is None else from_data(handed.description)
        self._under_way: deque[_Request] = deque()
        self._warm: set[Any] = set()
        self._hangs = self._failed_starts = self._pardoned = 0
        self._not_started = ""
        self._hurried = False
        self._longest = 0.0
        #: A call that works on this backend, to check whether a device still works after an error. None: no device.
        self.canary: Invocation | None = None if handed is None else handed.canary
        #: The first call that was made, and its outcome.
        self.first: tuple[Invocation, Outcome] | None = None if handed is None else handed.first
        self.recent = none_remembered()
        #: Number of workers that had to be replaced.
        self.restarts = 0

    def start(self) -> WorkerProcess:
        """Start a worker, which loads the backend at the same time as other workers load theirs."""
        self._worker = WorkerProcess(self._processes, self._spec, self._narrowing, self._limits, self._description)
        return self._worker

    def open(self) -> Description:
        """The description of the backend, from a worker that is started now unless one is running.

        Raises UsageError, BrokenBackendError or BackendUnavailableError, as the worker reports.
        """
        worker = self._worker or self.start()
        try:
            kind, content = worker.opening()
        except DiedError as error:
            self.close()
            raise BrokenBackendError(f"{self._spec} cannot be loaded: it {error}") from None
        except HungError as error:
            self.close()
            raise BrokenBackendError(f"{self._spec} cannot be loaded: importing it {error}") from None
        if kind != "description":
            self.close()
            raise REFUSALS.get(kind, BrokenBackendError)(content)
        description = from_data(content)
        if self._description is not None:
            try:
                check_unchanged(description.name, vars(self._description), vars(description))
            except ReplacedError:
                self.close()
                raise
        self._description = self._description or description
        return self._description

    def await_import(self) -> None:
        """Wait until a started worker has imported the backend; raises what ``open`` does."""
        if self._worker is not None:
            self.open()

    @property
    def obstacle(self) -> str | None:
        """Why each new worker has to import the backend instead of being forked, as the end of a sentence."""
        return self._processes.obstacle

    def perform(self, invocation: Invocation) -> Outcome:
        """One call."""
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
        return self._asked(
            "read_twice",
            lambda channel: (channel.invocation(invocation), channel.invocation(other)),
            lambda channel, reply: (channel.outcome_of(reply[0]), channel.outcome_of(reply[1])),
            lambda dead: (dead, dead),
            key=_key(invocation),
            calls=2,
        )

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        """The second of two calls with the same arrays, whose contents are replaced between them; None: immutable."""
        return self._asked(
            "rewritten",
            lambda channel: (channel.invocation(invocation), channel.invocation(other)),
            lambda channel, reply: None if reply is None else channel.outcome_of(reply),
            lambda dead: dead,
            key=_key(invocation),
            calls=2,
        )

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation several times in a thread of its own."""
        return self._asked(
            "together",
            lambda channel: ([channel.invocation(i) for i in invocations], rounds),
            lambda channel, reply: [[channel.outcome_of(o) for o in outcomes] for outcomes in reply],
            lambda dead: [[dead]] * len(invocations),
            key=_key(invocations[0]),
            calls=len(invocations) * rounds,
        )

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        """One call, and the state of the process that it, or a call before it, has left changed."""
        return self._asked(
            "disturbed",
            lambda channel: (channel.invocation(invocation),),
            lambda channel, reply: (channel.outcome_of(reply[0]), tuple(map(str, reply[1]))),
            lambda dead: (dead, ()),
            key=_key(invocation),
        )

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

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Inside the block, time limits are short, and a call that exceeds its limit once counts as hanging."""
        self._hurried = True
        try:
            yield
        finally:
            self._hurried = False

    def handed_over(self) -> HandedOver:
        """What another process needs to take over. The worker is ended; the fork server stays."""
        assert self._description is not None
        split = self._processes.split()
        if split is None:
            self.close()
        else:
            self._let_go()
        return HandedOver(as_data(self._description), self.first, self.canary, split)

    def close(self) -> None:
        """End the worker, and the server that it was forked from."""
        self._processes.close()
        self._let_go()

    def _let_go(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _asked(
        self,
        operation: str,
        pack: Callable[[Channel], tuple[Any, ...]],
        unpack: Callable[[Channel, Any], T],
        otherwise: Callable[[Outcome], T],
        *,
        key: Any,
        calls: int = 1,
        alone: bool = True,
    ) -> T:
        """The answer to a request, or an outcome in its place if the worker did not survive.

        Unless it is ``alone``, other tasks take their turn before this one waits.
        """

        def attempt(*, alone: bool) -> T:
            while True:
                limit = self._limit(key) + (calls - 1) * self._longest
                request = self._asking(lambda channel: (operation, *pack(channel)), unpack, limit)
                if not alone:
                    yield_turn()
                while request.state is _State.UNDER_WAY:
                    self._settle_first()
                if request.error is not None:
                    raise request.error
                if request.state is _State.ANSWERED:
                    self._longest = max(self._longest, request.waited / calls)
                    answer: T = request.answer
                    return answer

        try:
            try:
                answer = attempt(alone=alone)
            except (HungError, DiedError) as error:
                if not self._doubtful(error):
                    raise
                answer = attempt(alone=True)
        except (DiedError, HungError) as error:
            self._hangs += isinstance(error, HungError)
            fate = TIMEOUT if isinstance(error, HungError) else CRASH
            return otherwise(Outcome({}, malformed=str(error), fate=fate))
        self._warm.add(key)
        return answer

    def _asking(
        self, pack: Callable[[Channel], tuple[Any, ...]], unpack: Callable[[Channel, Any], Any], limit: float
    ) -> _Request:
        """Send a request, to a new worker if there is none; raises DiedError or HungError."""
        while True:
            while len(self._under_way) >= AT_ONCE:
                self._settle_first()
            try:
                request = _Request(self._running().ask(pack, limit), unpack, limit)
            except (DiedError, HungError):
                if not self._under_way:
                    self._replace()
                    raise
                # An earlier request ended the worker.
                self._settle_first()
            else:
                self._under_way.append(request)
                return request

    def _settle_first(self) -> None:
        """Wait for the answer to the earliest request under way. If it ends the worker, later ones are lost."""
        assert self._worker is not None
        request, start = self._under_way.popleft(), monotonic()
        try:
            request.answer = self._worker.answer(request.number, request.unpack, request.limit)
            request.state = _State.ANSWERED
        except (DiedError, HungError) as error:
            request.error, request.state = error, _State.LOST
            self._replace()
        request.waited = monotonic() - start

    def _doubtful(self, error: HungError | DiedError) -> bool:
        """Whether a call is repeated, alone in a new process, before it counts as a crash or hang.

        On a busy machine a call may exceed its limit without hanging, and other programs may kill a process.
        """
        if isinstance(error, HungError):
            return not self._hurried
        self._pardoned += error.killed
        return error.killed and self._pardoned <= PARDONS

    def _limit(self, key: Any) -> float:
        """The limit for a call in seconds: longer for the first of a shape, which may compile."""
        usual = self._limits.call * (1 if key in self._warm else Limits.FIRST)
        if not self._hangs:
            return usual
        multiple = LIMIT_WHILE_REDUCING if self._hurried else LIMIT_AFTER_HANG
        return min(usual, max(FLOOR, FLOOR_SHARED_BY_HANGS / self._hangs, multiple * self._longest))

    def _running(self) -> WorkerProcess:
        """The worker, a new one if the last was ended; raises DiedError if it has died or none can be started."""
        while self._under_way and self._worker is not None and self._worker.gone():
            # It has died in one of these requests, or after the last.
            self._settle_first()
        if self._worker is not None and self._worker.gone():
            death = self._worker.death()
            raise DiedError(f"{death} after its last call had returned", killed=death.killed)
        if self._worker is None:
            if self._failed_starts >= STARTS:
                raise DiedError(self._not_started)
            try:
                self.open()
            except (UsageError, BrokenBackendError, BackendUnavailableError) as error:
                self._failed_starts += 1
                self._not_started = f"ended its process, and it cannot be started again: {error}"
                raise DiedError(self._not_started) from error
            self._failed_starts = 0
        assert self._worker is not None
        return self._worker

    def _replace(self) -> None:
        """End the worker, so that the next request, and those under way, get a new one."""
        self._let_go()
        for request in self._under_way:
            request.state = _State.LOST
        self._under_way.clear()
        self._warm.clear()
        self.restarts += 1

    def _after_an_error(self, outcome: Outcome) -> Outcome:
        """The outcome of a call that raised: a crash if no call works in its process afterwards."""
        assert self.canary is not None
        if self.perform(self.canary).trouble is None:
            return outcome
        self._replace()
        return replace(
            outcome, raised=None, malformed=f"{outcome.trouble}; after it every call of the process fails", fate=CRASH
        )


def _key(invocation: Invocation) -> Any:
    """Equal for calls that a compiler would compile to the same program."""
    shapes = tuple((array.shape, array.dtype.str) for array in invocation.inputs.values() if array is not None)
    return invocation.method, shapes, tuple(sorted(invocation.options))
