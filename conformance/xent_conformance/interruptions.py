"""SIGTERM ends a command as Ctrl-C does, together with all processes that it has started.

Python drops an exception that is raised in a finaliser or during garbage collection. So an interruption is remembered
as well as raised, and code that works in steps checks for it between two steps: see :func:`check`.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_received: list[int] = []


def check() -> None:
    """Raise KeyboardInterrupt if an interruption was received but dropped, or came too early to be raised."""
    if _received:
        raise KeyboardInterrupt


@contextmanager
def handled() -> Iterator[Callable[[], None]]:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt inside the block.

    Gives a function to call once NumPy is imported. Until then an interruption is only remembered, because extension
    modules interrupted while they are imported print tracebacks.
    """
    imported: list[bool] = []

    def interrupt(number: int, _: object) -> None:
        _received.append(number)
        if imported:
            raise KeyboardInterrupt

    def dropped(lost: sys.UnraisableHookArgs) -> None:
        if not (_received and issubclass(lost.exc_type, KeyboardInterrupt)):
            report(lost)

    def ready() -> None:
        imported.append(True)
        check()

    # A shell starts background jobs with SIGINT ignored; that is respected.
    wanted = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is not signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        wanted = []
    _received.clear()
    before = {number: signal.signal(number, interrupt) for number in wanted}
    report, sys.unraisablehook = sys.unraisablehook, dropped
    try:
        yield ready
    finally:
        sys.unraisablehook = report
        for number, handler in before.items():
            signal.signal(number, handler)
