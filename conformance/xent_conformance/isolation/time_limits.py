"""The time limits of calls in a worker process, which depend on the calls before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xent_conformance.isolation.process import Limits

#: After a call has hung, the limit of later calls is this multiple of the longest call that returned, and a smaller one
#: while a hanging call is being reduced: a backend that hangs must not hold up the run.
LIMIT_AFTER_HANG, LIMIT_WHILE_REDUCING = 100, 10
#: The first call of a shape may take this many times as long as the longest call before it, if that is more than its
#: limit otherwise.
LONGER_TO_COMPILE = 100
#: The limit after a hang is never below the first number of seconds, divided by the number of hangs, or the second.
FLOOR_SHARED_BY_HANGS, FLOOR = 2.0, 0.5


class TimeLimits:
    """Limits for the calls of one backend.

    The first call of a shape may compile, so that its limit is longer: at once where calls before it took long, else
    when it is made again after it has exceeded a shorter one. After a call has hung, limits are short, and already at
    first if calls have hung while the backend was tried.
    """

    def __init__(self, call: float) -> None:
        """``call`` is the usual limit in seconds."""
        self._call = call
        self._warm: set[Any] = set()
        self._hangs = 0
        #: Seconds of the longest call that has returned.
        self.longest = 0.0
        #: Whether limits are as short as possible, and the first call of a process that exceeds its limit is hanging.
        self.is_hurried = False
        #: Whether calls have hung while the backend was tried, so that others probably will.
        self.is_warned = False

    def limit(self, key: Any, calls: int = 1, *, again: bool = False) -> float:
        """The limit in seconds for a request.

        Args:
            key: Equal for calls of one shape.
            calls: Number of calls in the request.
            again: Whether it is made again, in a new process, after it has exceeded its limit.
        """
        return self._of_one(key, again=again) + (calls - 1) * self.longest

    def _of_one(self, key: Any, *, again: bool) -> float:
        usual = self._call if key in self._warm and not again else self._of_first_call(again=again)
        if not self._hangs:
            return self._warned(usual, again=again) if self.is_warned and self.longest else usual
        multiple = LIMIT_WHILE_REDUCING if self.is_hurried else LIMIT_AFTER_HANG
        return min(usual, max(FLOOR, FLOOR_SHARED_BY_HANGS / self._hangs, multiple * self.longest))

    def _warned(self, usual: float, *, again: bool) -> float:
        """The limit where a hang is likely; of a call that is made again, it is as much longer as for a first call."""
        short = max(FLOOR_SHARED_BY_HANGS, LIMIT_AFTER_HANG * self.longest)
        return min(usual, Limits.FIRST * short if again else short)

    def _of_first_call(self, *, again: bool) -> float:
        most = Limits.FIRST * self._call
        if again or not self.longest:
            return most
        return min(most, max(self._call, LONGER_TO_COMPILE * self.longest))

    def returned(self, key: Any, seconds: float) -> None:
        """Note that a call has returned, after so many seconds."""
        self._warm.add(key)
        self.longest = max(self.longest, seconds)

    def hung(self) -> None:
        """Note that a call has hung."""
        self._hangs += 1

    def new_process(self) -> None:
        """Note that a new process has to compile everything again."""
        self._warm.clear()

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Inside the block, ``is_hurried`` is true."""
        before, self.is_hurried = self.is_hurried, True
        try:
            yield
        finally:
            self.is_hurried = before
