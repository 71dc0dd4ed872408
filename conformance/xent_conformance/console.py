"""What a run prints while it goes: a progress line on a terminal, and a line for each problem."""

from __future__ import annotations

import os
from typing import Any, TextIO

from xent_conformance.records.record import GLYPHS, Status

#: Statuses that are named at once.
NAMED = (Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.ERROR)


class Console:
    """Shows verdicts as they come. ``live``: with a progress line, where the stream is a terminal."""

    def __init__(self, stream: TextIO, total: int, *, live: bool = True) -> None:
        """``total`` is the number of verdicts that are expected."""
        self._stream, self._total = stream, total
        self._shown = 0
        self._live = live and stream.isatty()

    def show(self, line: dict[str, Any]) -> None:
        """Count a verdict; name what is wrong."""
        self._shown += 1
        status, place = Status(line["status"]), f"{line['backend']} {line['dtype']} {line['requirement']}"
        if status in NAMED:
            glyph, word = GLYPHS[status]
            first, *rest = summary(line).splitlines() or [""]
            self.clear()
            say(self._stream, "\n".join([f"{glyph} {word} {place}: {first}", *(f"    {text}" for text in rest)]))
        if self._live:
            say(self._stream, f"\r\x1b[K{f'[{self._shown}/{self._total}] {place}'[:78]}", end="")

    def clear(self) -> None:
        """Take the progress line away."""
        if self._live:
            say(self._stream, "\r\x1b[K", end="")


def say(stream: TextIO, text: str, end: str = "\n") -> None:
    """Print. A stream that nobody reads any more neither stops a run nor changes its exit code."""
    try:
        print(text, end=end, file=stream, flush=True)
    except OSError:
        # What is left in the stream's buffer must not fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def summary(line: dict[str, Any]) -> str:
    """A verdict in a few lines: what is wrong, on which problem."""
    failure = line["failure"]
    if failure is None:
        known = [f"known deviation: {d['reason']} ({d['issue']})" for d in line["deviations"]]
        return line["reason"] or line["observed"] or "; ".join(known)
    ratio = failure["ratio"]
    over = f" ({ratio:.3g} times the bound)" if isinstance(ratio, float) and ratio < float("inf") else ""
    return f"{failure['message']}{over}\n{failure['text']}"
