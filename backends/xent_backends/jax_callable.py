"""Any callable on JAX arrays as a backend. It runs as it is: one that wants to be compiled compiles itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from xent_backends import callables, jax_arrays
from xent_backends.callable_classes import class_of
from xent_backends.source_text import joined, one_line, plain_source
from xent_conformance.interface import Capabilities, ReproducerParts, Vjp

Loss = Callable[..., Array]


@dataclass(frozen=True)
class JaxArrays:
    """A function on JAX arrays.

    ``expression`` is how a script spells it after ``setup``; ``tried`` see ``callables``.
    """

    name: str
    capabilities: Capabilities
    device: str
    function: Loss
    setup: str
    expression: str
    tried: bytes | None = None

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of jax and of its compiler."""
        return jax_arrays.versions()

    def asarray(self, array: npt.NDArray[np.generic]) -> Array:
        """A contiguous JAX array with the array's values."""
        return jax_arrays.array_of(array, self.device)

    def asnumpy(self, array: Any) -> npt.NDArray[Any]:
        """A NumPy array with the array's values; TypeError for anything but a JAX array."""
        return jax_arrays.numpy_of(array)

    def reproducer(self) -> ReproducerParts:
        """A script that imports the callable by its dotted path."""
        return ReproducerParts(self.setup, jax_arrays.ARRAY, jax_arrays.RESULT, self._calls())

    def _calls(self) -> dict[str, str]:
        return {}

    @staticmethod
    def linear_vjp(
        function: Loss,
        cotangent: Array,
        hidden: Array,
        weight: Array,
        bias: Array | None,
        target: Array,
        **options: Any,
    ) -> tuple[Array, Array, Array, Array | None]:
        """Loss and gradients of hidden, weight and bias, None without one."""
        return linear_vjp(function, cotangent, hidden, weight, bias, target, **options)


@dataclass(frozen=True)
class JaxCallable(JaxArrays):
    """A loss on JAX arrays: values only."""

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        """Loss, as the callable gives it."""
        return self.function(logits, target, **options)

    def _calls(self) -> dict[str, str]:
        parameters = "logits, target, **options"
        return {"cross_entropy": one_line("cross_entropy", parameters, f"{self.expression}({parameters})")}


@dataclass(frozen=True)
class JaxDifferentiable(JaxCallable):
    """A loss on JAX arrays with gradients by ``jax.vjp``."""

    def cross_entropy_vjp(
        self,
        cotangent: Array,
        logits: Array,
        target: Array,
        *,
        repeats: int = 1,
        upstream: str = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and gradients. ``repeats`` pulls back through one function several times; JAX has no leaves."""
        del upstream
        return Vjp(*vjp(self.function, cotangent, logits, target, repeats=repeats, **options))

    def _calls(self) -> dict[str, str]:
        parameters = "cotangent, logits, target, **options"
        accepted = "cotangent, logits, target, upstream='leaf', **options"
        call = one_line("cross_entropy_vjp", accepted, f"vjp({self.expression}, {parameters})")
        return super()._calls() | {"cross_entropy_vjp": joined(plain_source(vjp), call)}


@dataclass(frozen=True)
class JaxTwiceDifferentiable(JaxDifferentiable):
    """A loss on JAX arrays whose gradient can be differentiated in turn."""

    def cross_entropy_hvp(self, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
        """Second derivative times a vector, by reverse over reverse: custom rules rarely have a forward mode."""
        return hvp(self.function, vector, cotangent, logits, target, **options)

    def _calls(self) -> dict[str, str]:
        parameters = "vector, cotangent, logits, target, **options"
        call = one_line("cross_entropy_hvp", parameters, f"hvp({self.expression}, {parameters})")
        return super()._calls() | {"cross_entropy_hvp": joined(plain_source(hvp), call)}


def vjp(
    function: Loss, cotangent: Array, logits: Array, target: Array, *, repeats: int = 1, **options: Any
) -> tuple[Array, Array, Array | None]:
    """Loss, gradient of the logits, and of probability targets; None for class indices."""
    if jnp.issubdtype(target.dtype, jnp.floating):
        loss, pull = jax.vjp(lambda x, q: function(x, q, **options), logits, target)
    else:
        loss, pull = jax.vjp(lambda x: function(x, target, **options), logits)
    for _ in range(repeats):
        # A loss of narrow logits may be float32.
        grads = pull(cotangent.astype(loss.dtype))
    return loss, grads[0], grads[1] if len(grads) > 1 else None


def linear_vjp(
    function: Loss, cotangent: Array, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
) -> tuple[Array, Array, Array, Array | None]:
    """Loss and gradients of hidden, weight and bias, None without one, of any loss of a linear map."""
    inputs = (hidden, weight) if bias is None else (hidden, weight, bias)
    loss, pull = jax.vjp(lambda h, w, b=None: function(h, w, b, target, **options), *inputs)
    # The loss of narrow inputs may be float32.
    gradients = pull(cotangent.astype(loss.dtype))
    return loss, gradients[0], gradients[1], None if bias is None else gradients[2]


def hvp(function: Loss, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
    """Derivative of <vjp(cotangent), vector> with respect to the logits."""

    def gradient(x: Array) -> Array:
        loss, pull = jax.vjp(lambda y: function(y, target, **options), x)
        grad: Array = pull(cotangent.astype(loss.dtype))[0]
        return grad

    product: Array = jax.vjp(gradient, logits)[1](vector)[0]
    return product


def one_hot(logits: Array, target: Array) -> Array:
    """The distributions of class indices, shaped and typed like the logits."""
    axis = 0 if logits.ndim == 1 else 1
    return jax.nn.one_hot(target, logits.shape[axis], axis=axis, dtype=logits.dtype)


def callable_backend(
    function: Loss,
    *,
    spec: str,
    dtypes: tuple[str, ...] | None,
    gradient: bool,
    device: str,
    tried: bytes | None,
    form: str | None = None,
) -> JaxArrays:
    """A backend with the capabilities that the callable shows (see ``callables``)."""
    arrays = callables.Arrays(lambda array: jax_arrays.array_of(array, device), jax_arrays.numpy_of, one_hot)
    first, second = (vjp, hvp) if gradient else (None, None)
    found = callables.plugged(function, spec, arrays, dtypes, vjp=first, hvp=second, tried=tried, form=form)
    # Every new shape costs a compilation, of the callable or of each operation in it.
    capabilities = replace(found.capabilities, static_shapes=True)
    differentiable = JaxTwiceDifferentiable if found.second_order else JaxDifferentiable
    kind: Any = differentiable if gradient else JaxCallable
    if found.form != "cross_entropy":
        kind = class_of(found.form, JaxArrays, gradient=gradient)
    setup = f"{jax_arrays.SETUP}\n{found.setup}"
    made = capabilities, device, found.call, setup, found.expression, found.tried
    return kind(callables.backend_name(spec), *made)  # type: ignore[no-any-return]
