"""Programs of a backend that compiles for each new shape or option: those it has, and how many more it may make.

Each costs seconds, so that a run is limited to a number of them. A call that would need one more is not made.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from xent_conformance.calling.calls import Invocation


class NotCompiledError(Exception):
    """A call that is not made, because it would need one compilation too many. It says nothing of the backend."""


@dataclass
class Compilations:
    """The programs of one backend for one dtype, at most ``most`` while a limit is in force.

    ``shapes``: each shape needs a program; ``values``: so does each number among the options; ``layouts``: so does what
    is not contiguous. ``chosen`` and ``covered`` are for whoever chooses problems: see ``judging.programs``.

    >>> programs = Compilations(most=40)
    >>> with programs.limited(2):  # two new ones at most
    ...     programs.admit(call)  # raises NotCompiledError for the third
    """

    most: int
    shapes: bool = True
    values: bool = True
    layouts: bool = False
    chosen: set[Hashable] = field(default_factory=set)
    covered: set[Hashable] = field(default_factory=set)
    #: Whether anything was refused since the last limit was set.
    refused: bool = False
    _known: set[Hashable] = field(default_factory=set)
    _used: int = 0
    _room: int | None = None

    @property
    def left(self) -> int:
        """How many more there may be in all."""
        return self.most - self._used

    @property
    def room(self) -> int:
        """How many more there may be under the limit in force, or in all."""
        return self.left if self._room is None else self._room

    @contextmanager
    def limited(self, room: int) -> Iterator[None]:
        """While it is entered, at most ``room`` new programs are admitted. Outside, where failures are reduced, any."""
        self._room, self.refused = max(0, min(room, self.left)), False
        try:
            yield
        finally:
            self._room = None

    def admit(self, *calls: Invocation) -> None:
        """Count the programs that calls need; raises NotCompiledError where that is one too many."""
        for program in map(self.program_of, calls):
            if program in self._known:
                continue
            if self._room is not None:
                if self._room < 1:
                    self.refused = True
                    raise NotCompiledError
                self._room -= 1
                self._used += 1
            self._known.add(program)

    def program_of(self, call: Invocation) -> Hashable:
        """What is the same for all calls that one program is enough for."""
        inputs = tuple(self._input(array) for array in call.inputs.values())
        options = tuple(sorted((name, self._option(value)) for name, value in call.options.items()))
        return call.method, inputs, options

    def _input(self, array: Any) -> Hashable:
        if array is None:
            return None
        size = array.shape if self.shapes else array.ndim
        return array.dtype.name, size, self.layouts and bool(array.flags.c_contiguous)

    def _option(self, value: Any) -> Hashable:
        if isinstance(value, np.ndarray):
            return str(self._input(value))
        return repr(value) if self.values or isinstance(value, str) else type(value).__name__
