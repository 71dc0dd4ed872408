"""Cross-entropy composed from ``jax.nn.log_softmax``, in plain JAX: JAX itself has no such loss.

Reductions and all options are traced values, so that one compiled program serves every option: a program is compiled
for each shape, dtype and kind of target only. Labels are not checked here; under ``jit`` they cannot be.

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


def traced(
    logits: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[ArrayLike, ...]:
    """The options as the programs below take them: weight, sentinel, smoothing, whether to divide."""
    ones = np.ones(logits.shape[class_axis(logits)], logits.dtype)
    return ones if weight is None else weight, ignore_index, label_smoothing, reduction == "mean"


def cotangents(cotangent: Array, logits: Array, reduction: str) -> tuple[ArrayLike, ArrayLike]:
    """The cotangent of a loss as those of the rows' losses and of their total, one of them zero."""
    axis, zero = class_axis(logits), np.zeros((), logits.dtype)
    rows = np.zeros(logits.shape[:axis] + logits.shape[axis + 1 :], logits.dtype)
    return (cotangent, zero) if reduction == "none" else (rows, cotangent)


def divisor_of(mean_divisor: Array, divide: ArrayLike) -> Array:
    """What a sum over the rows is divided by: nan for a mean over nothing, 1 for a sum."""
    return jnp.where(divide, jnp.where(mean_divisor == 0, jnp.nan, mean_divisor), 1)


def softmax(logits: Array) -> Array:
    """Softmax over the class axis."""
    return jax.nn.softmax(logits, axis=class_axis(logits))


def log_softmax(logits: Array) -> Array:
    """Logarithm of the softmax over the class axis."""
    return jax.nn.log_softmax(logits, axis=class_axis(logits))


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
    logits: Array, target: Array, weight: Array, ignore_index: ArrayLike, smoothing: ArrayLike, divide: ArrayLike
) -> Losses:
    """Losses of the rows, and their sum, divided by the mean's divisor if ``divide``."""
    wide = jnp.promote_types(logits.dtype, jnp.float32)
    x = jnp.moveaxis(logits, class_axis(logits), -1)
    eps, w = jnp.asarray(smoothing, wide), weight.astype(wide)
    if jnp.issubdtype(target.dtype, jnp.floating):
        shares = jnp.moveaxis(target, class_axis(logits), -1).astype(wide)
        counted, divisor = jnp.ones(x.shape, bool), jnp.asarray(x.size // x.shape[-1], wide)
    else:
        ignored = target == ignore_index
        is_target = (target[..., None] == jnp.arange(x.shape[-1])) & ~ignored[..., None]
        shares, counted = is_target.astype(wide), (is_target | (eps > 0)) & ~ignored[..., None]
        divisor = jnp.sum(jnp.where(ignored, 0, w[jnp.where(ignored, 0, target)]))
        # Before log_softmax, not after it: the derivative there of an infinite or nan row is nan, and nan * 0 is nan.
        x = jnp.where(ignored[..., None], 0, x)
    surprise = -jax.nn.log_softmax(x, axis=-1).astype(wide)
    coefficients = jnp.where(counted, w * ((1 - eps) * shares + eps / x.shape[-1]), 0)
    # -log p of finite logits may overflow; a coefficient of zero then still means zero, and the largest finite number
    # in place of infinity gives that without losing the derivative with respect to the coefficient.
    overflowed = (coefficients == 0) & jnp.isfinite(x) & jnp.isinf(surprise)
    surprise = jnp.where(overflowed, np.finfo(wide).max, jnp.where(counted, surprise, 0))
    losses = jnp.sum(coefficients * surprise, axis=-1)
    total = jnp.sum(losses) / divisor_of(divisor, divide)
    return losses.astype(logits.dtype), total.astype(logits.dtype)


def vjp(cotangent: Any, logits: Array, target: Array, *options: Any) -> tuple[Losses, tuple[Array, ...]]:
    """Losses and total, and the gradients of the logits and of probability targets, for a pair of cotangents."""
    if jnp.issubdtype(target.dtype, jnp.floating):
        values, pull = jax.vjp(lambda x, q: losses_and_total(x, q, *options), logits, target)
    else:
        values, pull = jax.vjp(lambda x: losses_and_total(x, target, *options), logits)
    return values, pull(cotangent)


def hvp(vector: Array, cotangent: Any, logits: Array, target: Array, *options: Any) -> Array:
    """Derivative of <vjp(cotangent), vector> with respect to the logits: forward over reverse."""
    product: Array = jax.jvp(lambda x: vjp(cotangent, x, target, *options)[1][0], (logits,), (vector,))[1]
    return product
