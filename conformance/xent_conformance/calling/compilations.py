"""Limits the number of compilations of a backend that compiles for each new shape or option.

A compilation takes seconds, so that a run makes only a limited number of them. A call that would exceed it is not made.
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
    """A call was not made because it would exceed the number of compilations. It says nothing about the backend."""


@dataclass
class Compilations:
    """The compiled programs of one backend for one dtype.

    Attributes:
        most: The number of programs that a run may make inside blocks of ``limited``.
        of_a_cause: The number of programs that reducing one failure, and explaining it, may each make beside these.
        shapes: Whether each shape needs a program.
        values: Whether each value of a numeric option needs a program.
        calls: Whether each set of options needs a program; if not, calls of a method share one that have equal shapes.
        layouts: Whether arrays that are not contiguous need another program than contiguous ones.
        sources: The number of sources of problems that are still to be judged; None if that is not known.
        invalid: The number of programs that calls have needed which were to be rejected.
        chosen: Used by ``judging.programs`` to choose problems.
        covered: Likewise.
        refused: Whether a call was refused since the last limit was set.

    Example:
        >>> import numpy as np
        >>> from xent_conformance.calling.calls import primitive
        >>> programs = Compilations(most=40)
        >>> with programs.limited(1):  # another shape would raise NotCompiledError
        ...     programs.admit(primitive("softmax", np.zeros((2, 3))), primitive("softmax", np.ones((2, 3))))
        >>> programs.left
        39
    """

    most: int
    of_a_cause: int = 12
    shapes: bool = True
    values: bool = True
    calls: bool = True
    layouts: bool = False
    sources: int | None = None
    invalid: int = 0
    #: The programs that the problems of all sources come from; empty: each source chooses its own.
    pool: list[Hashable] = field(default_factory=list)
    chosen: set[Hashable] = field(default_factory=set)
    covered: set[Hashable] = field(default_factory=set)
    refused: bool = False
    _known: set[Hashable] = field(default_factory=set)
    _counted: set[Hashable] = field(default_factory=set)
    _used: int = 0
    _room: int | None = None

    @property
    def left(self) -> int:
        """How many more programs the run may make."""
        return self.most - self._used

    @property
    def room(self) -> int:
        """How many more programs may be made under the current limit, or without a limit by the run."""
        return self.left if self._room is None else self._room

    @contextmanager
    def limited(self, room: int) -> Iterator[None]:
        """Inside the block, admit at most ``room`` new programs; outside, any number."""
        self._room, self.refused = max(0, min(room, self.left)), False
        try:
            yield
        finally:
            self._room = None

    @contextmanager
    def reducing(self) -> Iterator[None]:
        """Inside the block, where a failure is reduced or explained, admit at most ``of_a_cause`` new programs.

        They are not among the ``most`` of the run.
        """
        before = self._room, self._used, {*self._counted}, self.refused
        self._room = self.of_a_cause
        try:
            yield
        finally:
            self._room, self._used, self._counted, self.refused = before

    def admit(self, *calls: Invocation) -> None:
        """Count the programs that calls need. Raises NotCompiledError if they exceed the current limit."""
        for program in map(self.program_of, calls):
            if program in self._known:
                continue
            if self._room is not None:
                if self._room < 1:
                    self.refused = True
                    raise NotCompiledError
                self._room -= 1
                self._used += 1
                self._counted.add(program)
            self._known.add(program)

    def rejected(self, *calls: Invocation) -> None:
        """Count calls no longer that were admitted and raised: no program was made for them."""
        for program in map(self.program_of, calls):
            if program in self._counted:
                self._counted.remove(program)
                self._known.remove(program)
                self._used -= 1
                self._room = None if self._room is None else self._room + 1

    def program_of(self, call: Invocation) -> Hashable:
        """A key that is equal for calls that can use the same program."""
        if not self.calls:
            # The shape of a cotangent follows from the reduction.
            shared = (self._input(array) for name, array in call.inputs.items() if name != "cotangent")
            return call.method, tuple(shared)
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
