"""One worker process: starting it, exchanging messages with it, and finding out how it died."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from xent_conformance.calling.turns import AT_ONCE
from xent_conformance.isolation import CALL_SECONDS
from xent_conformance.isolation.channel import Arena, Channel, GarbledError
from xent_conformance.isolation.fork_client import PATIENCE, ForkClient
from xent_conformance.loading.description import Description
from xent_conformance.loading.loader import Narrowing

T = TypeVar("T")

#: Seconds between two checks.
MOMENT = 0.002
#: Longest part of a dying process's last words that is kept.
LAST_WORDS = 300


@dataclass(frozen=True)
class Limits:
    """Limits: seconds for a call, seconds to load, and bytes of memory (None: no limit).

    The first call of a shape, which may compile, has ``FIRST`` times the seconds.
    """

    call: float = CALL_SECONDS
    load: float = 300.0
    memory: int | None = None

    FIRST = 4
    #: Loading may take so many times the limit of a call, at least so many seconds: frameworks import many files.
    LOADING, LEAST_LOADING = 15, 60.0

    @classmethod
    def granted(cls, call: float) -> Limits:
        """All limits that follow from one for a call, on this machine."""
        return cls(call, max(cls.LOADING * call, cls.LEAST_LOADING), granted_memory())


#: Signals sent by others, short of memory or shutting down. Any other signal is the process's own.
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class DiedError(Exception):
    """The worker is gone; the message says how it died. ``killed``: by a signal that others send."""

    def __init__(self, message: str, *, killed: bool = False) -> None:
        """``killed``: the process may not have caused its own end."""
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

    def __init__(
        self, process: ForkClient, spec: str, narrowing: Narrowing, limits: Limits, known: Description | None = None
    ) -> None:
        """Start it, and let it load the backend, with less to do for one that is ``known``."""
        ours, theirs = socket.socketpair()
        outboxes, inboxes = ([Arena() for _ in range(AT_ONCE)] for _ in range(2))
        self._errors, errors = os.pipe()
        self._process = process
        try:
            with theirs:
                descriptors = (theirs.fileno(), *(arena.descriptor for arena in (*outboxes, *inboxes)))
                process.start(descriptors, errors)
        finally:
            os.close(errors)
        self._channel = Channel(ours, outboxes, inboxes)
        self._said = b""
        self._deaf, self._hush = os.pipe()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._limits = limits
        self._asked = 0
        setup = {
            "spec": spec,
            "narrowing": asdict(narrowing),
            "memory": limits.memory,
            "scripts": known is None,
            "tried": None if known is None else known.tried,
        }
        # Where it is gone already, the answer is missing.
        with contextlib.suppress(DiedError, HungError):
            self.ask(lambda _: ("open", setup), limits.load)

    def opening(self) -> tuple[str, Any]:
        """The worker's report once it has loaded the backend, or failed to; raises DiedError or HungError."""
        found: tuple[str, Any] = self.answer(self._asked, _as_it_is, self._limits.load)
        self._process.learn(PATIENCE)
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
                case (int(answered), reply) if answered == number:
                    self._channel.select(number)
                case _:
                    raise GarbledError
            try:
                return unpack(self._channel, reply)
            except (EOFError, ValueError, TypeError, KeyError, IndexError) as error:
                raise GarbledError from error

    @contextlib.contextmanager
    def _ended_by_errors(self, limit: float) -> Iterator[None]:
        """Turn errors of the channel into errors of the worker, which is ended."""
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
        """Whether the process has ended."""
        return self._process.gone()

    def death(self) -> DiedError:
        """How the process died, and the last thing it printed."""
        deadline = monotonic() + PATIENCE
        while not (gone := self.gone()) and monotonic() < deadline:
            sleep(MOMENT)
        self.end()
        code = self._process.code
        if not gone:
            cause = "closed its connection"
        elif code is None:
            cause = "was ended with the process that it was forked from"
        elif code < 0:
            cause = f"died of {_signal(-code)}"
        else:
            cause = f"ended its process with exit code {code}"
        words = self._last_words()
        return DiedError(
            f"{cause} ({words})" if words else cause, killed=gone and (code is None or -code in FROM_OUTSIDE)
        )

    def _listen(self) -> None:
        """Read its standard error, so that it never waits for a reader, and keep the end.

        A process that it has left behind may hold the other end open forever, so the end of file is not waited for.
        """
        ready = select.poll()
        ready.register(self._errors, select.POLLIN)
        ready.register(self._deaf, select.POLLIN)
        while self._deaf not in (found := dict(ready.poll())) and self._errors in found:
            part = os.read(self._errors, 1 << 16)
            if not part:
                return
            self._said = (self._said + part)[-4 * LAST_WORDS :]

    def _last_words(self) -> str:
        self._listener.join(1.0)
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:LAST_WORDS] if lines else ""

    def end(self) -> None:
        """End the process and those that it has started, as far as they can be found."""
        self._process.end()

    def close(self) -> None:
        """End the process and close all that was shared with it."""
        self.end()
        self._channel.close()
        os.close(self._hush)
        self._listener.join()
        os.close(self._deaf)
        os.close(self._errors)


def _as_it_is(_: Channel, reply: Any) -> Any:
    return reply


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
