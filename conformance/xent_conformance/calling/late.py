"""Comparing the inputs of some calls again some time after these have returned: a call may have left a thread running.

Only a few are held at a time. Others are released at once, so that the next calls reuse their memory, which reveals
backends that identify inputs by their addresses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from time import monotonic, sleep

from xent_conformance.calling.guarded import Guarded

#: Seconds after which inputs are compared again, and least seconds between two calls whose inputs are held.
AFTER, EVERY = 0.1, 0.005
#: Most calls whose inputs are held, and most bytes of one input.
MOST, LARGEST = 20, 1 << 20


#: Appended to the name of an input that was written to late.
LATE = " of an earlier call"


class Held:
    """Inputs of some calls, and when each returned. Several threads may add to them; one thread compares them."""

    def __init__(self) -> None:
        """No inputs yet."""
        self._inputs: deque[tuple[float, Mapping[str, Guarded]]] = deque(maxlen=MOST)
        self._next = 0.0
        self._changed: dict[str, None] = {}
        self._has_waited = False

    def add(self, inputs: Mapping[str, Guarded]) -> None:
        """Add the unchanged inputs of a call that has returned; not every call's are held."""
        now = monotonic()
        if now >= self._next and all(guarded.memory.nbytes <= LARGEST for guarded in inputs.values()):
            self._next = now + EVERY
            self._inputs.append((now, inputs))

    def look(self) -> None:
        """Compare the inputs that are due, once each, and release them."""
        due = monotonic() - AFTER
        while self._inputs and self._inputs[0][0] <= due:
            _, inputs = self._inputs.popleft()
            # Only this memory is compared: the backend may have copied the inputs.
            self._changed |= {n + LATE: None for n, g in inputs.items() if any(g.after(g.view))}

    def changed(self) -> tuple[str, ...]:
        """Inputs that were written to, as phrases. The first time it waits for those that are still held."""
        if self._inputs and not self._has_waited:
            self._has_waited = True
            sleep(max(0.0, self._inputs[-1][0] + AFTER - monotonic()))
        self.look()
        return tuple(self._changed)
