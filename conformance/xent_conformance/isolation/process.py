"""One worker process: starting it, exchanging messages with it, and learning what it died of."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from xent_conformance.calling.turns import AT_ONCE
from xent_conformance.isolation import CALL_SECONDS
from xent_conformance.isolation.channel import Arena, Channel, GarbledError
from xent_conformance.loading.loader import Narrowing

T = TypeVar("T")

#: Threads of the usual libraries: one each, so that two workers do not compete for two cores.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
#: How a worker begins: with our path, before a module of the working directory can pass for one of Python's own.
START = "import sys; sys.path[:] = eval(sys.argv[1]); from xent_conformance.isolation.worker import run; run()"
#: Variable that tells the processes of one worker from all others.
MARK = "XENT_WORKER"
#: Seconds that a dying process is given to be gone.
PATIENCE = 10.0
#: Seconds between two looks at whether it is.
MOMENT = 0.002
#: Longest part of what a dying process said that is kept.
LAST_WORDS = 300


@dataclass(frozen=True)
class Limits:
    """What a backend may take: seconds a call, seconds to load, and bytes of memory (None: no limit).

    The first call of a shape, which may compile, has ``FIRST`` times the seconds.
    """

    call: float = CALL_SECONDS
    load: float = 300.0
    memory: int | None = None

    FIRST = 4
    #: To load it has so many times the limit of a call, at least so many seconds: frameworks import thousands of files.
    LOADING, LEAST_LOADING = 15, 60.0

    @classmethod
    def granted(cls, call: float) -> Limits:
        """The limits that go with one for a call, on this machine."""
        return cls(call, max(cls.LOADING * call, cls.LEAST_LOADING), granted_memory())


#: Signals that a process gets from others: who is short of memory, or shuts the machine down. The rest are its own.
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class DiedError(Exception):
    """The worker is gone; the message says what it died of. ``killed``: by a signal that others send."""

    def __init__(self, message: str, *, killed: bool = False) -> None:
        """Carries whether the process may be innocent of its end."""
        super().__init__(message)
        self.killed = killed


class HungError(Exception):
    """The worker has not answered within its limit; it has been ended."""


def granted_memory() -> int:
    """Bytes that a worker may allocate: three quarters of what this machine, or the group of processes, has."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        pages = min(pages, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return pages * 3 // 4


class WorkerProcess:
    """A running worker. It answers requests in the order that they were sent in, AT_ONCE of them at most."""

    def __init__(self, spec: str, narrowing: Narrowing, limits: Limits) -> None:
        """Start it, and let it load the backend."""
        ours, theirs = socket.socketpair()
        outboxes, inboxes = ([Arena() for _ in range(AT_ONCE)] for _ in range(2))
        path = [entry or str(Path.cwd()) for entry in sys.path]
        # All that the worker starts has this in its environment, also what leaves its session.
        self._mark = f"{MARK}={secrets.token_hex(8)}"
        inherited = (theirs.fileno(), *(arena.descriptor for arena in (*outboxes, *inboxes)))
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-c", START, repr(path), *map(str, inherited)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=inherited,
                start_new_session=True,
                env={**dict.fromkeys(ONE_THREAD, "1"), **os.environ, MARK: self._mark.partition("=")[2]},
            )
        self._channel = Channel(ours, outboxes, inboxes)
        self._said = b""
        self._deaf, self._hush = os.pipe()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._limits = limits
        self._asked = 0
        setup = {"spec": spec, "narrowing": asdict(narrowing), "memory": limits.memory}
        # Where it is gone already, the answer is missing.
        with contextlib.suppress(DiedError, HungError):
            self.ask(lambda _: ("open", setup), limits.load)

    def opening(self) -> tuple[str, Any]:
        """What the worker says once it has loaded the backend, or has not; raises DiedError or HungError."""
        found: tuple[str, Any] = self.answer(self._asked, _as_it_is, self._limits.load)
        return found

    def ask(self, pack: Callable[[Channel], tuple[Any, ...]], limit: float) -> int:
        """Send a request; its number. Raises DiedError or HungError, after which the worker is gone."""
        self._asked += 1
        self._channel.start(self._asked)
        packed = pack(self._channel)
        with self._ended_by_errors(limit):
            self._channel.send((self._asked, packed), limit)
        return self._asked

    def answer(self, number: int, unpack: Callable[[Channel, Any], T], limit: float) -> T:
        """The answer to the first request that has none yet; raises DiedError or HungError, as ``ask`` does."""
        with self._ended_by_errors(limit):
            match self._channel.receive(limit, self.gone):
                # A process that has forked may answer twice: the number tells to which request.
                case (int(told), reply) if told == number:
                    self._channel.select(number)
                case _:
                    raise GarbledError
            try:
                return unpack(self._channel, reply)
            except (EOFError, ValueError, TypeError, KeyError, IndexError) as error:
                raise GarbledError from error

    @contextlib.contextmanager
    def _ended_by_errors(self, limit: float) -> Iterator[None]:
        """Errors of the channel as what they say of the worker, which does not outlive them."""
        try:
            yield
        except TimeoutError:
            self.end()
            raise HungError(f"has not come back after {limit:g} s") from None
        except GarbledError:
            self.end()
            raise DiedError("sent something that is no answer") from None
        except (EOFError, OSError):
            raise self.death() from None
        except BaseException:
            # Interrupted half-way: whatever it answers now would be taken for the answer to something else.
            self.end()
            raise

    def gone(self) -> bool:
        """Whether the process has ended. It stays a zombie, so that no other process gets its number."""
        if self._process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def death(self) -> DiedError:
        """What the process died of, and the last thing it said."""
        deadline = monotonic() + PATIENCE
        while not (gone := self.gone()) and monotonic() < deadline:
            sleep(MOMENT)
        self.end()
        code = self._process.returncode if gone else None
        if code is None:
            cause = "closed its connection"
        elif code < 0:
            cause = f"died of {_signal(-code)}"
        else:
            cause = f"ended its process with exit code {code}"
        words = self._last_words()
        return DiedError(f"{cause} ({words})" if words else cause, killed=-(code or 0) in FROM_OUTSIDE)

    def _listen(self) -> None:
        """Read all it prints as errors, so that it never waits for a reader, and keep the end.

        A process that it has left behind may hold the other end open for ever, so the end of file is not waited for.
        """
        assert self._process.stderr is not None
        descriptor = self._process.stderr.fileno()
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)
        ready.register(self._deaf, select.POLLIN)
        while self._deaf not in (found := dict(ready.poll())) and descriptor in found:
            part = os.read(descriptor, 1 << 16)
            if not part:
                return
            self._said = (self._said + part)[-4 * LAST_WORDS :]

    def _last_words(self) -> str:
        self._listener.join(1.0)
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:LAST_WORDS] if lines else ""

    def end(self) -> None:
        """End the process and those that it has started, as far as they can be found."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
            _end_marked(self._mark.encode())

    def close(self) -> None:
        """End the process and close all that was shared with it."""
        self.end()
        self._channel.close()
        assert self._process.stderr is not None
        os.close(self._hush)
        self._listener.join()
        os.close(self._deaf)
        self._process.stderr.close()


def _as_it_is(_: Channel, reply: Any) -> Any:
    return reply


def _end_marked(mark: bytes) -> None:
    """End processes that began with this in their environment; only Linux shows it."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        # Those of other users cannot be read, and others end while we look.
        with contextlib.suppress(OSError):
            if mark in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
