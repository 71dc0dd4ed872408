"""Requests to a worker process, which is replaced if it dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any, TypeVar

from xent_conformance.calling.calls import TIMEOUT, Outcome
from xent_conformance.calling.turns import AT_ONCE, yield_turn
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.isolation.channel import Channel
from xent_conformance.isolation.fork_client import ForkClient, Split
from xent_conformance.isolation.process import DiedError, EndedError, Limits, WorkerProcess
from xent_conformance.isolation.time_limits import TimeLimits
from xent_conformance.isolation.trial import TrialCalls
from xent_conformance.loading.description import Description, from_data
from xent_conformance.loading.errors import BrokenBackendError, NoBackendError, UsageError
from xent_conformance.loading.imported import Narrowing
from xent_conformance.loading.sources import ReplacedError, check_unchanged

T = TypeVar("T")

#: The exceptions for a worker's reports of a backend that it could not load; for any other report it is broken.
REFUSALS: dict[str, type[Exception]] = {
    "usage": UsageError,
    "empty": NoBackendError,
    "unavailable": BackendUnavailableError,
}

#: Number of workers that may be killed by others; after that the backend itself is held responsible.
PARDONS = 3
#: Number of a worker's first request after the one to open the backend.
FIRST = 2
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
    error: EndedError | None = None
    waited: float = 0.0


class Requests:
    """Sends requests to a worker, and starts a new worker after one that has crashed or hung.

    Two requests may be under way. If one of them ends the worker, the other is sent again to the next one.
    """

    def __init__(
        self, spec: str, narrowing: Narrowing, limits: Limits, split: Split | None, known: Description | None
    ) -> None:
        """Start nothing yet. ``split`` and ``known`` are given if another process has opened the backend already."""
        self._spec, self._narrowing, self._limits = spec, narrowing, limits
        self._processes = ForkClient(split)
        self._worker: WorkerProcess | None = None
        self._description = known
        self._under_way: deque[_Request] = deque()
        self._times = TimeLimits(limits.call)
        self._trial = TrialCalls(limits)
        self._failed_starts = self._pardoned = 0
        self._not_started = ""
        #: Whether the latest request that ended its worker was the first one there after opening the backend.
        self.ended_first = False
        #: Number of workers that had to be replaced.
        self.restarts = 0

    def start(self) -> WorkerProcess:
        """Start a worker, which loads the backend at the same time as other workers load theirs."""
        self._worker = WorkerProcess(
            *(self._processes, self._spec, self._narrowing, self._limits, self._description), self._trial.left_out
        )
        return self._worker

    def open(self) -> Description:
        """The description of the backend, from a worker that is started now unless one is running.

        Raises UsageError, BrokenBackendError or BackendUnavailableError, as the worker reports.
        """
        kind, content = self._loaded()
        if kind == "description":
            self._description = from_data(content)
            self._times.is_warned = self._trial.is_warning
        elif kind == "identity" and self._description is not None:
            try:
                check_unchanged(self._description.name, vars(self._description), content)
            except ReplacedError:
                self.close()
                raise
        else:
            self.close()
            raise REFUSALS.get(kind, BrokenBackendError)(content)
        return self._description

    def _loaded(self) -> tuple[str, Any]:
        """A worker's report after loading the backend; raises BrokenBackendError if there is none."""
        while True:
            try:
                return self._trial.result(self._worker or self.start())
            except EndedError as error:
                if not self._trial.leave_out(error):
                    self.close()
                    raise BrokenBackendError(f"{self._spec} cannot be loaded: {self._trial.complaint(error)}") from None
                self._let_go()

    def await_import(self) -> None:
        """Wait until a started worker has imported the backend; raises what ``open`` does."""
        if self._worker is not None:
            self.open()

    @property
    def obstacle(self) -> str | None:
        """Why each new worker has to import the backend instead of being forked, as the end of a sentence."""
        return self._processes.obstacle

    def hurried(self) -> AbstractContextManager[None]:
        """Inside the block, time limits are short, and a process's first call that exceeds its limit is hanging."""
        return self._times.hurried()

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
        """Carry out an operation in the worker.

        Args:
            operation: Name of the operation.
            pack: Makes the arguments that are sent.
            unpack: Makes the result from the answer.
            otherwise: Makes the result from a crash or timeout, which is the outcome if the worker does not survive.
            key: Equal for operations that a compiler would compile to the same program.
            calls: Number of calls in the operation, for its time limit.
            alone: Whether to wait at once; otherwise other tasks take their turn first.
        """

        def attempt(*, alone: bool, again: bool = False) -> T:
            return self._attempt(
                lambda channel: (operation, *pack(channel)), unpack, key, calls, alone=alone, again=again
            )

        try:
            try:
                return attempt(alone=alone)
            except EndedError as error:
                if not self._doubtful(error):
                    raise
                return attempt(alone=True, again=True)
        except EndedError as error:
            self.ended_first = error.first
            if error.fate == TIMEOUT:
                self._times.hung()
            return otherwise(Outcome({}, malformed=str(error), fate=error.fate))

    def _attempt(
        self,
        pack: Callable[[Channel], tuple[Any, ...]],
        unpack: Callable[[Channel, Any], T],
        key: Any,
        calls: int,
        *,
        alone: bool,
        again: bool,
    ) -> T:
        """The answer to a request, which is sent again if another request has ended the worker.

        Raises HungError or DiedError if this request has.
        """
        while True:
            request = self._asking(pack, unpack, self._times.limit(key, calls, again=again))
            if not alone:
                # Once only: whether another request has ended the worker by then depends on how long calls take, and
                # the order of turns must not.
                alone = True
                yield_turn()
            while request.state is _State.UNDER_WAY:
                self._settle_first()
            if request.error is not None:
                raise request.error
            if request.state is _State.ANSWERED:
                self._times.returned(key, request.waited / calls)
                answer: T = request.answer
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
            except EndedError:
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
        except EndedError as error:
            request.error, request.state = error, _State.LOST
            error.first = request.number == FIRST
            self._replace()
        request.waited = monotonic() - start

    def _doubtful(self, error: EndedError) -> bool:
        """Whether a call is repeated, alone in a new process, before it counts as a crash or hang.

        On a busy machine a call may exceed its limit without hanging, an earlier call may be the reason why it hangs,
        and other programs may kill a process.
        """
        if not isinstance(error, DiedError):
            return not (self._times.is_hurried and error.first)
        self._pardoned += error.killed
        return error.killed and self._pardoned <= PARDONS

    def _running(self) -> WorkerProcess:
        """The worker, a new one if the last was ended; raises DiedError if it has died or none can be started."""
        while self._worker is not None and self._worker.gone():
            if not self._under_way:
                death = self._worker.death()
                raise DiedError(f"{death} after its last call had returned", killed=death.killed)
            # It has died in one of these requests, or after the last.
            self._settle_first()
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
        self._times.new_process()
        self.restarts += 1
