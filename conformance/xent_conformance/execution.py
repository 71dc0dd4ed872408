"""Carrying out invocations in this process: fresh inputs between guard bands, and an outcome whatever happens.

Nothing a call raises, warns or returns gets past this module in any other form than an :class:`Outcome`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier
from typing import Any

import numpy as np

from xent_conformance.calls import Invocation, Outcome
from xent_conformance.formats import is_floating
from xent_conformance.guarded import Guarded
from xent_conformance.interface import ArrayBridge, Backend, Surroundings
from xent_conformance.problem import AnyArray
from xent_conformance.surroundings import surroundings

#: Longest part of a foreign message that is kept.
MESSAGE_LENGTH = 2000
#: Seconds between two switches of Python's threads while calls are made beside each other.
SWITCH = 1e-6


class MalformedError(TypeError):
    """A result that is not an array of floating-point numbers."""


class LocalExecutor:
    """Calls the methods of a backend in this process. ``guest``: the process is the backend's own."""

    def __init__(self, backend: Backend, *, guest: bool = False) -> None:
        """Uses the backend's own array bridge where it has one."""
        self.backend = backend
        self.restarts = 0
        self._passed_on = () if guest else (KeyboardInterrupt,)
        bridged = isinstance(backend, ArrayBridge)
        self._asarray: Callable[[AnyArray], Any] = backend.asarray if bridged else _same  # type: ignore[attr-defined]
        self._asnumpy: Callable[[Any], AnyArray] = backend.asnumpy if bridged else _same  # type: ignore[attr-defined]

    def perform(self, invocation: Invocation) -> Outcome:
        """One call, with warnings and floating-point errors kept from everybody else."""
        with _quiet():
            return self._outcome(invocation)[0]

    def kept(self, invocation: Invocation, other: Invocation) -> tuple[Outcome, Outcome]:
        """One call, read before and after another one."""
        with _quiet():
            early, returned = self._outcome(invocation)
            self._outcome(other)
            return early, replace(early, arrays={name: np.array(array) for name, array in returned.items()})

    def together(self, invocations: Sequence[Invocation], rounds: int) -> list[list[Outcome]]:
        """Each invocation several times in a thread of its own; Python changes threads as often as it can."""
        start = Barrier(len(invocations))

        def repeatedly(invocation: Invocation) -> list[Outcome]:
            start.wait()
            return [self._outcome(invocation)[0] for _ in range(rounds)]

        interval = sys.getswitchinterval()
        # Threads share the warning filters, so they are set once around all of them.
        with _quiet(), ThreadPoolExecutor(len(invocations)) as pool:
            sys.setswitchinterval(SWITCH)
            try:
                return list(pool.map(repeatedly, invocations))
            finally:
                sys.setswitchinterval(interval)

    def disturbed(self, invocation: Invocation) -> tuple[str, ...]:
        """What of the process a call leaves changed."""
        own = self.backend.surroundings if isinstance(self.backend, Surroundings) else dict
        with surroundings(own) as changes:
            self._outcome(invocation)
            return changes()

    def keeps_strides(self, array: AnyArray) -> bool:
        """Whether the backend's own array has the strides of this one."""
        return bool(self._asnumpy(self._asarray(array)).strides == array.strides)

    def close(self) -> None:
        """The backend lives as long as this process."""

    def _outcome(self, invocation: Invocation) -> tuple[Outcome, dict[str, AnyArray]]:
        """The outcome of a call, and its results where the backend left them."""
        inputs, options = invocation.inputs, dict(invocation.options)
        weight = options.get("weight")
        try:
            given = {k: Guarded(v) for k, v in inputs.items()}
            if isinstance(weight, np.ndarray):
                given["weight"] = Guarded(weight)
            arrays = {name: self._asarray(guarded.view) for name, guarded in given.items()}
            if "weight" in given:
                options["weight"] = arrays["weight"]
            returned = getattr(self.backend, invocation.method)(*(arrays[name] for name in inputs), **options)
            results = self._results(returned, invocation.results)
            outputs = {name: np.array(array) for name, array in results.items()}
            after = {name: guarded.after(self._asnumpy(arrays[name])) for name, guarded in given.items()}
        except MalformedError as error:
            return Outcome({}, malformed=str(error)), {}
        except BaseException as error:
            if isinstance(error, self._passed_on):
                raise
            return Outcome({}, raised=message_of(error), raised_type=type(error).__name__), {}
        changed = tuple(name for name, (inside, _) in after.items() if inside)
        strayed = tuple(name for name, (_, beside) in after.items() if beside)
        memories = [guarded.memory for guarded in given.values()]
        aliases = tuple(n for n, array in results.items() if any(np.may_share_memory(array, m) for m in memories))
        return Outcome(outputs, changed=changed, strayed=strayed, aliases=aliases), results

    def _results(self, returned: Any, results: tuple[str, ...]) -> dict[str, AnyArray]:
        """The returned arrays as NumPy's, by name; absent ones (None) left out."""
        values = returned if len(results) > 1 else (returned,)
        if returned is None:
            raise MalformedError("returned None")
        if not isinstance(values, tuple) or len(values) != len(results):
            raise MalformedError(f"returned {_describe(returned)}, expected {', '.join(results)}")
        named = zip(results, values, strict=True)
        return {name: self._floating(name, value) for name, value in named if value is not None}

    def _floating(self, name: str, value: Any) -> AnyArray:
        try:
            array = self._asnumpy(value)
        except (TypeError, AttributeError) as error:
            raise MalformedError(f"returned {_describe(value)} for {name}, expected an array ({error})") from error
        if not isinstance(array, np.ndarray | np.generic):
            raise MalformedError(f"returned {_describe(value)} for {name}, expected an array")
        if not is_floating(array.dtype):
            raise MalformedError(f"returned {array.dtype} for {name}, expected floating-point numbers")
        return np.asarray(array)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def _same(array: Any) -> Any:
    """The bridge of a backend that computes on NumPy arrays."""
    return array


def message_of(error: BaseException) -> str:
    """What an exception says, even if it cannot say it."""
    try:
        text = str(error)
    except BaseException as failure:  # noqa: BLE001 - a message that cannot be printed must not stop the run
        text = f"<message not printable: {type(failure).__name__}>"
    return text[:MESSAGE_LENGTH]


def _describe(value: Any) -> str:
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name} ({value!r})" if isinstance(value, int | float | str) else name
