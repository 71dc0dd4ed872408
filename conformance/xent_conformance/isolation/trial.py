"""The trial calls of a backend that is being loaded: one that ends its process is left out in the next process."""

from __future__ import annotations

from time import monotonic
from typing import Any

from xent_conformance.isolation.process import EndedError, HungError, Limits, WorkerProcess
from xent_conformance.isolation.time_limits import TimeLimits
from xent_conformance.isolation.worker import ATTEMPT

#: Most trial calls that are left out, and most of them while no other has returned.
MOST, MOST_IN_VAIN = 60, 12
#: So many trial calls that hang, of which the first has had its usual limit, are a warning that others will.
WARNING = 2
#: A trial call may take this many times as long as the longest before it, if that is more than its limit: where each of
#: them is compiled, they all take long.
SLOWER = 10


class TrialCalls:
    """Waits for a backend to be loaded, and remembers which trial calls have ended their process."""

    def __init__(self, limits: Limits) -> None:
        """Nothing has been loaded yet."""
        #: Numbers of these calls.
        self.left_out: set[int] = set()
        self._limits, self._times = limits, TimeLimits(limits.call)
        # One that hangs must not take long: its fault is judged later.
        self._times.is_hurried = True
        self._hung = 0
        self._started: float | None = None
        self._current = 0
        #: The call before one that ended its process, if it is left out instead; and those for which that was in vain.
        #: There is none before the first.
        self._suspect: int | None = None
        self._cleared = {0}

    def result(self, worker: WorkerProcess) -> tuple[str, Any]:
        """The worker's report after loading the backend, or failing to; raises DiedError or HungError."""
        start = before = monotonic()
        self._started = self._started or start
        self._current, limit = 0, self._limits.load
        while True:
            kind, content = worker.report(max(0.0, min(limit, start + self._limits.load - before)))
            if kind != ATTEMPT:
                return kind, content
            now = monotonic()
            if self._current:
                self._times.returned(ATTEMPT, now - before)
            self._current, before = content, now
            limit = max(self._times.limit(ATTEMPT), min(SLOWER * self._times.longest, Limits.FIRST * self._limits.call))

    def leave_out(self, error: EndedError) -> bool:
        """Leave out the call that ended the worker, and return whether another worker should be started.

        If the next one, in a new process, ends that as well, the fault may be of the call before both: it may have
        left a lock or the memory in a state in which no call returns. Then that call is left out instead.
        """
        late = self._started is not None and monotonic() > self._started + self._limits.load
        if not self._current or late or len(self.left_out) >= (MOST if self._times.longest else MOST_IN_VAIN):
            return False
        ended = self._current
        if ended - 1 == self._suspect:
            self.left_out.remove(self._suspect)
            self._cleared.add(self._suspect)
            self._suspect = None
        elif ended - 1 in self.left_out and ended - 2 not in self.left_out | self._cleared:
            self.left_out.remove(ended - 1)
            self._suspect = ended = ended - 2
        self.left_out.add(ended)
        if isinstance(error, HungError):
            self._times.hung()
            self._hung += 1
        return True

    @property
    def is_warning(self) -> bool:
        """Whether so many calls have hung, each in a process of its own, that it was not by chance."""
        return self._hung >= WARNING

    def complaint(self, error: EndedError) -> str:
        """Why the backend cannot be loaded, after an error for which no other worker should be started."""
        if self.left_out:
            return f"{len(self.left_out) + 1} trial calls ended its process, the last of which {error}"
        if isinstance(error, HungError):
            return f"importing it or trying a first call did not return within {self._limits.load:g} s"
        return f"it {error}"
