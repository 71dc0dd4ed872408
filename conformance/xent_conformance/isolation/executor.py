"""An executor whose backend lives in a worker process, and which outlives every worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, TypeVar

from xent_conformance.calling.calls import CRASH, TIMEOUT, Invocation, Outcome
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.isolation.channel import Channel
from xent_conformance.isolation.process import DiedError, HungError, Limits, WorkerProcess
from xent_conformance.loading.description import Description, from_data
from xent_conformance.loading.loader import BrokenBackendError, Narrowing, NoBackendError, UsageError
from xent_conformance.problem import AnyArray

T = TypeVar("T")

#: What is raised here for what a worker says of a backend that it could not load; all else is a broken one.
REFUSALS: dict[str, type[Exception]] = {
    "usage": UsageError,
    "empty": NoBackendError,
    "unavailable": BackendUnavailableError,
}

#: After so many calls that really hang, a call has only HASTE times the longest that ever came back, at least HASTY
#: seconds: a backend that hangs everywhere must not hold up the run for a day.
HANGS, HASTE, HASTY = 3, 100, 2.0
#: Workers that may be killed from outside; after that the backend itself is held to do it.
PARDONS = 3
#: Starts that may fail in a row before a backend is given up.
STARTS = 3


class IsolatedExecutor:
    """Carries out invocations in a worker; a call that ends or blocks it is an outcome, and the next has a new one."""

    expendable = True

    def __init__(self, spec: str, narrowing: Narrowing, limits: Limits) -> None:
        """Nothing is started yet."""
        self._spec, self._narrowing, self._limits = spec, narrowing, limits
        self._worker: WorkerProcess | None = None
        self._warm: set[Any] = set()
        self._hangs = self._failed_starts = self._pardoned = 0
        self._not_started = ""
        self._longest = 0.0
        #: A call that works on this backend: how to tell whether a device has survived an error. None: it always has.
        self.canary: Invocation | None = None
        #: Workers that had to be replaced.
        self.restarts = 0

    def open(self) -> Description:
        """Start a worker; what the backend is.

        Raises UsageError, BrokenBackendError or BackendUnavailableError, whatever the worker found.
        """
        worker = WorkerProcess(self._spec, self._narrowing, self._limits)
        try:
            kind, content = worker.opening()
        except DiedError as error:
            worker.close()
            raise BrokenBackendError(f"{self._spec} cannot be loaded: it {error}") from None
        except HungError as error:
            worker.close()
            raise BrokenBackendError(f"{self._spec} cannot be loaded: importing it {error}") from None
        if kind != "description":
            worker.close()
            raise REFUSALS.get(kind, BrokenBackendError)(content)
        self._worker = worker
        return from_data(content)

    def perform(self, invocation: Invocation) -> Outcome:
        """One call."""
        outcome = self._asked(
            "perform",
            lambda channel: (channel.invocation(invocation),),
            lambda channel, reply: channel.outcome_of(reply),
            lambda dead: dead,
            key=_key(invocation),
        )
        if outcome.raised is not None and self.canary is not None and invocation is not self.canary:
            return self._after_an_error(outcome)
        return outcome

    def kept(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""
        return self._asked(
            "kept",
            lambda channel: (channel.invocation(invocation), channel.invocation(other)),
            lambda channel, reply: (channel.outcome_of(reply[0]), channel.outcome_of(reply[1])),
            lambda dead: (dead, dead),
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
        """One call, and what of the process it, or a call before it, has left changed."""
        return self._asked(
            "disturbed",
            lambda channel: (channel.invocation(invocation),),
            lambda channel, reply: (channel.outcome_of(reply[0]), tuple(map(str, reply[1]))),
            lambda dead: (dead, ()),
            key=_key(invocation),
        )

    def keeps_strides(self, array: AnyArray) -> bool:
        """Whether the backend's own array has the strides of this one; if that kills it, a call will show how."""
        return self._asked(
            "keeps_strides",
            lambda channel: (channel.packed(array),),
            lambda _, reply: bool(reply),
            lambda _: True,
            key="strides",
        )

    def close(self) -> None:
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
    ) -> T:
        """The answer to a request, or what stands for it where the worker did not survive."""

        def attempt(limit: float) -> T:
            worker = self._running()
            worker.channel.start()
            start = monotonic()
            reply = worker.exchange((operation, *pack(worker.channel)), limit + (calls - 1) * self._longest)
            self._longest = max(self._longest, (monotonic() - start) / calls)
            try:
                return unpack(worker.channel, reply)
            except (EOFError, ValueError, TypeError, KeyError, IndexError) as error:
                raise DiedError("sent something that is no answer") from error

        try:
            try:
                found = attempt(self._limit(key))
            except (HungError, DiedError) as error:
                if not self._doubtful(error):
                    raise
                self._replace()
                found = attempt(self._limit(key))
        except (DiedError, HungError) as error:
            self._hangs += isinstance(error, HungError)
            self._replace()
            fate = TIMEOUT if isinstance(error, HungError) else CRASH
            return otherwise(Outcome({}, malformed=str(error), fate=fate))
        self._warm.add(key)
        return found

    def _doubtful(self, error: HungError | DiedError) -> bool:
        """Whether a call is made again, alone in a new process, before it is believed not to come back.

        On a busy machine a limit says little, and a process may be killed by others.
        """
        if isinstance(error, HungError):
            return True
        self._pardoned += error.killed
        return error.killed and self._pardoned <= PARDONS

    def _limit(self, key: Any) -> float:
        """Seconds that a call has: more in its first of a shape, where it may be compiled."""
        usual = self._limits.call * (1 if key in self._warm else Limits.FIRST)
        return usual if self._hangs < HANGS else min(usual, max(HASTY, HASTE * self._longest))

    def _running(self) -> WorkerProcess:
        """The worker, a new one where the last was ended; raises DiedError where it has died or none can be started."""
        if self._worker is not None and self._worker.gone():
            death = self._worker.death()
            raise DiedError(f"{death} after its last call had come back", killed=death.killed)
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
        """Let the next call have a new worker."""
        self.close()
        self._warm.clear()
        self.restarts += 1

    def _after_an_error(self, outcome: Outcome) -> Outcome:
        """The outcome of a call that raised: a crash where nothing works in that process any more."""
        assert self.canary is not None
        if self.perform(self.canary).trouble is None:
            return outcome
        self._replace()
        return replace(
            outcome, raised=None, malformed=f"{outcome.trouble}; after it every call of the process fails", fate=CRASH
        )


def _key(invocation: Invocation) -> Any:
    """What a compiler would make one program of."""
    shapes = tuple((array.shape, array.dtype.str) for array in invocation.inputs.values() if array is not None)
    return invocation.method, shapes, tuple(sorted(invocation.options))
