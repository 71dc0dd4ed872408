"""Softmax cross-entropy in NumPy, with gradients: an implementation to read, and to copy.

Logits x are (C), (N, C) or (N, C, d1, ..., dk) in float16, bfloat16, float32 or float64; targets are class indices or
probabilities; these and class weights may have another of these dtypes. Class indices without smoothing, which most
calls are, take ``numpy_labels``; everything else is computed in float64 and rounded once, at the end. With Q of
``numpy_normal_form``:

    loss_i = sum_j Q_ij (-log p_ij)              p = softmax(x)
    d loss_i / d x_ij = p_ij S_i - Q_ij          S_i = sum_j Q_ij
    d loss_i / d q_ij = (1 - eps) w_j (-log p_ij)
    Hessian_i v = S_i p_i (v_i - <p_i, v_i>)

Results follow ``torch.nn.functional.cross_entropy``. Ignored rows contribute zero to loss and gradient, whatever they
hold. The mean divides by the targets' weights, for probabilities by the rows. A call that has no answer raises
TypeError, ValueError or IndexError (see ``validation``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.numpy_extras import NONE, Extras
from xent_backends.numpy_labels import label_call, label_gradient, label_losses
from xent_backends.numpy_normal_form import (
    by_row,
    checked_labels,
    class_weights,
    divisor,
    finite_product,
    log_softmax_rows,
    normal_form,
    reduced,
    restored,
)
from xent_backends.validation import DEFAULT_IGNORE_INDEX

AnyArray = npt.NDArray[Any]


class Gradients(NamedTuple):
    """Loss, gradient of the logits, and gradient of probability targets (None for class indices)."""

    loss: AnyArray
    grad_logits: AnyArray
    grad_target: AnyArray | None


def softmax(logits: AnyArray) -> AnyArray:
    """Softmax over the class axis, in the shape and dtype of the logits."""
    validation.check_logits(logits)
    with np.errstate(all="ignore"):
        return restored(np.exp(log_softmax_rows(by_row(logits))), logits)


def log_softmax(logits: AnyArray) -> AnyArray:
    """Logarithm of the softmax over the class axis, in the shape and dtype of the logits."""
    validation.check_logits(logits)
    with np.errstate(all="ignore"):
        return restored(log_softmax_rows(by_row(logits)), logits)


def softmax_vjp(cotangent: AnyArray, logits: AnyArray) -> AnyArray:
    """Gradient of <softmax(logits), cotangent>, p (g - <p, g>) in each row, in the shape and dtype of the logits."""
    _check_like_logits(cotangent, logits)
    with np.errstate(all="ignore"):
        p, g = np.exp(log_softmax_rows(by_row(logits))), by_row(cotangent)
        return restored(p * (g - np.sum(p * g, axis=-1, keepdims=True)), logits)


def log_softmax_vjp(cotangent: AnyArray, logits: AnyArray) -> AnyArray:
    """Gradient of <log_softmax(logits), cotangent>, g - p sum(g) in each row, in the shape and dtype of the logits."""
    _check_like_logits(cotangent, logits)
    with np.errstate(all="ignore"):
        p, g = np.exp(log_softmax_rows(by_row(logits))), by_row(cotangent)
        return restored(g - p * np.sum(g, axis=-1, keepdims=True), logits)


def _check_like_logits(cotangent: AnyArray, logits: AnyArray) -> None:
    validation.check_logits(logits)
    if cotangent.shape != logits.shape:
        raise ValueError(f"the cotangent must have the shape {logits.shape} of the logits, not {cotangent.shape}")


def nll_loss(
    log_probs: AnyArray,
    target: AnyArray,
    weight: AnyArray | None = None,
    ignore_index: int = DEFAULT_IGNORE_INDEX,
    reduction: str = "mean",
) -> AnyArray:
    """Negative log-likelihood of class indices under log-probabilities in the shape of logits."""
    if validation.has_probabilities(target):
        raise TypeError(f"nll_loss takes class indices, got {target.dtype}")
    validation.check_call(log_probs, target, weight, ignore_index, reduction, 0.0, mixed=True)
    with np.errstate(all="ignore"):
        rows = by_row(log_probs)
        labels, ignored = checked_labels(target, rows.shape[1], ignore_index)
        weights = class_weights(weight, rows.shape[1])[labels]
        losses = np.where(ignored, 0.0, -weights * rows[np.arange(len(rows)), labels])
        return reduced(losses, divisor(weights, ignored, reduction), reduction, log_probs)


def cross_entropy(
    logits: AnyArray,
    target: AnyArray,
    weight: AnyArray | None = None,
    ignore_index: int = DEFAULT_IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    divisor: float | None = None,
    lse_square_scale: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
) -> AnyArray:
    """Loss in the dtype of the logits: the rows' shape for "none", () for "sum" and "mean".

    The options after the asterisk are those of ``numpy_extras``.

    >>> cross_entropy(np.zeros((2, 4), np.float32), np.array([0, 3]))
    array(1.3862944, dtype=float32)
    """
    extras = Extras(divisor, lse_square_scale, logit_scale, softcap)
    with np.errstate(all="ignore"):
        if extras == NONE and _labels_alone(target, label_smoothing):
            call = label_call(logits, target, weight, ignore_index, reduction)
            return reduced(label_losses(call), call.divisor, reduction, logits)
        form = normal_form(logits, target, weight, ignore_index, reduction, label_smoothing, extras)
        return reduced(form.losses, form.divisor, reduction, logits)


def cross_entropy_vjp(
    cotangent: AnyArray,
    logits: AnyArray,
    target: AnyArray,
    weight: AnyArray | None = None,
    ignore_index: int = DEFAULT_IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    divisor: float | None = None,
    lse_square_scale: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
) -> Gradients:
    """Loss and gradients for a cotangent of the loss's shape."""
    _check_cotangent(cotangent, logits, reduction)
    extras = Extras(divisor, lse_square_scale, logit_scale, softcap)
    with np.errstate(all="ignore"):
        if extras == NONE and _labels_alone(target, label_smoothing):
            call = label_call(logits, target, weight, ignore_index, reduction)
            losses, rows = label_gradient(call, cotangent)
            return Gradients(reduced(losses, call.divisor, reduction, logits), restored(rows, logits), None)
        form = normal_form(logits, target, weight, ignore_index, reduction, label_smoothing, extras)
        loss = reduced(form.losses, form.divisor, reduction, logits)
        gradient = form.scaled(cotangent, form.row_gradients)
        grad_target = None
        if validation.has_probabilities(target):
            x = extras.mapped(by_row(logits))
            shares = np.broadcast_to((1 - label_smoothing) * class_weights(weight, x.shape[1]), x.shape)
            grad_target = restored(form.scaled(cotangent, finite_product(shares, -form.log_probs, x)), target)
        return Gradients(loss, restored(gradient, logits), grad_target)


