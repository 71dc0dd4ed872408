"""Adapter for Optax: its losses of integer labels and of label distributions, compiled as in a training step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Conventions, Precision, ReproducerParts, Vjp

try:
    import jax
    import optax
except ImportError as error:
    raise unavailable("optax", error) from error

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from xent_backends import jax_arrays, validation
from xent_backends.source_text import joined, plain_source
from xent_backends.validation import FLOATING, INTEGERS

#: "Class labels are assumed to be between 0 and num_classes - 1 inclusive"; -1 is the last class, C gives nan.
_LABELS = (
    "https://optax.readthedocs.io/en/latest/api/losses.html#optax.losses.softmax_cross_entropy_with_integer_labels"
)

CAPABILITIES = Capabilities(
    logits_dtypes=FLOATING,
    target_dtypes=INTEGERS,
    probability_targets=True,
    label_smoothing=True,
    unbatched=True,
    spatial=True,
    # Optax checks the dtypes, but neither the amount of smoothing nor shapes that can be broadcast.
    validation="adapter",
    static_shapes=True,
    # Integer labels: logsumexp(x) - x_t with every operation rounded to the dtype of the logits; sums are float32.
    precision=Precision(internals="native", form="B"),
    # The logsumexp of a row with +inf is inf: nan at the +inf, inf elsewhere.
    conventions=Conventions(
        invalid_label="undefined", infinite_row="not_finite", documentation={"invalid_label": _LABELS}
    ),
)


@partial(jax.jit, static_argnames="reduction")
def loss(logits: Array, target: Array, reduction: str) -> Array:
    """Losses of the rows, or their sum or mean, which Optax leaves to its users; targets may be distributions."""
    axis = 1 if logits.ndim > 1 else 0
    if jnp.issubdtype(target.dtype, jnp.floating):
        losses: Array = optax.softmax_cross_entropy(logits, target, axis=axis)
    else:
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, target, axis=axis)
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


@partial(jax.jit, static_argnames="reduction")
def gradients(cotangent: Array, logits: Array, target: Array, reduction: str) -> tuple[Array, Array, Array | None]:
    """Loss, gradient of the logits, and of distributions; None for integer labels."""
    if jnp.issubdtype(target.dtype, jnp.floating):
        value, pull = jax.vjp(lambda x, q: loss(x, q, reduction), logits, target)
        return value, *pull(cotangent)
    value, pull = jax.vjp(lambda x: loss(x, target, reduction), logits)
    return value, pull(cotangent)[0], None


@partial(jax.jit, static_argnames="reduction")
def second(vector: Array, cotangent: Array, logits: Array, target: Array, reduction: str) -> Array:
    """Derivative of <gradient, vector> with respect to the logits, forward over reverse."""
    product: Array = jax.jvp(lambda x: gradients(cotangent, x, target, reduction)[1], (logits,), (vector,))[1]
    return product


def smoothed(logits: Array, target: Array, label_smoothing: float) -> Array:
    """The targets, as distributions through ``optax.smooth_labels`` where they are smoothed."""
    if not label_smoothing:
        return target
    axis = 1 if logits.ndim > 1 else 0
    if not jnp.issubdtype(target.dtype, jnp.floating):
        target = jax.nn.one_hot(target, logits.shape[axis], axis=axis, dtype=logits.dtype)
    shares = optax.smooth_labels(jnp.moveaxis(target, axis, -1), label_smoothing)
    return jnp.moveaxis(shares, -1, axis)


@dataclass(frozen=True)
class OptaxBackend:
    """The losses, their gradients, and the derivatives of those."""

    name: str
    capabilities: Capabilities
    device: str

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of optax and of what it computes with."""
        return {"optax": optax.__version__, **jax_arrays.versions()}

    def asarray(self, array: npt.NDArray[np.generic]) -> Array:
        """A contiguous JAX array with the array's values."""
        return jax_arrays.array_of(array)

    def asnumpy(self, array: Any) -> npt.NDArray[Any]:
        """A NumPy array with the array's values; TypeError for anything but a JAX array."""
        return jax_arrays.numpy_of(array)

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        """Loss of integer labels or distributions."""
        reduction, eps = _checked(logits, target, **options)
        value: Array = loss(logits, smoothed(logits, target, eps), reduction)
        return value

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
        """Loss and gradients by ``jax.vjp``. JAX keeps no graph: ``repeats`` and ``upstream`` change nothing."""
        del repeats, upstream
        reduction, eps = _checked(logits, target, **options)
        value, by_logits, by_shares = gradients(cotangent, logits, smoothed(logits, target, eps), reduction)
        if not validation.has_probabilities(target):
            by_shares = None
        return Vjp(value, by_logits, by_shares if not eps or by_shares is None else by_shares * (1 - eps))

    def cross_entropy_hvp(self, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
        """Second derivative times a vector."""
        reduction, eps = _checked(logits, target, **options)
        product: Array = second(vector, cotangent, logits, smoothed(logits, target, eps), reduction)
        return product

    def reproducer(self) -> ReproducerParts:
        """A script in plain Optax, printed from the functions that this adapter runs."""
        parts = [plain_source(inspect.unwrap(f)) for f in (loss, gradients, second)]
        setup = f"{jax_arrays.SETUP}\nimport optax\n\n\n{joined(*parts, plain_source(smoothed))}"
        return ReproducerParts(setup, jax_arrays.ARRAY, jax_arrays.RESULT, _SCRIPTS)


_SCRIPTS = {
    "cross_entropy": """def cross_entropy(logits, target, reduction='mean', label_smoothing=0.0):
    return jax.jit(loss, static_argnames='reduction')(logits, smoothed(logits, target, label_smoothing), reduction)""",
    "cross_entropy_vjp": """def cross_entropy_vjp(cotangent, logits, target, upstream='leaf', **options):
    reduction, eps = options.get('reduction', 'mean'), options.get('label_smoothing', 0.0)
    run = jax.jit(gradients, static_argnames='reduction')
    value, by_logits, by_shares = run(cotangent, logits, smoothed(logits, target, eps), reduction)
    return value, by_logits, by_shares * (1 - eps) if jnp.issubdtype(target.dtype, jnp.floating) else None""",
    "cross_entropy_hvp": """def cross_entropy_hvp(vector, cotangent, logits, target, **options):
    shares = smoothed(logits, target, options.get('label_smoothing', 0.0))
    run = jax.jit(second, static_argnames='reduction')
    return run(vector, cotangent, logits, shares, options.get('reduction', 'mean'))""",
}


def _checked(logits: Array, target: Array, reduction: str = "mean", label_smoothing: float = 0.0) -> tuple[str, float]:
    """Check everything but the values of the labels, which Optax leaves undefined outside their range."""
    validation.check_logits(logits)
    validation.check_target(target, logits, INTEGERS)
    validation.check_reduction(reduction)
    validation.check_label_smoothing(label_smoothing)
    return reduction, label_smoothing


def backend() -> OptaxBackend:
    """The registered backend ``optax``."""
    jax_arrays.configure()
    return OptaxBackend("optax", CAPABILITIES, jax_arrays.platform())
