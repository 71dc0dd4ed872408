"""Calling a backend: fresh inputs each time, and an outcome whatever it does.

Nothing a call raises, warns or returns gets past this module in any other form than an :class:`Outcome`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import is_floating
from xent_conformance.interface import ArrayBridge, Backend, Vjp
from xent_conformance.problem import AnyArray, Problem, copied

#: Longest part of a foreign message that is kept.
MESSAGE_LENGTH = 2000


@dataclass(frozen=True)
class Outcome:
    """What one call came to: its arrays by name, or what it raised, or why its result is no result.

    ``changed`` names the inputs that do not hold the same bytes after the call.
    """

    arrays: Mapping[str, AnyArray]
    raised: str | None = None
    raised_type: str | None = None
    malformed: str | None = None
    changed: tuple[str, ...] = ()

    @property
    def trouble(self) -> str | None:
        """Why there is no result to judge, as a phrase that follows the name of the call; None: there is one."""
        if self.raised is not None:
            return f"raised {self.raised_type}: {self.raised}"
        return self.malformed


class MalformedError(TypeError):
    """A result that is not an array of floating-point numbers."""


class Caller:
    """Calls the methods of one backend."""

    def __init__(self, backend: Backend) -> None:
        """Uses the backend's own array bridge where it has one."""
        self.backend = backend
        self._asarray: Callable[[AnyArray], Any] = backend.asarray if isinstance(backend, ArrayBridge) else _same
        self._asnumpy: Callable[[Any], AnyArray] = backend.asnumpy if isinstance(backend, ArrayBridge) else _same

    def cross_entropy(self, problem: Problem) -> Outcome:
        """The function form."""
        return self._call("cross_entropy", ("loss",), problem, ("logits", "target"))

    def vjp(self, problem: Problem, **variation: Any) -> Outcome:
        """Loss and gradients of the function form for the problem's cotangent."""
        return self._call("cross_entropy_vjp", Vjp._fields, problem, ("cotangent", "logits", "target"), variation)

    def layer(self, problem: Problem) -> Outcome:
        """The layer form."""
        return self._call("cross_entropy_layer", ("loss",), problem, ("logits", "target"))

    def layer_vjp(self, problem: Problem) -> Outcome:
        """Loss and gradients of the layer form."""
        return self._call("cross_entropy_layer_vjp", Vjp._fields, problem, ("cotangent", "logits", "target"))

    def hvp(self, vector: AnyArray, problem: Problem) -> Outcome:
        """Second derivative times a vector of the logits' shape."""
        inputs = {"vector": vector, **{name: getattr(problem, name) for name in ("cotangent", "logits", "target")}}
        return self._run("cross_entropy_hvp", ("product",), inputs, problem.options())

    def primitive(self, name: str, logits: AnyArray) -> Outcome:
        """``softmax`` or ``log_softmax``."""
        return self._run(name, (name,), {"logits": logits}, {})

    def nll_loss(self, log_probs: AnyArray, problem: Problem) -> Outcome:
        """Negative log-likelihood with the problem's options."""
        return self._run("nll_loss", ("loss",), {"log_probs": log_probs, "target": problem.target}, problem.options())

    def _call(
        self,
        method: str,
        results: tuple[str, ...],
        problem: Problem,
        inputs: tuple[str, ...],
        variation: Mapping[str, Any] | None = None,
    ) -> Outcome:
        arrays = {name: getattr(problem, name) for name in inputs}
        return self._run(method, results, arrays, {**problem.options(), **(variation or {})})

    def _run(
        self, method: str, results: tuple[str, ...], inputs: Mapping[str, AnyArray], options: Mapping[str, Any]
    ) -> Outcome:
        weight = options.get("weight")
        originals = {**inputs, **({} if weight is None else {"weight": weight})}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                arrays = {name: self._asarray(copied(array)) for name, array in originals.items()}
                passed = {**options, **({} if weight is None else {"weight": arrays["weight"]})}
                returned = getattr(self.backend, method)(*(arrays[name] for name in inputs), **passed)
                outputs = self._outputs(returned, results)
                changed = tuple(n for n, a in originals.items() if not same_bits(self._asnumpy(arrays[n]), a))
            except MalformedError as error:
                return Outcome({}, malformed=str(error))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever an implementation raises is an outcome
                return Outcome({}, raised=message_of(error), raised_type=type(error).__name__)
        return Outcome(outputs, changed=changed)

    def _outputs(self, returned: Any, results: tuple[str, ...]) -> dict[str, AnyArray]:
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
        except TypeError as error:
            raise MalformedError(f"returned {_describe(value)} for {name}, expected an array ({error})") from error
        if not isinstance(array, np.ndarray | np.generic):
            raise MalformedError(f"returned {_describe(value)} for {name}, expected an array")
        if not is_floating(array.dtype):
            raise MalformedError(f"returned {array.dtype} for {name}, expected floating-point numbers")
        return np.asarray(array)


def _same(array: Any) -> Any:
    """The bridge of a backend that computes on NumPy arrays."""
    return array


def same_bits(left: AnyArray, right: AnyArray) -> bool:
    """Whether two arrays have the same shape, dtype and bytes."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()


def message_of(error: BaseException) -> str:
    """What an exception says, even if it cannot say it."""
    try:
        text = str(error)
    except Exception as failure:  # noqa: BLE001 - a message that cannot be printed must not stop the run
        text = f"<message not printable: {type(failure).__name__}>"
    return text[:MESSAGE_LENGTH]


def as_float64(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Floating-point numbers of any format as float64."""
    return np.asarray(array).astype(np.float64)


def _describe(value: Any) -> str:
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name} ({value!r})" if isinstance(value, int | float | str) else name