def cross_entropy_hvp(
    vector: AnyArray,
    cotangent: AnyArray,
    logits: AnyArray,
    target: AnyArray,
    weight: AnyArray | None = None,
    ignore_index: int = DEFAULT_IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> AnyArray:
    """Derivative of <vjp(cotangent), vector> with respect to the logits, for a vector of their shape."""
    _check_cotangent(cotangent, logits, reduction)
    with np.errstate(all="ignore"):
        form = normal_form(logits, target, weight, ignore_index, reduction, label_smoothing)
        p, v = np.exp(form.log_probs), by_row(vector)
        centred = v - np.sum(p * v, axis=-1, keepdims=True)
        return restored(form.scaled(cotangent, form.mass * p * centred), logits)


@dataclass(frozen=True)
class CrossEntropyLoss:
    """The same loss as a layer: built from the options, then called with logits and target."""

    weight: AnyArray | None = None
    ignore_index: int = DEFAULT_IGNORE_INDEX
    reduction: str = "mean"
    label_smoothing: float = 0.0

    def __call__(self, logits: AnyArray, target: AnyArray) -> AnyArray:
        """Loss of one batch."""
        return cross_entropy(logits, target, **vars(self))

    def vjp(self, cotangent: AnyArray, logits: AnyArray, target: AnyArray) -> Gradients:
        """Loss and gradients of one batch."""
        return cross_entropy_vjp(cotangent, logits, target, **vars(self))


def _labels_alone(target: AnyArray, label_smoothing: float) -> bool:
    """Whether the loss of a row depends on one class only; ``normal_form`` rejects smoothing that is not a number."""
    return not validation.has_probabilities(target) and label_smoothing == 0 and not isinstance(label_smoothing, bool)


def _check_cotangent(cotangent: AnyArray, logits: AnyArray, reduction: str) -> None:
    shape = validation.row_shape(logits) if reduction == "none" else ()
    if cotangent.shape != shape:
        raise ValueError(f"the cotangent must have the shape of the loss, {shape}; got {cotangent.shape}")
