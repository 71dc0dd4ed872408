"""Cross-entropy composed from ``jax.nn.log_softmax``, in plain JAX: JAX itself has no such loss.

Reductions and all options are traced values, and class indices become shares of 0 and 1, so that one compiled program
serves every option and both kinds of target: one is compiled for each shape and dtype. Labels are not checked here.

log_softmax is JAX's own, in the dtype of the logits. What follows it is done in float32 or wider and rounded once, and
keeps away from arithmetic that makes nan out of rows or classes that are not in the sum.

Reproducers print these functions as they stand (see ``source_text``), which is why they use nothing but JAX and NumPy.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

Losses = tuple[Array, Array]


def class_axis(logits: Array) -> int:
    """Axis of the classes: 0 for unbatched logits, else 1."""
    return 0 if logits.ndim == 1 else 1


def class_weights(logits: Array, weight: Array | None = None) -> ArrayLike:
    """Class weights (C,), ones where none are given."""
    return np.ones(logits.shape[class_axis(logits)], logits.dtype) if weight is None else weight


def operands(
    logits: Array,
    target: Array | np.ndarray,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[ArrayLike, ...]:
    """The arguments of the functions below after the logits.

    Returns:
        Target probabilities, class weights, mask of ignored rows, whether the target was class indices, the smoothing,
        and whether to divide by the mean's divisor.
    """
    axis, shares, indexed = class_axis(logits), target, target.ndim < logits.ndim
    ignored = np.zeros(logits.shape[:axis] + logits.shape[axis + 1 :], bool)
    if indexed:
        labels, classes = np.asarray(target), np.arange(logits.shape[axis])
        ignored = labels == ignore_index
        each = classes.reshape(-1, *[1] * (logits.ndim - axis - 1))
        shares = (np.expand_dims(np.where(ignored, -1, labels), axis) == each).astype(logits.dtype)
    return shares, class_weights(logits, weight), ignored, indexed, label_smoothing, reduction == "mean"


def cotangents(cotangent: Array, logits: Array, reduction: str) -> tuple[ArrayLike, ArrayLike]:
    """The cotangents of the losses of the rows and of their total, of which one is zero."""
    axis, zero = class_axis(logits), np.zeros((), logits.dtype)
    rows = np.zeros(logits.shape[:axis] + logits.shape[axis + 1 :], logits.dtype)
    return (cotangent, zero) if reduction == "none" else (rows, cotangent)


def divisor_of(mean_divisor: Array, divide: ArrayLike) -> Array:
    """The divisor of the sum over the rows: 1 without ``divide``, and nan in place of zero."""
    return jnp.where(divide, jnp.where(mean_divisor == 0, jnp.nan, mean_divisor), 1)


def softmax(logits: Array) -> Array:
    """Softmax over the class axis."""
    return jax.nn.softmax(logits, axis=class_axis(logits))


def log_softmax(logits: Array) -> Array:
    """Logarithm of the softmax over the class axis."""
    return jax.nn.log_softmax(logits, axis=class_axis(logits))


def softmax_vjp(cotangent: Array, logits: Array) -> Array:
    """Gradient of <softmax(logits), cotangent>."""
    gradient: Array = jax.vjp(softmax, logits)[1](cotangent)[0]
    return gradient


def log_softmax_vjp(cotangent: Array, logits: Array) -> Array:
    """Gradient of <log_softmax(logits), cotangent>."""
    gradient: Array = jax.vjp(log_softmax, logits)[1](cotangent)[0]
    return gradient


def nll(log_probs: Array, target: Array, weight: Array, ignore_index: ArrayLike, divide: ArrayLike) -> Losses:
    """Losses of the rows, and their sum, divided by the targets' weights if ``divide``. For class indices."""
    wide = jnp.promote_types(log_probs.dtype, jnp.float32)
    ignored = target == ignore_index
    labels = jnp.where(ignored, 0, target)
    rows = jnp.moveaxis(log_probs, class_axis(log_probs), -1)
    chosen = jnp.take_along_axis(rows, labels[..., None], axis=-1)[..., 0].astype(wide)
    weights = jnp.where(ignored, 0, weight.astype(wide)[labels])
    losses = jnp.where(ignored, 0, -weights * jnp.where(ignored, 0, chosen))
    total = jnp.sum(losses) / divisor_of(jnp.sum(weights), divide)
    return losses.astype(log_probs.dtype), total.astype(log_probs.dtype)


def losses_and_total(
    logits: Array,
    shares: Array,
    weight: Array,
    ignored: Array,
    indexed: ArrayLike,
    smoothing: ArrayLike,
    divide: ArrayLike,
) -> Losses:
    """Losses of the rows, and their sum, divided by the mean's divisor if ``divide``."""
    wide = jnp.promote_types(logits.dtype, jnp.float32)
    x, q = (jnp.moveaxis(a, class_axis(logits), -1) for a in (logits, shares))
    eps, w, q, left = jnp.asarray(smoothing, wide), weight.astype(wide), q.astype(wide), ~ignored[..., None]
    # The other classes of a class index are not in the sum; those of a probability of zero are, and 0 * inf is nan.
    counted = left & ((q > 0) | (eps > 0) | jnp.logical_not(indexed))
    of_targets = jnp.sum(jnp.where(q > 0, w * jax.lax.stop_gradient(q), 0))
    divisor = jnp.where(indexed, of_targets, ignored.size)
    # Before log_softmax, not after it: the derivative there of an infinite or nan row is nan, and nan * 0 is nan.
    x = jnp.where(left, x, 0)
    surprise = -jax.nn.log_softmax(x, axis=-1).astype(wide)
    coefficients = jnp.where(counted, w * ((1 - eps) * q + eps / x.shape[-1]), 0)
    # -log p of finite logits may overflow; a coefficient of zero then still means zero, and the largest finite number
    # in place of infinity gives that without losing the derivative with respect to the coefficient.
    overflowed = (coefficients == 0) & jnp.isfinite(x) & jnp.isinf(surprise)
    surprise = jnp.where(overflowed, np.finfo(wide).max, jnp.where(counted, surprise, 0))
    losses = jnp.sum(coefficients * surprise, axis=-1)
    total = jnp.sum(losses) / divisor_of(divisor, divide)
    return losses.astype(logits.dtype), total.astype(logits.dtype)


def vjp(cotangent: Any, logits: Array, shares: Array, *others: Any) -> tuple[Losses, tuple[Array, Array]]:
    """Losses and total, and the gradients of the logits and of the shares, for a pair of cotangents."""
    values, pull = jax.vjp(lambda x, q: losses_and_total(x, q, *others), logits, shares)
    return values, pull(cotangent)


def hvp(vector: Array, cotangent: Any, logits: Array, shares: Array, *others: Any) -> Array:
    """Derivative of <vjp(cotangent), vector> with respect to the logits: forward over reverse."""
    product: Array = jax.jvp(lambda x: vjp(cotangent, x, shares, *others)[1][0], (logits,), (vector,))[1]
    return product
