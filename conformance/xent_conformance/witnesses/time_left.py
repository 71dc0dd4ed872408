"""The time for reducing and explaining failures, all steps together.

What is tried is limited by counts, which do not depend on how busy the machine is. Time is a last resort where single
calls take long, and the message of a witness says that it ran out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

T = TypeVar("T")


class TimeLeft:
    """Some seconds from now on.

    Attributes:
        seconds: How many.
        ran_out: Whether a step was left out because they were over.
    """

    def __init__(self, seconds: float) -> None:
        """They begin now."""
        self.seconds = seconds
        self.ran_out = False
        self._end = monotonic() + seconds

    def half(self) -> TimeLeft:
        """Half of what is left, from now on."""
        return TimeLeft(max(0.0, self._end - monotonic()) / 2)

    def within(self, made: Iterable[T]) -> Iterator[T]:
        """What an iterator makes until these seconds are over: the first in any case."""
        for one in made:
            yield one
            if monotonic() >= self._end:
                return

    def is_over(self) -> bool:
        """Whether to leave out a step."""
        self.ran_out = self.ran_out or monotonic() >= self._end
        return self.ran_out
