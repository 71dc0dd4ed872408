"""Carrying out invocations in this process: new inputs between guard bands, and an outcome whatever happens.

Exceptions, warnings and results of a call leave this module only as an :class:`Outcome`.
"""

from __future__ import annotations

import math
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier
from typing import Any

import numpy as np

from xent_conformance.calling.bridge import Bridge
from xent_conformance.calling.calls import History, Invocation, Outcome
from xent_conformance.calling.exceptions import described, name_of
from xent_conformance.calling.foreign import printable
from xent_conformance.calling.guarded import BAND, Guarded
from xent_conformance.calling.late import Held
from xent_conformance.calling.surroundings import seen, surroundings
from xent_conformance.formats import is_floating
from xent_conformance.interface import Backend, Surroundings
from xent_conformance.problem import AnyArray, same_bits

#: Seconds between two switches of Python's threads while calls are made concurrently.
SWITCH = 1e-6


class DebuggerQuitError(KeyboardInterrupt):
    """A debugger was quit inside a call: an interruption, not the outcome of the call."""


class MalformedError(TypeError):
    """A result that is not an array of floating-point numbers."""


class LocalExecutor:
    """Calls the methods of a backend in this process. ``guest``: the process is the backend's own."""

    def __init__(self, backend: Backend, *, guest: bool = False) -> None:
        """Uses the backend's own array bridge where it has one."""
        self.backend = backend
        self.restarts = 0
        self.expendable = False
        self._passed_on = () if guest else (KeyboardInterrupt,)
        self._bridge = Bridge(backend)
        self.recent = History()
        self._held = Held()
        #: The first call that was made, and its outcome.
        self.first: tuple[Invocation, Outcome] | None = None
        self._own = backend.surroundings if isinstance(backend, Surroundings) else dict
        # In the suite's own process, the state changes between two calls for other reasons.
        self._beginning = seen(self._own) if guest else None

    def perform(self, invocation: Invocation) -> Outcome:
        """One call, with its warnings and floating-point errors contained."""
        with _quiet():
            self._held.look()
            outcome = self._outcome(invocation)[0]
        self.first = self.first or (invocation, outcome)
        return outcome

    def read_twice(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""
        with _quiet():
            early, returned = self._outcome(invocation)
            self._outcome(other)
            return early, replace(early, arrays={name: np.array(array) for name, array in returned.items()})

    def rewritten(self, invocation: Invocation, other: Invocation) -> Outcome | None:
        """The second of two calls with the same arrays, whose contents are replaced between them; None: immutable.

        An array that holds what it has to hold is not written to, since libraries count the writes to an array.
        """
        with _quiet():
            try:
                arrays = {name: own for name, (_, own) in self._given(invocation).items()}
                self._outcome(invocation, arrays)
                for name, array in other.arrays.items():
                    if not same_bits(self._bridge.asnumpy(arrays[name]), array):
                        arrays[name][...] = self._bridge.asarray(array)
            except Exception:  # noqa: BLE001 - read-only arrays raise different errors in different frameworks
                return None
        # Again, because the first call may have changed the error state.
        with _quiet():
            return self._outcome(other, arrays)[0]

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation several times in a thread of its own; Python switches threads as often as it can."""
        start = Barrier(len(invocations))

        def repeatedly(invocation: Invocation) -> list[Outcome]:
            start.wait()
            # NumPy's error state is per thread: every call runs with the same state as it would alone.
            return [self._quietly(invocation) for _ in range(rounds)]

        interval = sys.getswitchinterval()
        # Threads share the warning filters, so they are set once around all of them.
        with _quiet(), ThreadPoolExecutor(len(invocations)) as pool:
            sys.setswitchinterval(SWITCH)
            try:
                return list(pool.map(repeatedly, invocations))
            finally:
                sys.setswitchinterval(interval)

    def _quietly(self, invocation: Invocation) -> Outcome:
        with np.errstate(all="ignore"):
            return self._outcome(invocation)[0]

    def disturbed(self, invocation: Invocation) -> tuple[Outcome, tuple[str, ...]]:
        """One call, and the state of the process that it has changed; for a guest, also what earlier calls have.

        The inputs of earlier calls count as state too, if they were written to after these had returned.
        """
        with surroundings(self._own, self._beginning) as changes:
            outcome = self._outcome(invocation)[0]
            return outcome, changes() + self._held.changed()

    def renewed(self) -> bool:
        """This process is the only one."""
        return False

    def keeps_strides(self, array: AnyArray) -> bool:
        """Whether the backend's own array has the strides of this one."""
        return self._bridge.keeps_strides(array)

    def close(self) -> None:
        """The backend lives as long as this process."""

    def _given(self, invocation: Invocation) -> dict[str, tuple[Guarded, Any]]:
        """New arrays for a call by name: between guard bands, and the backend's own array of each."""
        band = BAND if invocation.guarded else 0
        given: dict[str, tuple[Guarded, Any]] = {}
        for name, array in invocation.arrays.items():
            if isinstance(array, np.ndarray):
                guarded, own = self._bridge.given(array, band, ordinary=name in invocation.ordinary)
                given[name] = guarded, _of_shape(name, own, array)
        return given

    def _outcome(
        self, invocation: Invocation, arrays: dict[str, Any] | None = None
    ) -> tuple[Outcome, dict[str, AnyArray]]:
        """The outcome of a call, and its results in the memory in which the backend returned them.

        ``arrays`` are the backend's own, which are then not checked after the call; None for new ones.
        """
        inputs, options = invocation.inputs, dict(invocation.options)
        given: dict[str, Guarded] = {}
        try:
            if arrays is None:
                made = self._given(invocation)
                given = {name: guarded for name, (guarded, _) in made.items()}
                arrays = {name: own for name, (_, own) in made.items()}
            if isinstance(options.get("weight"), np.ndarray):
                options["weight"] = arrays["weight"]
            returned = getattr(self.backend, invocation.method)(*map(arrays.get, inputs), **options)
            results = self._results(returned, invocation)
            outputs = {name: np.array(array) for name, array in results.items()}
            after = {name: guarded.after(self._bridge.asnumpy(arrays[name])) for name, guarded in given.items()}
        except MalformedError as error:
            return Outcome({}, malformed=str(error)), {}
        except BaseException as error:
            if isinstance(error, self._passed_on):
                raise
            if self._passed_on and _quits_debugger(error):
                raise DebuggerQuitError("the debugger was quit") from error
            return Outcome({}, **described(error)), {}
        changed = tuple(name for name, (inside, _) in after.items() if inside)
        strayed = tuple(name for name, (_, beside) in after.items() if beside)
        self._held.add({name: guarded for name, guarded in given.items() if not any(after[name])})
        memories = [guarded.memory for guarded in given.values()]
        aliases = tuple(n for n, array in results.items() if any(np.may_share_memory(array, m) for m in memories))
        return Outcome(outputs, changed=changed, strayed=strayed, aliases=aliases), results

    def _results(self, returned: Any, invocation: Invocation) -> dict[str, AnyArray]:
        """The returned arrays as NumPy's, by name; absent ones (None) left out."""
        results = invocation.results
        # A row has a loss even if there are no classes.
        sizes = (math.prod(max(n, 1) for n in array.shape) for array in invocation.inputs.values() if array is not None)
        most = 1 + sum(sizes)
        values = returned if len(results) > 1 else (returned,)
        if returned is None:
            raise MalformedError("returned None")
        if not isinstance(values, tuple) or len(values) != len(results):
            raise MalformedError(f"returned {_describe(returned)}, expected {', '.join(results)}")
        named = zip(results, values, strict=True)
        return {name: self._floating(name, value, most) for name, value in named if value is not None}

    def _floating(self, name: str, value: Any, most: int) -> AnyArray:
        """A result as a plain array of floating-point numbers, with at most ``most`` elements."""
        try:
            array = self._bridge.asnumpy(value)
        except (TypeError, AttributeError) as error:
            raise MalformedError(f"returned {_describe(value)} for {name}, expected an array ({error})") from error
        # type() and not isinstance: a class can lie about itself, and its methods are not trusted.
        kind = type(array)
        if not issubclass(kind, np.ndarray | np.generic):
            raise MalformedError(f"returned {_describe(value)} for {name}, expected an array")
        if kind is not np.ndarray and kind is not _dtype_of(array).type:
            # The additions of a subclass would be lost here: masked elements, another meaning of ``*``.
            what = "" if array is value else f", which asnumpy made a {name_of(kind)}"
            raise MalformedError(f"returned {_describe(value)} for {name}{what}, expected a plain array")
        plain: AnyArray = np.asarray(array)
        if not is_floating(plain.dtype):
            raise MalformedError(f"returned {plain.dtype} for {name}, expected floating-point numbers")
        if not plain.dtype.isnative:
            raise MalformedError(f"returned {plain.dtype.str} for {name}, expected native byte order")
        if plain.size > most:
            # Not copied: a view can claim more elements than there is memory.
            raise MalformedError(f"returned {name} of shape {plain.shape}, which no result has")
        return plain


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _of_shape(name: str, array: Any, original: AnyArray) -> Any:
    """An adapter's own array; raises MalformedError if its shape differs from that of the original."""
    try:
        shape = tuple(int(n) for n in array.shape)
    except (AttributeError, TypeError, ValueError):
        return array
    if shape != original.shape:
        hint = "; np.ascontiguousarray makes (1,) of ()" if not original.shape else ""
        raise MalformedError(f"was not called: asarray made shape {shape} of {name} with shape {original.shape}{hint}")
    return array


def _quits_debugger(error: BaseException) -> bool:
    """Whether an exception was raised by a debugger: BdbQuit, but SystemExit in Python 3.14, and pytest's own Exit."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") in ("bdb", "pdb") for frame, _ in frames)


def _dtype_of(array: AnyArray) -> np.dtype[Any]:
    """The dtype of an array or scalar, whatever its class claims."""
    dtype: np.dtype[Any] = (np.ndarray if issubclass(type(array), np.ndarray) else np.generic).dtype.__get__(array)
    return dtype


def _describe(value: Any) -> str:
    name = name_of(type(value))
    if type(value) is tuple:
        return f"a tuple of {len(value)} values"
    return f"{name} ({printable(repr(value))})" if type(value) in (int, float, str, bool) else name
