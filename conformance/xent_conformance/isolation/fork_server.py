"""The process that imports a backend, and then forks a worker from itself whenever the run asks for one.

Started with the run's ``sys.path`` and the numbers of open descriptors: a connection to the run for what is asked here,
then those of the first worker. Where forking is unsafe it says why, and becomes that worker itself: see ``obstacle``.

The run asks with one byte. FORK comes with the descriptors of a worker and its standard error; the answer is the
number of the process. The answer to REAP is how that process has ended, or ALIVE. SPLIT comes with a connection: a copy
of this process answers what is asked over it, and says its number there first; see ``fork_client.Split``.
"""

from __future__ import annotations

import gc
import os
import secrets
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from xent_conformance.isolation import worker
from xent_conformance.isolation.mark import MARK, marked, take

FORK, REAP, SPLIT = b"f", b"r", b"s"
ANSWER = struct.Struct("<i")
#: Instead of the first worker's number: this process is the worker, for the reason that follows.
ITSELF = 0
#: Instead of an exit code.
ALIVE = 1 << 16
#: Most descriptors that come with a request.
MOST = 64
#: Bytes that a mark is made of.
MARK_BYTES = 8
_DESCRIPTORS, _THREADS = Path("/proc/self/fd"), Path("/proc/self/task")


def run() -> NoReturn:
    """The whole process."""
    number, *descriptors = map(int, sys.argv[2:])
    control, channel = socket.socket(fileno=number), worker.channel_of(descriptors)
    # Nothing that the backend starts inherits it.
    os.set_inheritable(number, False)
    request = channel.receive()
    worker.submit(request[1][1]["memory"])
    before = _descriptors()
    loading = _imported(request[1][1])
    reason = obstacle(before)
    if reason is None:
        _serve(control, partial(worker.work, channel, request, loading), channel.close, loading)
    with control, suppress(OSError):
        control.sendall(ANSWER.pack(ITSELF) + reason.encode("utf-8", "replace"))
    worker.work(channel, request, loading)
    # Whatever threads or exit handlers the backend has left behind must not keep the process.
    os._exit(0)


def _imported(setup: dict[str, Any]) -> worker.Loading:
    """Import the backend. Errors are left for the worker to report."""
    # What each worker would import otherwise, NumPy's at the first look at the state of its process.
    import numpy.random  # noqa: F401

    import xent_conformance.calling.execution  # noqa: F401
    from xent_conformance.interface import BackendUnavailableError
    from xent_conformance.loading.loader import BrokenBackendError, Imported, Narrowing, UsageError, imported

    def refuse() -> Imported:
        raise wrong

    sys.breakpointhook = worker.no_debugger
    here = os.getpid()
    try:
        found = imported(setup["spec"], Narrowing(**setup["narrowing"]))
    except (UsageError, BackendUnavailableError, BrokenBackendError) as error:
        wrong = error
        return refuse
    finally:
        worker.leave_copies(here)
    return lambda: found


def obstacle(before: Collection[int]) -> str | None:
    """Why this process must not be forked after importing a backend; None: it may be.

    The copy would lack its threads, and wait forever for a lock that one of them holds. Processes, open files and
    shared memory would be shared by all workers; a device in use involves all of these. ``before`` are the
    descriptors that were open already. The reason is empty where processes are not forked on this system.
    """
    return next(_obstacles(before), None) if _has_handles() else ""


def _obstacles(before: Collection[int]) -> Iterator[str]:
    if threads := len([*_THREADS.iterdir()]) - 1:
        yield f"importing it starts {threads} thread{'s' * (threads > 1)}"
    if processes := len([*marked(os.environ.get(MARK, ""), os.getpid())]):
        yield f"importing it starts {processes} process{'es' * (processes > 1)}"
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL:
        yield "importing it changes what SIGCHLD does"
    for number in _descriptors() - {*before}:
        yield f"importing it leaves {(_DESCRIPTORS / str(number)).readlink()} open"
    for line in Path("/proc/self/maps").read_text("utf-8", "replace").splitlines():
        _, permissions, *rest = line.split(maxsplit=5)
        if "w" in permissions and "s" in permissions:
            yield f"importing it shares memory: {rest[-1]}"


def _has_handles() -> bool:
    """Whether the run can wait for a process that is not its child."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _descriptors() -> set[int]:
    """Numbers of the open descriptors."""
    found = [*_DESCRIPTORS.iterdir()] if _DESCRIPTORS.is_dir() else []
    # The folder's own descriptor is closed again.
    return {int(entry.name) for entry in found if entry.is_symlink()}


def _serve(
    control: socket.socket, first: Callable[[], None], leave: Callable[[], None], loading: worker.Loading
) -> NoReturn:
    """Fork the ``first`` worker, ``leave`` it its descriptors, and fork others until the run closes the connection."""
    # A worker does not garbage-collect existing objects, which would copy their pages.
    gc.freeze()
    child = _forked(control, first)
    leave()
    with Path(os.devnull).open("wb") as nobody:
        os.dup2(nobody.fileno(), 2)
    control.sendall(ANSWER.pack(child))
    _attend(control, child, loading)


def _attend(control: socket.socket, child: int, loading: worker.Loading) -> NoReturn:
    """Do what is asked for until nobody asks any more; ``child`` is the latest worker."""
    while True:
        request, descriptors, *_ = socket.recv_fds(control, 1, MOST)
        if request == SPLIT:
            _forked(control, partial(_copy, descriptors, loading))
            for descriptor in descriptors:
                os.close(descriptor)
        elif request == FORK:
            child = _forked(control, partial(_begin, descriptors, loading))
            for descriptor in descriptors:
                os.close(descriptor)
            control.sendall(ANSWER.pack(child))
        elif request == REAP:
            control.sendall(ANSWER.pack(_exit_code(child)))
        else:
            os._exit(0)


def _forked(control: socket.socket, work: Callable[[], None]) -> int:
    """The number of a new process that does some work and ends."""
    here = os.getpid()
    with warnings.catch_warnings():
        # Libraries warn of forking where threads may be; there are none.
        warnings.simplefilter("ignore")
        child = os.fork()
    if child:
        return child
    code = 1
    try:
        control.close()
        os.setsid()
        worker.die_with_parent(here)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing of this process may go on as the server
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _copy(descriptors: list[int], loading: worker.Loading) -> None:
    """The whole of a copy of this server, which has a mark and workers of its own."""
    (number,) = descriptors
    os.set_inheritable(number, False)
    mark = secrets.token_hex(MARK_BYTES)
    take(mark)
    control = socket.socket(fileno=number)
    control.sendall(ANSWER.pack(os.getpid()) + mark.encode("ascii"))
    _attend(control, 0, loading)


def _begin(descriptors: list[int], loading: worker.Loading) -> None:
    *descriptors, errors = descriptors
    os.dup2(errors, 2)
    os.close(errors)
    channel = worker.channel_of(descriptors)
    worker.work(channel, channel.receive(), loading)


def _exit_code(child: int) -> int:
    """How a worker has ended, as ``subprocess`` has it, or ALIVE."""
    with suppress(ChildProcessError):
        number, status = os.waitpid(child, os.WNOHANG)
        if number == child:
            return os.waitstatus_to_exitcode(status)
    return ALIVE
