"""One worker process: starting it, exchanging messages with it, and determining how it died."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar, TypeVar

from xent_conformance.calling.calls import CRASH, TIMEOUT
from xent_conformance.calling.turns import AT_ONCE
from xent_conformance.isolation import CALL_SECONDS
from xent_conformance.isolation.channel import Arena, Channel, GarbledError
from xent_conformance.isolation.fork_client import PATIENCE, ForkClient
from xent_conformance.isolation.worker import ATTEMPT
from xent_conformance.loading.description import Description
from xent_conformance.loading.imported import Narrowing

T = TypeVar("T")

#: Seconds between two checks.
MOMENT = 0.002
#: Most characters of a dead process's last line on stderr.
LAST_WORDS = 300


@dataclass(frozen=True)
class Limits:
    """Limits in seconds for a call and for loading, and in bytes for memory (None: no limit).

    The limit for the first call of a shape, which may compile, is ``FIRST`` times as long.
    """

    call: float = CALL_SECONDS
    load: float = 300.0
    memory: int | None = None

    FIRST = 4
    #: The limit for loading as a multiple of that for a call, and its minimum: frameworks import many files.
    LOADING, LEAST_LOADING = 15, 60.0

    @classmethod
    def granted(cls, call: float) -> Limits:
        """All limits for a given one for calls, on this machine."""
        return cls(call, max(cls.LOADING * call, cls.LEAST_LOADING), granted_memory())


#: Signals that other programs send, when memory runs out or the machine shuts down. Others are the process's own fault.
FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class EndedError(Exception):
    """A request has ended the worker."""

    #: How, as the fate of a call.
    fate: ClassVar[str]
    #: Whether it was the worker's first after opening the backend.
    first = False


class DiedError(EndedError):
    """The worker is gone; the message says how it died. ``killed``: by a signal that other programs send."""

    fate = CRASH

    def __init__(self, message: str, *, killed: bool = False) -> None:
        """``killed``: the process may not have caused its own end."""
        super().__init__(message)
        self.killed = killed


class HungError(EndedError):
    """The worker has not answered within its limit; it has been ended."""

    fate = TIMEOUT


def granted_memory() -> int:
    """Bytes that a worker may allocate: three quarters of the memory of this machine or of its control group."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):
        pages = min(pages, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return pages * 3 // 4


class WorkerProcess:
    """A running worker. It answers requests in order; at most AT_ONCE of them may be under way."""

    def __init__(
        self,
        process: ForkClient,
        spec: str,
        narrowing: Narrowing,
        limits: Limits,
        known: Description | None = None,
        attempts_left_out: Collection[int] = (),
    ) -> None:
        """Start it and request that it loads the backend; a ``known`` one takes less work.

        Trial calls with the numbers ``attempts_left_out`` are not made.
        """
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
        self._stderr = b""
        self._stopped, self._stop = os.pipe()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._limits = limits
        self._asked = self._answered = 0
        setup = {
            "spec": spec,
            "narrowing": asdict(narrowing),
            "memory": limits.memory,
            "tried": narrowing.tried if known is None else known.tried,
            "sources": None if known is None else tuple(known.sources),
            "attempts_left_out": tuple(attempts_left_out),
        }
        # If it is gone already, ``report`` raises the error.
        with contextlib.suppress(EndedError):
            self.ask(lambda _: ("open", setup), limits.load)

    def report(self, limit: float) -> tuple[str, Any]:
        """The worker's next report while it loads the backend: the number of a trial call, or the result.

        Raises DiedError or HungError.
        """
        report: tuple[str, Any] = self.answer(self._asked, _unchanged, limit)
        if report[0] != ATTEMPT:
            self._process.learn(PATIENCE)
        return report

    def ask(self, pack: Callable[[Channel], tuple[Any, ...]], limit: float) -> int:
        """Send a request; returns its number. Raises DiedError or HungError, after which the worker is gone."""
        if self._answered == self._asked:
            # What earlier calls printed, such as warnings of an import, is not what this one dies of.
            self._stderr = b""
        self._asked += 1
        self._channel.start(self._asked)
        packed = pack(self._channel)
        try:
            self._channel.send((self._asked, packed), limit)
        except BaseException as error:
            self._end_after(error, limit)
            raise
        return self._asked

    def answer(self, number: int, unpack: Callable[[Channel, Any], T], limit: float) -> T:
        """The answer to the earliest unanswered request; raises DiedError or HungError, as ``ask`` does."""
        try:
            return self._answer(number, unpack, limit)
        except BaseException as error:
            self._end_after(error, limit)
            raise

    def _answer(self, number: int, unpack: Callable[[Channel, Any], T], limit: float) -> T:
        match self._channel.receive(limit, self.gone):
            # A process that has forked may answer twice: the number identifies the request.
            case (int(answered), reply) if answered == number:
                self._channel.select(number)
                self._answered = number
            case _:
                raise GarbledError
        try:
            return unpack(self._channel, reply)
        except (EOFError, ValueError, TypeError, KeyError, IndexError) as error:
            raise GarbledError from error

    def _end_after(self, error: BaseException, limit: float) -> None:
        """End the worker after an error of the channel, and raise an error of the worker instead, if it was at fault.

        A function and no context manager, which would cost more than a message.
        """
        if isinstance(error, TimeoutError):
            self.end()
            raise HungError(f"did not return within {_rounded(limit)} s") from None
        if isinstance(error, GarbledError):
            self.end()
            raise DiedError("sent data that is not an answer") from None
        if isinstance(error, EOFError | OSError):
            raise self.death() from None
        # Interrupted in between: its next answer would be taken for that to another request.
        self.end()

    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._process.gone()

    def death(self) -> DiedError:
        """How the process died, and the last line that it printed."""
        deadline = monotonic() + PATIENCE
        while not (gone := self.gone()) and monotonic() < deadline:
            sleep(MOMENT)
        self.end()
        code = self._process.code
        if not gone:
            cause = "closed its connection"
        elif code is None:
            cause = "ended together with the process from which it was forked"
        elif code < 0:
            cause = f"died of {_signal(-code)}"
        else:
            cause = f"ended its process with exit code {code}"
        words = self._last_words()
        return DiedError(
            f"{cause} ({words})" if words else cause, killed=gone and (code is None or -code in FROM_OUTSIDE)
        )

    def _listen(self) -> None:
        """Read its standard error, so that it never blocks on writing, and store the end of it.

        A process that it has started may hold the other end open forever, so this does not wait for the end of file.
        """
        ready = select.poll()
        ready.register(self._errors, select.POLLIN)
        ready.register(self._stopped, select.POLLIN)
        while self._stopped not in (events := dict(ready.poll())) and self._errors in events:
            part = os.read(self._errors, 1 << 16)
            if not part:
                return
            self._stderr = (self._stderr + part)[-4 * LAST_WORDS :]

    def _last_words(self) -> str:
        self._listener.join(1.0)
        lines = self._stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:LAST_WORDS] if lines else ""

    def end(self) -> None:
        """End the process and those that it has started, as far as they can be identified."""
        self._process.end()

    def close(self) -> None:
        """End the process and close everything shared with it."""
        self.end()
        self._channel.close()
        os.close(self._stop)
        self._listener.join()
        os.close(self._stopped)
        os.close(self._errors)


def _unchanged(_: Channel, reply: Any) -> Any:
    return reply


def _rounded(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"  # noqa: PLR2004


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
