"""Any callable on JAX arrays as a backend. It is called as it is, without ``jax.jit`` around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from xent_backends import jax_arrays, jax_modes
from xent_backends.callables import adapter
from xent_backends.callables.mixins import class_of
from xent_backends.source_text import joined, one_line, plain_source
from xent_conformance.interface import Backend, Capabilities, ReproducerParts, Vjp

Loss = Callable[..., Array]
#: Dtypes of labels that JAX has only while jax_enable_x64 is on.
WIDE_LABELS = ("int64", "uint64")


def linear_vjp(
    function: Loss, cotangent: Array, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
) -> tuple[Array, Array, Array, Array | None]:
    """Loss and gradients of hidden, weight and bias (None without a bias) of a loss with a linear map."""
    inputs = (hidden, weight) if bias is None else (hidden, weight, bias)
    loss, pull = jax.vjp(lambda h, w, b=None: function(h, w, b, target, **options), *inputs)
    # The loss of narrow inputs may be float32.
    gradients = pull(cotangent.astype(loss.dtype))
    return loss, gradients[0], gradients[1], None if bias is None else gradients[2]


def pullback(function: Loss, cotangent: Array, logits: Array) -> Array:
    """Gradient of <function(logits), cotangent>, for a function of logits alone."""
    gradient: Array = jax.vjp(function, logits)[1](cotangent)[0]
    return gradient


@dataclass(frozen=True)
class JaxArrays:
    """A function on JAX arrays.

    Attributes:
        name: The backend's name.
        capabilities: What it claims.
        device: The platform that it computes on.
        function: The function.
        setup: Lines at the beginning of a script that calls it.
        expression: The expression for it in that script.
        tried: The result of the trial of a callable (see ``callables``).
        libraries: Names of the distributions that it belongs to, if that is not JAX.
    """

    name: str
    capabilities: Capabilities
    device: str
    function: Loss
    setup: str
    expression: str
    tried: bytes | None = None
    libraries: tuple[str, ...] = ()
    linear_vjp = staticmethod(linear_vjp)
    pullback = staticmethod(pullback)

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries, of jax and of its compiler."""
        return {name: version(name) for name in self.libraries} | {**jax_arrays.versions()}

    def asarray(self, array: npt.NDArray[np.generic]) -> Array:
        """A contiguous JAX array with the array's values."""
        with self.settings():
            return array_of(array, self.device)

    def settings(self) -> AbstractContextManager[object]:
        """jax_enable_x64, on if float64 is claimed: it also changes the dtypes of intermediate results."""
        return jax_arrays.bits(wide="float64" in self.capabilities.logits_dtypes)

    def asnumpy(self, array: Any) -> npt.NDArray[Any]:
        """A NumPy array with the array's values; TypeError for anything but a JAX array."""
        return jax_arrays.numpy_of(array)

    def modes(self) -> Mapping[str, Callable[[], Backend]]:
        """The function under ``vmap``, and compiled or not compiled."""
        return jax_modes.modes(self)

    def reproducer(self) -> ReproducerParts:
        """A script that imports the callable by its dotted path."""
        return ReproducerParts(self.setup, jax_arrays.ARRAY, jax_arrays.RESULT, self._calls())

    def _calls(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class JaxCallable(JaxArrays):
    """A loss on JAX arrays: values only."""

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        """Loss, as the callable gives it."""
        with self.settings():
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
        """Loss and gradients. ``repeats=2`` calls one pullback twice; ``upstream`` has no meaning in JAX."""
        del upstream
        with self.settings():
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
        """Second derivative times a vector, by reverse over reverse, because few custom rules have a forward mode."""
        with self.settings():
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
    for given in [cotangent / -2, cotangent] if repeats > 1 else [cotangent]:
        # A loss of narrow logits may be float32.
        grads = pull(given.astype(loss.dtype))
    return loss, grads[0], grads[1] if len(grads) > 1 else None


def hvp(function: Loss, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
    """Derivative of <vjp(cotangent), vector> with respect to the logits."""

    def gradient(x: Array) -> Array:
        loss, pull = jax.vjp(lambda y: function(y, target, **options), x)
        grad: Array = pull(cotangent.astype(loss.dtype))[0]
        return grad

    product: Array = jax.vjp(gradient, logits)[1](vector)[0]
    return product


def one_hot(logits: Array, target: Array) -> Array:
    """One-hot rows of class indices, in the shape and dtype of the logits."""
    axis = 0 if logits.ndim == 1 else 1
    # It counts the classes in the dtype of the labels.
    return jax.nn.one_hot(target.astype(jnp.int32), logits.shape[axis], axis=axis, dtype=logits.dtype)


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
    derivatives = adapter.Derivatives(vjp, hvp, pullback) if gradient else adapter.Derivatives()
    claimed = dtypes if tried is None else adapter.logits_dtypes(tried)

    def found(dtypes: tuple[str, ...] | None, *, wide: bool) -> adapter.Plugged:
        arrays = adapter.Arrays(lambda array: array_of(array, device), jax_arrays.numpy_of, one_hot)
        with jax_arrays.bits(wide=wide), jax_arrays.compiling_anew() if tried is None else nullcontext():
            return adapter.plugged(function, spec, arrays, dtypes, derivatives=derivatives, tried=tried, form=form)

    made = found(dtypes, wide=claimed is None or "float64" in claimed)
    if claimed is None and "float64" not in made.capabilities.logits_dtypes:
        # The callable may have rejected the other dtypes only because jax_enable_x64 was on.
        made = _narrower(made, found)
    capabilities = made.capabilities
    wide = "float64" in capabilities.logits_dtypes
    # JAX compiles for every new shape: the callable, or each operation in it.
    capabilities = replace(capabilities if wide else _without_64_bits(capabilities), static_shapes=True)
    differentiable = JaxTwiceDifferentiable if made.second_order else JaxDifferentiable
    kind: Any = differentiable if gradient else JaxCallable
    if made.form != "cross_entropy":
        kind = class_of(made.form, JaxArrays, gradient=gradient and made.differentiable)
    setup = f"{jax_arrays.SETUP if wide else jax_arrays.NARROW_SETUP}\n{made.setup}"
    parts = capabilities, device, made.call, setup, made.expression, made.tried
    return kind(adapter.backend_name(spec), *parts)  # type: ignore[no-any-return]


def library_loss(
    name: str,
    function: Loss,
    capabilities: Capabilities,
    *,
    libraries: tuple[str, ...],
    setup: str,
    static: tuple[str, ...],
) -> JaxTwiceDifferentiable:
    """A backend for a library's loss on JAX arrays: compiled, with first and second derivatives.

    Args:
        name: The backend's name.
        function: Calls the library. Its source is part of scripts.
        capabilities: What it claims.
        libraries: Names of the distributions, the one under test first.
        setup: The lines that the source of ``function`` needs.
        static: Names of the options that are static arguments of ``jax.jit``.
    """
    jax_arrays.configure()
    compiled = jax.jit(function, static_argnames=static)
    wide = "float64" in capabilities.logits_dtypes
    claims = capabilities if wide else _without_64_bits(capabilities)
    source = f"{setup}\n{jax_arrays.SETUP if wide else jax_arrays.NARROW_SETUP}\n\n\n{plain_source(function)}"
    expression = f"jax.jit({function.__name__}, static_argnames={static!r})"
    place = jax_arrays.platform()
    return JaxTwiceDifferentiable(name, claims, place, compiled, source, expression, libraries=libraries)


def _narrower(wide: adapter.Plugged, found: Callable[..., adapter.Plugged]) -> adapter.Plugged:
    """The callable, tried again without jax_enable_x64; its reason for rejecting float64 is that of the first trial."""
    made = found(None, wide=False)
    own = next((why for what, why in wide.capabilities.left_out if what.startswith("logits ")), None)
    pairs = made.capabilities.left_out
    left_out = tuple((what, own if own and what.startswith("logits ") else why) for what, why in pairs)
    return replace(made, capabilities=replace(made.capabilities, left_out=left_out))


def _without_64_bits(claims: Capabilities) -> Capabilities:
    """The claims without 64-bit labels, which JAX converts to 32 bits before the callable gets them."""
    labels = tuple(name for name in claims.target_dtypes if not name.endswith("64")) or ("int32",)
    return replace(
        claims, target_dtypes=labels, tolerated_target_dtypes=(*claims.tolerated_target_dtypes, *WIDE_LABELS)
    )


def array_of(array: npt.NDArray[np.generic], device: str) -> Array:
    """A JAX array with the array's values. Raises TypeError if JAX would convert float64 to float32."""
    made = jax_arrays.array_of(array, device)
    if array.dtype == np.float64 and made.dtype != np.float64:
        raise TypeError("JAX has no float64 while jax_enable_x64 is off")
    return made
