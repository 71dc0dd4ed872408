"""A run over several processes: each opens the session's backends for itself, and takes one group after the other.

A verdict depends on its group alone, so all is the same however many processes there are. They are started as those of
the backends are, so that neither modules of the working directory nor a script without a main guard get in the way.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from time import sleep
from typing import Any

from xent_conformance import interruptions
from xent_conformance.calling.execution import DebuggerQuitError
from xent_conformance.loading.description import as_data
from xent_conformance.loading.sources import ReplacedError, check_unchanged
from xent_conformance.records.lines import VerdictLine
from xent_conformance.request import Request
from xent_conformance.session import Group, Session

START = "import sys; sys.path[:] = eval(sys.argv[1]); from xent_conformance.distribution import serve; serve()"
#: Seconds that a process has to let go of its backends before it is killed.
PATIENCE = 10.0


class WorkerError(Exception):
    """A process of the run has ended before its work, or could not begin it."""


def distributed(session: Session, groups: Sequence[Group], workers: int) -> Iterator[VerdictLine]:
    """Verdicts of groups as they come from so many processes; raises WorkerError where one is lost."""
    left_out = {*session.unavailable, *session.broken}
    # What each of them opens for itself is not needed here.
    session.close()
    opened = [as_data(one.description) for one in session.opened]
    todo, at_work = deque(groups), [_Worker(session.request, left_out, opened) for _ in range(workers)]
    try:
        idle = {worker.connection: worker for worker in at_work}
        while idle:
            for ready in wait(list(idle)):
                worker = idle[ready]  # type: ignore[index]
                if isinstance(answer := worker.answer(), str):
                    session.notice(answer)
                elif answer is not None:
                    yield answer
                elif todo:
                    worker.ask(todo.popleft())
                else:
                    del idle[worker.connection]
    finally:
        for worker in at_work:
            worker.connection.close()
        for worker in at_work:
            worker.end()


class _Worker:
    """Our side of one process. It ends when its connection is closed."""

    def __init__(self, request: Request, left_out: Collection[str], opened: Sequence[Mapping[str, Any]]) -> None:
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
        with suppress(OSError):
            self.connection.send((request, left_out, opened))

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
    with suppress(KeyboardInterrupt, OSError), interruptions.heeded() as ready:
        ready()
        threading.Thread(target=_receive, args=(connection, tasks), daemon=True).start()
        request, left_out, opened = tasks.get()
        with suppress(OSError), Session.open(request, left_out) as session:
            try:
                for before, now in zip(opened, session.opened, strict=False):
                    check_unchanged(now.description.name, before, vars(now.description))
                _judge(session, connection, tasks)
            except DebuggerQuitError as error:
                connection.send(WorkerError(str(error)))
            except ReplacedError as error:
                connection.send(error)
    # Whatever threads a backend has left behind must not keep the process.
    os._exit(0)


def _no_debugger(*_: Any, **__: Any) -> None:
    """``breakpoint()`` where no terminal is: it is an error of the run, and no answer of the backend."""
    raise DebuggerQuitError("a debugger works with one process only, -n 1")


def _judge(session: Session, connection: Connection, tasks: SimpleQueue[Any]) -> None:
    if session.left_out:
        connection.send(WorkerError("; ".join(session.left_out)))
        return
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
