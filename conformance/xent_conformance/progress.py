"""Progress of a long command: one updated line on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Self, TextIO

#: Seconds between two lines in a file or a pipe, and between two updates of the line on a terminal.
LINES, REPAINTED = 10.0, 1.0
#: Share of the work that must be done before the remaining time is estimated.
ENOUGH = 0.02
#: Columns of the line on a terminal.
COLUMNS = 78


class Progress:
    """Prints the progress of a command inside a ``with`` block; nothing if ``shown`` is false.

    A thread prints it, so that it continues during a step that takes long.
    """

    def __init__(self, stream: TextIO, *, shown: bool = True, clock: Callable[[], float] = monotonic) -> None:
        """``clock`` gives seconds."""
        self.stream = stream
        self._shown, self._live = shown, shown and stream.isatty()
        self._clock, self._start = clock, clock()
        self._done = self._total = 0
        self._doing = ""
        self._ended, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self.repeat, args=(self._ended.wait,), daemon=True)

    def __enter__(self) -> Self:
        """Start printing."""
        if self._shown:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop printing and clear the line."""
        if self._shown:
            self._ended.set()
            self._thread.join()
            self._clear()

    def update(self, doing: str, done: int = 0, total: int = 0) -> None:
        """Set the current step and the number of steps done; a total of 0 means that it is unknown."""
        self._doing = doing
        self.count(done, total)

    def count(self, done: int, total: int) -> None:
        """Set the number of steps done, while the current step goes on."""
        self._done, self._total = done, total
        if self._live:
            self._paint()

    def print(self, text: str) -> None:
        """Print text above the line of progress."""
        with self._lock:
            self._clear()
            say(self.stream, text)

    def repeat(self, waited: Callable[[float], bool]) -> None:
        """Print the state at intervals until ``waited``, which is called with the seconds to wait, returns true."""
        while not waited(REPAINTED if self._live else LINES):
            self._paint()

    def _paint(self) -> None:
        with self._lock:
            say(self.stream, f"\r\x1b[K{self._state()[:COLUMNS]}" if self._live else self._state(), self._live)

    def _state(self) -> str:
        elapsed, share = self._clock() - self._start, self._done / self._total if self._total else 0.0
        steps = f"[{self._done}/{self._total}] " if self._total else ""
        left = f", about {_clock_time(elapsed / share - elapsed)} left" if share >= ENOUGH else ""
        return f"{steps}{_clock_time(elapsed)}{left}  {self._doing}"

    def _clear(self) -> None:
        if self._live:
            say(self.stream, "\r\x1b[K", stays=True)


def say(stream: TextIO, text: str, stays: bool = False) -> None:  # noqa: FBT001, FBT002 - of the line
    """Print, and end the line unless the cursor ``stays`` in it.

    A closed stream neither stops a run nor changes its exit code.
    """
    try:
        print(text, end="" if stays else "\n", file=stream, flush=True)
    except OSError:
        # What is left in the stream's buffer must not fail again when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _clock_time(seconds: float) -> str:
    """Seconds as ``0:01:10``."""
    return str(timedelta(seconds=round(seconds)))
