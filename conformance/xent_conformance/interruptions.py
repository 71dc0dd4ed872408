"""SIGTERM ends a command as Ctrl-C does, with all that it has started.

Python drops an exception that is raised in a finaliser or while garbage is collected. So an interruption is noted as
well as raised, and whoever works in steps looks between two of them: see :func:`check`.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_received: list[int] = []


def check() -> None:
    """Raise KeyboardInterrupt where one has been asked for, and was dropped or came too early to be raised."""
    if _received:
        raise KeyboardInterrupt


@contextmanager
def heeded() -> Iterator[Callable[[], None]]:
    """Interruptions are heeded inside.

    Gives a function to call once numpy is imported. Until then an interruption is noted only: modules in C would print
    a traceback of their own.
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

    # A job in the background of a shell ignores SIGINT, and goes on doing so.
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
