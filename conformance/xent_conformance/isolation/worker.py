"""The worker of a backend: loads it, and carries out one request after the other until nobody asks any more.

Started with the run's ``sys.path`` and the numbers of open descriptors: socket, inboxes, outboxes (``process.START``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xent_conformance.calling.turns import AT_ONCE
from xent_conformance.isolation.channel import Arena, Channel

#: How this process tells the kernel that it is the one to end when memory runs out.
OOM_SCORE = Path("/proc/self/oom_score_adj")
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Serve requests on the descriptors that were inherited."""
    connection, *memories = (int(a) for a in arguments)
    inboxes, outboxes = ([Arena(m) for m in half] for half in (memories[:AT_ONCE], memories[AT_ONCE:]))
    channel = Channel(socket.socket(fileno=connection), outboxes, inboxes)
    number, (_, setup) = channel.receive()
    _submit(setup["memory"])
    said, serve = _opened(channel, setup)
    channel.send((number, said))
    while serve is not None:
        try:
            number, request = channel.receive()
        except (EOFError, OSError):
            return
        channel.start(number)
        channel.send((number, serve(request)))


def _submit(memory: int | None) -> None:
    """Die with the run, die first when memory runs out, and have no more of it than was granted, in bytes."""
    import resource

    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        OOM_SCORE.write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None and hasattr(resource, "RLIMIT_DATA"):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _opened(channel: Channel, setup: dict[str, Any]) -> tuple[tuple[str, Any], Callable[[Any], Any] | None]:
    """Load the backend: what it is, and a function that answers requests; why it cannot be loaded, and None."""
    from xent_conformance.calling.exceptions import message_of
    from xent_conformance.calling.execution import LocalExecutor
    from xent_conformance.interface import BackendUnavailableError
    from xent_conformance.loading.description import as_data
    from xent_conformance.loading.loader import BrokenBackendError, Narrowing, NoBackendError, UsageError, load

    here = os.getpid()
    sys.breakpointhook = _no_debugger
    try:
        backend, description = load(setup["spec"], Narrowing(**setup["narrowing"]))
        found: tuple[str, Any] = "description", as_data(description)
    except UsageError as error:
        return ("empty" if isinstance(error, NoBackendError) else "usage", str(error)), None
    except BackendUnavailableError as error:
        return ("unavailable", message_of(error)), None
    except BrokenBackendError as error:
        return ("broken", str(error)), None
    _leave_copies(here)
    return found, _Server(channel, LocalExecutor(backend, guest=True))


def _no_debugger(*_: Any, **__: Any) -> None:
    """``breakpoint()`` where there is no terminal: it ends the process and says so. Raised, it would be an answer."""
    os.write(2, b"breakpoint(): a debugger works with --in-process only\n")
    os._exit(3)


def _leave_copies(here: int) -> None:
    """End a process that a backend has made of this one by forking: only one may answer."""
    if os.getpid() != here:
        os._exit(0)


class _Server:
    """Answers requests: an operation of an executor by name, and its arguments."""

    def __init__(self, channel: Channel, executor: Any) -> None:
        self._channel = channel
        self._executor = executor
        self._here = os.getpid()

    def __call__(self, request: tuple[Any, ...]) -> Any:
        operation, *arguments = request
        return getattr(self, operation)(*arguments)

    def perform(self, invocation: Any) -> Any:
        return self._channel.outcome(self._done("perform", self._channel.invocation_of(invocation)))

    def kept(self, invocation: Any, other: Any) -> Any:
        early, late = self._done("kept", *map(self._channel.invocation_of, (invocation, other)))
        return self._channel.outcome(early), self._channel.outcome(late)

    def together(self, invocations: Any, rounds: int) -> Any:
        found = self._done("together", [self._channel.invocation_of(i) for i in invocations], rounds)
        return [[self._channel.outcome(outcome) for outcome in outcomes] for outcomes in found]

    def disturbed(self, invocation: Any) -> Any:
        outcome, changed = self._done("disturbed", self._channel.invocation_of(invocation))
        return self._channel.outcome(outcome), changed

    def keeps_strides(self, array: Any) -> bool:
        return bool(self._done("keeps_strides", self._channel.unpacked(array)))

    def _done(self, operation: str, *arguments: Any) -> Any:
        found = getattr(self._executor, operation)(*arguments)
        _leave_copies(self._here)
        return found


def run() -> None:
    """The whole process."""
    main(sys.argv[2:])
    # Whatever threads or exit handlers the backend has left behind must not keep the process.
    os._exit(0)
