"""The process that imports a backend, and then forks a worker from itself whenever the run requests one.

It is started with the run's ``sys.path`` and numbers of open descriptors: a connection to the run for requests, then
the descriptors of the first worker. If forking is unsafe it sends the reason, and becomes that worker: see
``obstacle``.

A request is one byte. FORK comes with the descriptors of a worker and its standard error; the answer is the worker's
pid. The answer to REAP is the exit code of that process, or ALIVE. SPLIT comes with a connection: a forked copy of this
process sends its pid and mark over it and then serves requests there; see ``fork_client.Split``.
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
#: Instead of the first worker's pid: this process is the worker; the reason follows.
ITSELF = 0
#: Instead of an exit code: the process has not ended.
ALIVE = 1 << 16
#: Most descriptors that come with a request.
MOST = 64
#: Random bytes of a mark.
MARK_BYTES = 8
_DESCRIPTORS, _THREADS = Path("/proc/self/fd"), Path("/proc/self/task")
#: Names of threads that a forked copy can do without. jemalloc, which pandas imports with pyarrow, holds its own locks
#: while the process is forked, and goes on without its background thread in the copy:
#: https://github.com/jemalloc/jemalloc/issues/2125
_SPARED = frozenset({"jemalloc_bg_thd"})


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
    # Modules that each worker would import otherwise, numpy.random for the state of the process.
    import numpy.random  # noqa: F401

    import xent_conformance.calling.execution  # noqa: F401
    from xent_conformance.interface import BackendUnavailableError
    from xent_conformance.loading.errors import BrokenBackendError, UsageError
    from xent_conformance.loading.imported import Imported, Narrowing
    from xent_conformance.loading.loader import imported

    def refuse() -> Imported:
        raise wrong

    sys.breakpointhook = worker.no_debugger
    here = os.getpid()
    try:
        backend = imported(setup["spec"], Narrowing(**setup["narrowing"]))
    except (UsageError, BackendUnavailableError, BrokenBackendError) as error:
        wrong = error
        return refuse
    finally:
        worker.leave_copies(here)
    return lambda: backend


def obstacle(before: Collection[int]) -> str | None:
    """Why this process must not be forked after importing a backend; None if it may be.

    A forked copy lacks its threads, and would wait forever for a lock that one of them holds. Child processes, open
    files and shared memory would be shared by all workers; a device in use involves all of these. ``before`` are the
    descriptors that were open before. The reason is empty if forking is not supported on this system.
    """
    return next(_obstacles(before), None) if _has_handles() else ""


def _obstacles(before: Collection[int]) -> Iterator[str]:
    own, *others = [name for name in _thread_names() if name not in _SPARED]
    if others:
        named = ", ".join(sorted({*others} - {own}))
        yield f"importing it starts {len(others)} thread{'s' * (len(others) > 1)}{named and f' ({named})'}"
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


def _thread_names() -> list[str]:
    """Names of this process's threads, the main thread's first; a thread without a name has that one."""
    others = (task / "comm" for task in _THREADS.iterdir() if task.name != str(os.getpid()))
    names = []
    for file in (Path("/proc/self/comm"), *others):
        # A thread may end in the meantime.
        with suppress(OSError):
            names.append(file.read_text("utf-8", "replace").strip())
    return names


def _has_handles() -> bool:
    """Whether the run can wait for a process that is not its child."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _descriptors() -> set[int]:
    """Numbers of the open descriptors."""
    entries = [*_DESCRIPTORS.iterdir()] if _DESCRIPTORS.is_dir() else []
    # The folder's own descriptor is closed again.
    return {int(entry.name) for entry in entries if entry.is_symlink()}


def _serve(
    control: socket.socket, first: Callable[[], None], leave: Callable[[], None], loading: worker.Loading
) -> NoReturn:
    """Fork the ``first`` worker, close its descriptors with ``leave``, and fork others until the run disconnects."""
    # A worker does not garbage-collect existing objects, which would copy their pages.
    gc.freeze()
    child = _forked(control, first)
    leave()
    with Path(os.devnull).open("wb") as nobody:
        os.dup2(nobody.fileno(), 2)
    control.sendall(ANSWER.pack(child))
    _attend(control, child, loading)


def _attend(control: socket.socket, child: int, loading: worker.Loading) -> NoReturn:
    """Serve requests until the connection is closed; ``child`` is the latest worker."""
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
    """Fork a process that calls ``work`` and ends; returns its pid."""
    here = os.getpid()
    with warnings.catch_warnings():
        # Libraries warn about forking with threads; there are none.
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
    except BaseException:  # noqa: BLE001 - the child must not continue as the server
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _copy(descriptors: list[int], loading: worker.Loading) -> None:
    """The main function of a copy of this server, which has its own mark and workers."""
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
    """The exit code of a worker, as in ``subprocess``, or ALIVE."""
    with suppress(ChildProcessError):
        number, status = os.waitpid(child, os.WNOHANG)
        if number == child:
            return os.waitstatus_to_exitcode(status)
    return ALIVE
