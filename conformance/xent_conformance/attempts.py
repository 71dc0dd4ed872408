"""Calls that are made while a backend is being made, as the trial of a callable does. One of them may end the process.

Whoever waits for the backend learns of each call before it is made. If the process ends, another one makes the backend
without that call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager


class _Watch:
    """Counts calls, and announces the number of each that may be made."""

    def __init__(self, announce: Callable[[int], None], left_out: Collection[int]) -> None:
        self._announce, self._left_out = announce, left_out
        self._number = 0

    def may_begin(self) -> bool:
        self._number += 1
        if self._number in self._left_out:
            return False
        self._announce(self._number)
        return True


_watches: list[_Watch] = []


@contextmanager
def watched(announce: Callable[[int], None], left_out: Collection[int]) -> Iterator[None]:
    """Inside the block, the number of each call is announced first, and some calls are not made.

    Args:
        announce: Called with the number of a call, the first of which is 1.
        left_out: Numbers of the calls that are not made.
    """
    _watches.append(_Watch(announce, left_out))
    try:
        yield
    finally:
        _watches.pop()


def may_attempt() -> bool:
    """Whether the next trial call may be made; one that may not has ended a process before.

    An adapter that makes calls while it is being made asks before each of them, and treats one that it must not make
    like one that fails.

    Example:
        >>> from xent_conformance.interface import may_attempt
        >>> may_attempt()
        True
    """
    return not _watches or _watches[-1].may_begin()
