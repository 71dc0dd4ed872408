"""The worker of a backend: loads it, and carries out one request after the other until nobody asks any more.

Started as ``python -m xent_conformance.isolation.worker SOCKET INBOX OUTBOX`` with the numbers of open descriptors.
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

from xent_conformance.isolation.channel import Arena, Channel

#: How this process tells the kernel that it is the one to end when memory runs out.
OOM_SCORE = Path("/proc/self/oom_score_adj")
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Serve requests on the descriptors that were inherited."""
    connection, inbox, outbox = (int(a) for a in arguments)
    channel = Channel(socket.socket(fileno=connection), outbox=Arena(outbox), inbox=Arena(inbox))
    _, setup = channel.receive()
    _submit(setup["memory"])
    sys.path[:] = setup["path"]
    serve = _opened(channel, setup)
    while serve is not None:
        try:
            request = channel.receive()
        except (EOFError, OSError):
            return
        channel.start()
        channel.send(serve(request))


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


def _opened(channel: Channel, setup: dict[str, Any]) -> Callable[[Any], Any] | None:
    """Load the backend and tell what it is; a function that answers requests, None where it cannot be loaded."""
    from xent_conformance.description import as_data
    from xent_conformance.execution import LocalExecutor
    from xent_conformance.interface import BackendUnavailableError
    from xent_conformance.loading import BrokenBackendError, Narrowing, UsageError, load

    channel.start()
    try:
        backend, description = load(setup["spec"], Narrowing(**setup["narrowing"]))
        channel.send(("description", as_data(description)))
    except UsageError as error:
        channel.send(("usage", str(error)))
    except BackendUnavailableError as error:
        channel.send(("unavailable", str(error)))
    except BrokenBackendError as error:
        channel.send(("broken", str(error)))
    else:
        return _Server(channel, LocalExecutor(backend, guest=True))
    return None


class _Server:
    """Answers requests: an operation of an executor by name, and its arguments."""

    def __init__(self, channel: Channel, executor: Any) -> None:
        self._channel = channel
        self._executor = executor

    def __call__(self, request: tuple[Any, ...]) -> Any:
        operation, *arguments = request
        return getattr(self, operation)(*arguments)

    def perform(self, invocation: Any) -> Any:
        return self._channel.outcome(self._executor.perform(self._channel.invocation_of(invocation)))

    def kept(self, invocation: Any, other: Any) -> Any:
        early, late = self._executor.kept(*map(self._channel.invocation_of, (invocation, other)))
        return self._channel.outcome(early), self._channel.outcome(late)

    def together(self, invocations: Any, rounds: int) -> Any:
        found = self._executor.together([self._channel.invocation_of(i) for i in invocations], rounds)
        return [[self._channel.outcome(outcome) for outcome in outcomes] for outcomes in found]

    def disturbed(self, invocation: Any) -> Any:
        return self._executor.disturbed(self._channel.invocation_of(invocation))

    def keeps_strides(self, array: Any) -> bool:
        return bool(self._executor.keeps_strides(self._channel.unpacked(array)))


if __name__ == "__main__":
    main(sys.argv[1:])
    # Whatever threads or exit handlers the backend has left behind must not keep the process.
    os._exit(0)
