"""A run in several processes, each of which judges one group after the other.

A verdict depends only on its group, so the verdicts are the same for any number of processes. Like the workers of
backends, the processes are started with the run's own path: modules in the working directory cannot shadow others, and
a script needs no main guard. They import the suite while the run opens its backends, and then take these over: where
the process of a backend can be forked, its framework is imported only once. On a dask cluster each worker opens the
backends itself.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from queue import SimpleQueue
from time import sleep
from typing import Any, Self

from xent_conformance import interruptions
from xent_conformance.calling.execution import DebuggerQuitError
from xent_conformance.cluster import Cluster, ClusterError
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.isolation.executor import HandedOver
from xent_conformance.loading.errors import BrokenBackendError, UsageError
from xent_conformance.loading.sources import ReplacedError
from xent_conformance.memory import reclaim_less_often
from xent_conformance.records.lines import VerdictLine
from xent_conformance.request import Request
from xent_conformance.scheduling import Group, Schedule
from xent_conformance.session import Session
from xent_conformance.verdicts.first import FirstFailure

START = "import sys; sys.path[:] = eval(sys.argv[1]); from xent_conformance.distribution import serve; serve()"
#: Seconds that a process has to close its backends before it is killed.
PATIENCE = 10.0


class WorkerError(Exception):
    """A process of the run could not start its work, or ended before it was done."""


class Judges:
    """The judging processes of a run. They are started on construction and ended at the end of ``with``."""

    def __init__(self, count: int) -> None:
        """Start ``count`` processes; they import the suite, and wait."""
        self._workers = [_Worker() for _ in range(count)]

    def __len__(self) -> int:
        """Number of processes."""
        return len(self._workers)

    def __enter__(self) -> Self:
        """Started already."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all of them."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.end()

    def verdicts(self, session: Session, groups: Sequence[Group]) -> Iterator[VerdictLine]:
        """Verdicts of groups in the order of completion; raises WorkerError where a process is lost.

        Backends that are open in this process are handed over to the others.
        """
        workers, schedule = self._workers[: len(groups)], Schedule(groups)
        for worker in workers:
            worker.begin(session.request, session.hand_over())
        idle = {worker.connection: (number, worker) for number, worker in enumerate(workers)}
        while idle:
            for ready in wait(list(idle)):
                number, worker = idle[ready]  # type: ignore[index]
                if isinstance(answer := worker.answer(), str):
                    session.notice(answer)
                elif isinstance(answer, FirstFailure):
                    session.announce(answer)
                elif answer is not None:
                    yield answer
                elif (group := schedule.next(number)) is not None:
                    worker.ask(group)
                else:
                    del idle[worker.connection]


class Elsewhere:
    """The workers of a dask cluster, which judge one group after the other; each opens the backends itself."""

    def __init__(self, cluster: Cluster) -> None:
        """Uses the workers of a connected cluster."""
        self._cluster = cluster

    def verdicts(self, session: Session, groups: Sequence[Group]) -> Iterator[VerdictLine]:
        """Verdicts of groups in the order of completion; raises WorkerError for a group that several workers lost."""
        # The groups exclude what is judged already, and the workers do not have the record.
        request = replace(session.request, resume=None)
        tasks = [(request, g.subject.name, g.subject.dtype, [r.id for r in g.requirements]) for g in groups]
        try:
            for lines in self._cluster.done(_judged_there, tasks):
                yield from lines
        except ClusterError as error:
            raise WorkerError(str(error)) from error


#: Per thread of a cluster worker: the open session, for later groups of the same run.
_open = threading.local()


def _judged_there(request: Request, *group: Any) -> list[VerdictLine]:
    """A task of a cluster: the verdicts of a group."""
    if getattr(_open, "request", None) != request:
        if hasattr(_open, "session"):
            _open.session.close()
        _open.session, _open.request = Session.open(request), request
    session: Session = _open.session
    return list(session.judged(session.group(*group)))


class _Worker:
    """The run's side of one process, which ends when its connection is closed."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        path = [entry or str(Path.cwd()) for entry in sys.path]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-c", START, repr(path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C should reach only the run, which then ends all of them.
                start_new_session=True,
            )
        self.connection = Connection(ours.detach())
        self._task = "opening its backends"

    def begin(self, request: Request, handed: Sequence[HandedOver]) -> None:
        """Hand the run's open backends over to it."""
        # If it is gone, ``answer`` raises WorkerError.
        with suppress(OSError):
            self.connection.send((request, handed))
        for split in (one.split for one in handed if one.split is not None):
            with suppress(OSError):
                send_handle(self.connection, split.control, self._process.pid)
            os.close(split.control)

    def ask(self, group: Group) -> None:
        """Send it a group to judge."""
        self._task = f"judging {group.subject.name} {group.subject.dtype} {group.requirements[0].id}"
        # If it is gone, ``answer`` raises WorkerError.
        with suppress(OSError):
            self.connection.send((group.subject.name, group.subject.dtype, [r.id for r in group.requirements]))

    def answer(self) -> VerdictLine | FirstFailure | str | None:
        """The next verdict, the first failure of this process, or the name of a step that takes long.

        None: it waits for a group.
        """
        try:
            message: Any = self.connection.recv()
        except (EOFError, OSError):
            self.end()
            raise WorkerError(f"a process of the run {_end_of(self._process.returncode)} while {self._task}") from None
        if isinstance(message, WorkerError | ReplacedError):
            raise message
        answer: VerdictLine | FirstFailure | str | None = message
        return answer

    def end(self) -> None:
        """Wait for the process to end; kill it if it does not."""
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _end_of(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def serve() -> None:
    """The whole of a worker process: judge the groups that are asked for, until the connection is closed."""
    connection = Connection(int(sys.argv[2]))
    tasks: SimpleQueue[Any] = SimpleQueue()
    sys.breakpointhook = _no_debugger
    reclaim_less_often()
    # An interruption is the usual end of this process; OSError means that the run is gone.
    with suppress(KeyboardInterrupt, OSError, EOFError), interruptions.handled() as ready:
        ready()
        request, handed = connection.recv()
        handed = [_received(connection, one) for one in handed]
        threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
        try:
            with suppress(OSError), Session.take_over(request, handed) as session:
                _judge(session, connection, tasks)
        except (DebuggerQuitError, UsageError, BrokenBackendError, BackendUnavailableError) as error:
            connection.send(WorkerError(str(error)))
        except ReplacedError as error:
            connection.send(error)
    # Threads that a backend has left running must not keep the process alive.
    os._exit(0)


def _received(connection: Connection, handed: HandedOver) -> HandedOver:
    """A handed-over backend with its descriptor, which is sent after it."""
    if handed.split is None:
        return handed
    return replace(handed, split=handed.split._replace(control=recv_handle(connection)))


def _no_debugger(*_: Any, **__: Any) -> None:
    """``breakpoint()`` without a terminal is an error of the run, not an answer of the backend."""
    raise DebuggerQuitError("a debugger works with one process only, -n 1")


def _judge(session: Session, connection: Connection, tasks: SimpleQueue[Any]) -> None:
    session.notice = session.announce = connection.send
    while True:
        interruptions.check()
        connection.send(None)
        for line in session.judged(session.group(*tasks.get())):
            interruptions.check()
            connection.send(line)


def _receive(connection: Connection, tasks: SimpleQueue[Any]) -> None:
    """Receive tasks; end the process once the run closes the connection."""
    with suppress(EOFError, OSError):
        while True:
            tasks.put(connection.recv())
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(PATIENCE)
    os._exit(1)
