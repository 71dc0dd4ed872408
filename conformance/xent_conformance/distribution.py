"""A run over several processes: each takes one group after the other.

A verdict depends on its group alone, so all is the same however many processes there are. They are started as those of
the backends are, so that neither modules of the working directory nor a script without a main guard get in the way.
They import the suite while the run opens its backends, and go on with these: a framework is imported once for all of
them where its process can be forked. On a dask cluster each worker opens the backends for itself.
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
from xent_conformance.loading.loader import BrokenBackendError, UsageError
from xent_conformance.loading.sources import ReplacedError
from xent_conformance.records.lines import VerdictLine
from xent_conformance.request import Request
from xent_conformance.scheduling import Schedule
from xent_conformance.session import Group, Session

START = "import sys; sys.path[:] = eval(sys.argv[1]); from xent_conformance.distribution import serve; serve()"
#: Seconds that a process has to let go of its backends before it is killed.
PATIENCE = 10.0


class WorkerError(Exception):
    """A process of the run has ended before its work, or could not begin it."""


class Judges:
    """Processes of a run that judge, from when they are started to the end of ``with``."""

    def __init__(self, count: int) -> None:
        """Start so many; they import the suite, and wait."""
        self._workers = [_Worker() for _ in range(count)]

    def __len__(self) -> int:
        """How many there are."""
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
        """Verdicts of groups as they come; raises WorkerError where a process is lost.

        What is open in this process is for the others from then on.
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
                elif answer is not None:
                    yield answer
                elif (group := schedule.next(number)) is not None:
                    worker.ask(group)
                else:
                    del idle[worker.connection]


class Elsewhere:
    """The workers of a dask cluster, which judge one group after the other; each opens the backends for itself."""

    def __init__(self, cluster: Cluster) -> None:
        """Of workers that are there already."""
        self._cluster = cluster

    def verdicts(self, session: Session, groups: Sequence[Group]) -> Iterator[VerdictLine]:
        """Verdicts of groups as they come; raises WorkerError for one that several workers were lost with."""
        # What is judged already is known here alone.
        request = replace(session.request, resume=None)
        tasks = [(request, g.subject.name, g.subject.dtype, [r.id for r in g.requirements]) for g in groups]
        try:
            for lines in self._cluster.done(_judged_there, tasks):
                yield from lines
        except ClusterError as error:
            raise WorkerError(str(error)) from error


#: What a thread of a worker of a cluster has open, for the groups of the same run that come after.
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
    """Our side of one process. It ends when its connection is closed."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        path = [entry or str(Path.cwd()) for entry in sys.path]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-c", START, repr(path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C is for the run, which then ends all of them.
                start_new_session=True,
            )
        self.connection = Connection(ours.detach())
        self._task = "opening its backends"

    def begin(self, request: Request, handed: Sequence[HandedOver]) -> None:
        """Have it go on with what is open here."""
        # Where it is gone, the answer is missing.
        with suppress(OSError):
            self.connection.send((request, handed))
        for split in (one.split for one in handed if one.split is not None):
            with suppress(OSError):
                send_handle(self.connection, split.control, self._process.pid)
            os.close(split.control)

    def ask(self, group: Group) -> None:
        """Have a group judged."""
        self._task = f"judging {group.subject.name} {group.subject.dtype} {group.requirements[0].id}"
        # Where it is gone, the answer is missing.
        with suppress(OSError):
            self.connection.send((group.subject.name, group.subject.dtype, [r.id for r in group.requirements]))

    def answer(self) -> VerdictLine | str | None:
        """The next verdict, or what takes long; None: it waits for a group."""
        try:
            found: Any = self.connection.recv()
        except (EOFError, OSError):
            self.end()
            raise WorkerError(f"a process of the run {_end_of(self._process.returncode)} while {self._task}") from None
        if isinstance(found, WorkerError | ReplacedError):
            raise found
        answer: VerdictLine | str | None = found
        return answer

    def end(self) -> None:
        """Wait for its end, and bring that about where it does not come."""
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
    # An interruption is how this process ends, and OSError that there is nobody to tell.
    with suppress(KeyboardInterrupt, OSError, EOFError), interruptions.heeded() as ready:
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
    # Whatever threads a backend has left behind must not keep the process.
    os._exit(0)


def _received(connection: Connection, handed: HandedOver) -> HandedOver:
    """What was handed over, with the descriptor that follows it."""
    if handed.split is None:
        return handed
    return replace(handed, split=handed.split._replace(control=recv_handle(connection)))


def _no_debugger(*_: Any, **__: Any) -> None:
    """``breakpoint()`` where no terminal is: it is an error of the run, and no answer of the backend."""
    raise DebuggerQuitError("a debugger works with one process only, -n 1")


def _judge(session: Session, connection: Connection, tasks: SimpleQueue[Any]) -> None:
    session.notice = connection.send
    while True:
        interruptions.check()
        connection.send(None)
        for line in session.judged(session.group(*tasks.get())):
            interruptions.check()
            connection.send(line)


def _receive(connection: Connection, tasks: SimpleQueue[Any]) -> None:
    """Take tasks; end the process once the run is gone, or does not want any more."""
    with suppress(EOFError, OSError):
        while True:
            tasks.put(connection.recv())
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(PATIENCE)
    os._exit(1)
