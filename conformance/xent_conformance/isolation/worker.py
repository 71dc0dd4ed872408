"""The worker of a backend: it makes the backend, and carries out requests until the run closes the connection."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from xent_conformance.calling.turns import AT_ONCE
from xent_conformance.isolation.channel import Arena, Channel

if TYPE_CHECKING:
    from xent_conformance.interface import Backend
    from xent_conformance.loading.imported import Imported

#: Makes this process the first that the kernel kills when memory runs out.
OOM_SCORE = Path("/proc/self/oom_score_adj")
_PR_SET_PDEATHSIG = 1
#: Report while a backend is loaded: a trial call begins; its number follows.
ATTEMPT = "attempt"
#: Returns the imported backend, or raises the error of importing it.
Loading: TypeAlias = "Callable[[], Imported]"


def channel_of(descriptors: Sequence[int]) -> Channel:
    """The channel to the run over open descriptors: socket, inboxes, outboxes."""
    connection, *memories = descriptors
    inboxes, outboxes = ([Arena(m) for m in half] for half in (memories[:AT_ONCE], memories[AT_ONCE:]))
    return Channel(socket.socket(fileno=connection), outboxes, inboxes)


def work(channel: Channel, request: tuple[int, Any], loading: Loading) -> None:
    """Answer the first request, which is to open the backend, and then all others."""
    number, (_, setup) = request
    report, serve = _opened(channel, number, setup, loading)
    channel.send((number, report))
    while serve is not None:
        try:
            number, request = channel.receive()
        except (EOFError, OSError):
            return
        channel.start(number)
        channel.send((number, serve(request)))


def submit(memory: int | None) -> None:
    """End with the run, be killed first when memory runs out, and allocate at most ``memory`` bytes."""
    import resource

    die_with_parent(os.getppid())
    with contextlib.suppress(OSError):
        OOM_SCORE.write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None and hasattr(resource, "RLIMIT_DATA"):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends, or end now if it has ended already; only on Linux."""
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _opened(
    channel: Channel, number: int, setup: dict[str, Any], loading: Loading
) -> tuple[tuple[str, Any], Callable[[Any], Any] | None]:
    """Make the backend. Returns its description and a function that answers requests, or the error and None.

    The number of each trial call is sent first, as an answer to the request with this ``number``.
    """
    from xent_conformance.attempts import watched
    from xent_conformance.calling.exceptions import message_of
    from xent_conformance.calling.execution import LocalExecutor
    from xent_conformance.interface import BackendUnavailableError
    from xent_conformance.loading.errors import BrokenBackendError, NoBackendError, UsageError

    here = os.getpid()
    report: tuple[str, Any]

    def announce(attempt: int) -> None:
        leave_copies(here)
        channel.send((number, (ATTEMPT, attempt)))

    try:
        with watched(announce, setup["attempts_left_out"]):
            backend, report = _made(loading(), setup)
    except UsageError as error:
        return ("empty" if isinstance(error, NoBackendError) else "usage", str(error)), None
    except BackendUnavailableError as error:
        return ("unavailable", message_of(error)), None
    except BrokenBackendError as error:
        return ("broken", str(error)), None
    leave_copies(here)
    return report, _Server(channel, LocalExecutor(backend, guest=True))


def _made(imported: Imported, setup: dict[str, Any]) -> tuple[Backend, tuple[str, Any]]:
    """The backend, and its description, or of one that the run knows only what shows whether it is still the same."""
    from xent_conformance.loading.description import as_data

    if mode := setup["narrowing"]["mode"]:
        imported = imported.in_mode(mode)
    if setup["sources"] is None:
        backend, description = imported.open(setup["tried"])
        return backend, ("description", as_data(description))
    backend, identity = imported.open_again(setup["tried"], setup["sources"])
    return backend, ("identity", identity)


def no_debugger(*_: Any, **__: Any) -> None:
    """``breakpoint()`` without a terminal: ends the process. An exception would count as the outcome of the call."""
    os.write(2, b"breakpoint(): a debugger works with --in-process only\n")
    os._exit(3)


def leave_copies(here: int) -> None:
    """End this process if a backend has forked it from the worker: only one of them may answer."""
    if os.getpid() != here:
        os._exit(0)


class _Server:
    """Answers requests, which are an operation of an executor by name and its arguments."""

    def __init__(self, channel: Channel, executor: Any) -> None:
        self._channel = channel
        self._executor = executor
        self._here = os.getpid()

    def __call__(self, request: tuple[Any, ...]) -> Any:
        operation, *arguments = request
        return getattr(self, operation)(*arguments)

    def perform(self, invocation: Any) -> Any:
        return self._channel.outcome(self._done("perform", self._channel.invocation_of(invocation)))

    def read_twice(self, invocation: Any, other: Any) -> Any:
        early, late = self._done("read_twice", *map(self._channel.invocation_of, (invocation, other)))
        return self._channel.outcome(early), self._channel.outcome(late)

    def rewritten(self, invocation: Any, other: Any) -> Any:
        outcome = self._done("rewritten", *map(self._channel.invocation_of, (invocation, other)))
        return None if outcome is None else self._channel.outcome(outcome)

    def together(self, invocations: Any, rounds: int) -> Any:
        threads = self._done("together", [self._channel.invocation_of(i) for i in invocations], rounds)
        return [[self._channel.outcome(outcome) for outcome in outcomes] for outcomes in threads]

    def disturbed(self, invocation: Any) -> Any:
        outcome, changed = self._done("disturbed", self._channel.invocation_of(invocation))
        return self._channel.outcome(outcome), changed

    def keeps_strides(self, array: Any) -> bool:
        return bool(self._done("keeps_strides", self._channel.unpacked(array)))

    def _done(self, operation: str, *arguments: Any) -> Any:
        result = getattr(self._executor, operation)(*arguments)
        leave_copies(self._here)
        return result
