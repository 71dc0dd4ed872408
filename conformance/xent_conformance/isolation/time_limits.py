"""The time limits of calls in a worker process, which depend on the calls before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xent_conformance.isolation.process import Limits

#: After a call has hung, the limit of later calls is this multiple of the longest call that returned, and a smaller one
#: while a hanging call is being reduced: a backend that hangs must not hold up the run.
LIMIT_AFTER_HANG, LIMIT_WHILE_REDUCING = 100, 10
#: That limit is never below the first number of seconds divided by the number of hangs, nor below the second.
FLOOR_SHARED_BY_HANGS, FLOOR = 2.0, 0.5


class TimeLimits:
    """Limits for the calls of one backend.

    The first call of a shape may compile, so that its limit is longer. After a call has hung, limits are short.
    """

    def __init__(self, call: float) -> None:
        """``call`` is the usual limit in seconds."""
        self._call = call
        self._warm: set[Any] = set()
        self._hangs = 0
        self._longest = 0.0
        #: Whether limits are as short as possible, and one call that exceeds its limit counts as hanging.
        self.is_hurried = False

    def limit(self, key: Any, calls: int = 1) -> float:
        """The limit in seconds for a request with a number of calls; ``key`` is equal for calls of one shape."""
        return self._of_one(key) + (calls - 1) * self._longest

    def _of_one(self, key: Any) -> float:
        usual = self._call * (1 if key in self._warm else Limits.FIRST)
        if not self._hangs:
            return usual
        multiple = LIMIT_WHILE_REDUCING if self.is_hurried else LIMIT_AFTER_HANG
        return min(usual, max(FLOOR, FLOOR_SHARED_BY_HANGS / self._hangs, multiple * self._longest))

    def returned(self, key: Any, seconds: float) -> None:
        """Note that a call has returned, after so many seconds."""
        self._warm.add(key)
        self._longest = max(self._longest, seconds)

    def hung(self) -> None:
        """Note that a call has hung."""
        self._hangs += 1

    def new_process(self) -> None:
        """Note that a new process has to compile everything again."""
        self._warm.clear()

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Inside the block, ``is_hurried`` is true."""
        self.is_hurried = True
        try:
            yield
        finally:
            self.is_hurried = False
