"""The run's side of a fork server: starting it, forking workers from it, and ending them."""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from xent_conformance.isolation import FEW_THREADS, compiler_cache
from xent_conformance.isolation.fork_server import ALIVE, ANSWER, FORK, ITSELF, MARK_BYTES, REAP, SPLIT
from xent_conformance.isolation.mark import MARK, end_marked

#: Code of a server: with the run's sys.path, so that modules in the working directory cannot shadow others.
START = "import sys; sys.path[:] = eval(sys.argv[1]); from xent_conformance.isolation.fork_server import run; run()"
#: Seconds that a killed process has to end, and a server to answer.
PATIENCE = 10.0


class Split(NamedTuple):
    """A copy of a fork server for another process of the run: the connection to it, its pid and its mark."""

    control: int
    pid: int
    mark: str


class _Copy:
    """A server that is a forked copy of another one, with the needed part of the interface of ``subprocess.Popen``."""

    #: Unknown: only its parent can wait for it.
    returncode: int | None = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.handle = os.pidfd_open(pid)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)

    def wait(self, seconds: float) -> None:
        _readable(self.handle, seconds)
        os.close(self.handle)


class ForkClient:
    """One backend's fork server and its workers, one at a time. Where it cannot fork, it is the worker itself."""

    def __init__(self, split: Split | None = None) -> None:
        """Nothing is started yet, unless a copy of another client's server is there already."""
        self._server: subprocess.Popen[bytes] | _Copy | None = None
        self._control: socket.socket | None = None
        self._mark = ""
        if split is not None:
            self._server, self._control, self._mark = _Copy(split.pid), socket.socket(fileno=split.control), split.mark
            self._control.settimeout(PATIENCE)
        #: Whether there is a worker whose pid the server has not sent yet.
        self._unknown = False
        #: A forked worker: its pid, and a descriptor that becomes readable when it has ended.
        self._forked: tuple[int, int] | None = None
        #: The exit code of the last worker, as in ``subprocess``; None if unknown.
        self.code: int | None = None
        #: Why the server cannot be forked, as the end of a sentence; empty if forking is not supported on this system.
        self.obstacle: str | None = None

    def start(self, descriptors: Sequence[int], errors: int) -> None:
        """Start a worker with these descriptors and this standard error, and first a server if there is none."""
        if self._control is not None:
            self.code, self._unknown = None, True
            with suppress(OSError):
                socket.send_fds(self._control, [FORK], [*descriptors, errors])
                return
            self.close()
        self.code, self._unknown, self.obstacle = None, True, None
        self._control, theirs = socket.socketpair()
        self._control.settimeout(PATIENCE)
        self._mark = secrets.token_hex(8)
        path = [entry or str(Path.cwd()) for entry in sys.path]
        inherited = (theirs.fileno(), *descriptors)
        with theirs:
            self._server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-c", START, repr(path), *map(str, inherited)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=inherited,
                start_new_session=True,
                env={**FEW_THREADS, **compiler_cache.variables(), **os.environ, MARK: self._mark},
            )

    def split(self) -> Split | None:
        """A copy of the server for another process; None where there is none that can be forked."""
        self.learn()
        if self._control is None or self._is_server:
            return None
        ours, theirs = socket.socketpair()
        with ours, suppress(OSError):
            ours.settimeout(PATIENCE)
            with theirs:
                socket.send_fds(self._control, [SPLIT], [theirs.fileno()])
            answer = ours.recv(ANSWER.size + 2 * MARK_BYTES, socket.MSG_WAITALL)
            if len(answer) == ANSWER.size + 2 * MARK_BYTES:
                (pid,) = ANSWER.unpack_from(answer)
                return Split(ours.detach(), pid, answer[ANSWER.size :].decode("ascii"))
        return None

    def learn(self, limit: float = 0.0) -> None:
        """Read the worker's pid, if the server sends it within ``limit`` seconds."""
        if self._control is None or not self._unknown or not _readable(self._control.fileno(), limit):
            return
        with suppress(OSError):
            answer = _answer(self._control)
            if answer == ITSELF:
                self._unknown = False
                self.obstacle = self._control.makefile("rb").read().decode("utf-8", "replace")
            elif answer is not None:
                self._forked, self._unknown = (answer, os.pidfd_open(answer)), False

    @property
    def _is_server(self) -> bool:
        """Whether the worker is the server, or not forked from it yet."""
        return self._unknown or self.obstacle is not None

    @property
    def pid(self) -> int | None:
        """The worker's pid, as far as it is known; None without a worker."""
        self.learn()
        if self._forked is not None:
            return self._forked[0]
        return None if self._server is None else self._server.pid

    def gone(self) -> bool:
        """Whether the worker has ended. It stays a zombie, so that its pid is not reused."""
        self.learn()
        if self._forked is not None:
            return _readable(self._forked[1])
        return self._server is None or not self._is_server or _ended(self._server)

    def end(self) -> None:
        """End the worker, and processes that it has started, as far as they can be found. The fork server stays."""
        self.learn()
        if self._is_server:
            self.close()
        if self._forked is None or self._server is None or self._control is None:
            return
        _, handle = self._forked
        self._kill_forked()
        _readable(handle, PATIENCE)
        with suppress(OSError):
            self._control.sendall(REAP)
            self.code = _answer(self._control)
        os.close(handle)
        self._forked = None
        end_marked(self._mark, self._server.pid)
        if self.code in (None, ALIVE):
            # A server that does not answer, or whose child does not end, cannot be used any longer.
            self.code = None
            self.close()

    def close(self) -> None:
        """End the worker and the server."""
        if self._server is None or self._control is None:
            return
        self._control.close()
        if self._forked is not None:
            self._kill_forked()
            os.close(self._forked[1])
        _kill_group(self._server.pid)
        self._server.kill()
        with suppress(subprocess.TimeoutExpired):
            self._server.wait(PATIENCE)
        end_marked(self._mark)
        if self._is_server:
            self.code = self._server.returncode
        self._server, self._control, self._forked, self._unknown = None, None, None, False

    def _kill_forked(self) -> None:
        assert self._forked is not None
        number, handle = self._forked
        if self._server is not None and not _ended(self._server):
            # Its pid cannot be reused while the server, its parent, is alive.
            _kill_group(number)
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)


def _answer(control: socket.socket) -> int | None:
    """The server's next number; None if it has ended. Raises TimeoutError if none comes."""
    data = control.recv(ANSWER.size)
    return ANSWER.unpack(data)[0] if len(data) == ANSWER.size else None


def _kill_group(number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(number, signal.SIGKILL)


def _readable(descriptor: int, limit: float = 0.0) -> bool:
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    return bool(ready.poll(1000 * limit))


def _ended(process: subprocess.Popen[bytes] | _Copy) -> bool:
    """Whether a server has ended; it is not reaped."""
    if isinstance(process, _Copy):
        return _readable(process.handle)
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
