"""The normal form to which the NumPy implementation converts every call: R rows by C classes, in float64.

    loss_i = sum_j Q_ij (-log p_ij),        p = softmax(x)

    class indices t:  Q_ij = w_j ((1 - eps) [j = t_i] + eps / C),  0 on ignored rows
    probabilities q:  Q_ij = w_j ((1 - eps) q_ij + eps / C)

The functions here expect ``np.errstate`` to be set by their caller: infinities and nan are ordinary values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.numpy_extras import NONE, Extras

AnyArray = npt.NDArray[Any]
F64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class NormalForm:
    """One call: log-probabilities and coefficients Q (R, C), losses (R,), which rows are ignored (R,), the divisor.

    ``z_slope`` (R, 1) is the derivative of the z-loss with respect to logsumexp, ``slope`` that of the logits which the
    loss sees with respect to those given.
    """

    log_probs: F64Array
    coefficients: F64Array
    losses: F64Array
    ignored: BoolArray
    divisor: float
    z_slope: F64Array | float = 0.0
    slope: F64Array | float | None = None

    def scaled(self, cotangent: AnyArray, row_gradients: F64Array) -> F64Array:
        """The cotangent of the loss times each row's gradient; exactly zero on ignored rows, whatever their logits."""
        scale = cotangent.astype(np.float64).reshape(-1, 1) / self.divisor
        return np.where(self.ignored[:, None], 0.0, scale * row_gradients)

    @property
    def row_gradients(self) -> F64Array:
        """The gradient of each row's loss, (R, C)."""
        gradients = np.exp(self.log_probs) * (self.mass + self.z_slope) - self.coefficients
        return gradients if self.slope is None else np.asarray(gradients * self.slope)

    @property
    def mass(self) -> F64Array:
        """S, the sum of each row's coefficients, (R, 1)."""
        return np.asarray(np.sum(self.coefficients, axis=-1, keepdims=True))


def normal_form(
    logits: AnyArray,
    target: AnyArray,
    weight: AnyArray | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    extras: Extras = NONE,
) -> NormalForm:
    """Check a call and convert it to its normal form. Raises what ``validation.check_call`` does."""
    validation.check_call(logits, target, weight, ignore_index, reduction, label_smoothing, mixed=True)
    extras.check(reduction)
    given = by_row(logits)
    x = extras.mapped(given)
    classes = x.shape[1]
    weights = class_weights(weight, classes)
    if validation.has_probabilities(target):
        shares, ignored = by_row(target), np.zeros(len(x), bool)
        counted, row_weights = np.ones(x.shape, bool), np.ones(len(x))
    else:
        labels, ignored = checked_labels(target, classes, ignore_index)
        is_target = (labels[:, None] == np.arange(classes)) & ~ignored[:, None]
        shares, row_weights = is_target.astype(np.float64), weights[labels]
        counted = np.broadcast_to(~ignored[:, None], x.shape) if label_smoothing else is_target
    smoothed = (1 - label_smoothing) * shares + label_smoothing / classes
    coefficients = np.where(counted, weights * smoothed, 0.0)
    log_probs = log_softmax_rows(x)
    # A class that is not in the sum adds nothing, even if its logit is -inf. In the sum, 0 * inf is nan, as in PyTorch.
    terms = np.where(counted, finite_product(coefficients, -log_probs, x), 0.0)
    losses = np.asarray(np.sum(terms, axis=-1))
    total = divisor(row_weights, ignored, reduction) if extras.divisor is None else float(extras.divisor)
    form = NormalForm(log_probs, coefficients, losses, ignored, total)
    return form if extras == NONE else _with_extras(form, given, x, extras)


def _with_extras(form: NormalForm, given: F64Array, x: F64Array, extras: Extras) -> NormalForm:
    """The normal form with the z-loss, and the slope of the logits x with respect to those given."""
    z_slope, losses = np.zeros((len(x), 1)), form.losses
    if extras.lse_square_scale:
        log_sum_exp = log_sum_exp_rows(x)
        squares = np.where(form.ignored, 0.0, extras.lse_square_scale * log_sum_exp[:, 0] ** 2)
        z_slope, losses = 2 * extras.lse_square_scale * log_sum_exp, losses + squares
    return replace(form, losses=losses, z_slope=z_slope, slope=extras.slope(given) if extras.maps else None)


def log_softmax_rows(x: F64Array) -> F64Array:
    """Log-softmax of (R, C), as (x - max) - log1p(sum of the other exponentials).

    Subtracting the maximum before anything else makes the result independent of a common offset; leaving the
    maximum's own exponential, 1, out of the sum keeps the small losses of confident rows.
    """
    _, shifted, log_sum = _partition(x)
    return np.asarray(shifted - log_sum)


def log_sum_exp_rows(x: F64Array) -> F64Array:
    """Logarithm of the sum of exponentials of each row of (R, C), as (R, 1)."""
    largest, _, log_sum = _partition(x)
    return np.asarray(largest + log_sum)


def _partition(x: F64Array) -> tuple[F64Array, F64Array, F64Array]:
    """The maximum m of each row (R, 1), x - m (R, C), and the logarithm of the sum of exponentials of those (R, 1)."""
    top = (np.arange(len(x)), np.argmax(x, axis=-1))
    largest = x[top][:, None]
    shifted = x - largest
    others = np.exp(shifted)
    others[top] -= 1.0  # 0, or nan where the row has no maximum to subtract
    return largest, shifted, np.log1p(np.sum(others, axis=-1, keepdims=True))


def finite_product(coefficients: F64Array, surprise: F64Array, x: F64Array) -> F64Array:
    """Coefficient times -log p; zero for a zero coefficient if -log p is infinite only by overflow.

    -log p of finite logits is finite, but exceeds float64 for logits of 1.7e308 and -1.7e308.
    """
    overflowed = (coefficients == 0) & np.isinf(surprise) & np.isfinite(x)
    return np.where(overflowed, 0.0, coefficients * surprise)


def checked_labels(target: AnyArray, classes: int, ignore_index: int) -> tuple[npt.NDArray[np.int64], BoolArray]:
    """Labels (R,) with 0 in place of the ignored ones, and which rows are ignored."""
    labels = target.astype(np.int64).reshape(-1)
    validation.check_labels(labels, classes, ignore_index)
    ignored = labels == ignore_index
    return np.where(ignored, 0, labels), ignored


def class_weights(weight: AnyArray | None, classes: int) -> F64Array:
    """Class weights (C,), ones where none are given."""
    return np.ones(classes) if weight is None else weight.astype(np.float64)


def divisor(row_weights: F64Array, ignored: BoolArray, reduction: str) -> float:
    """The divisor of the sum over the rows: for the mean the sum of the weights of rows that are not ignored, else 1.

    nan if that sum is zero, because neither loss nor gradient is then defined.
    """
    if reduction != "mean":
        return 1.0
    return float(np.sum(row_weights[~ignored])) or float("nan")


def reduced(losses: F64Array, total_divisor: float, reduction: str, logits: AnyArray) -> AnyArray:
    """Losses (R,) in the rows' shape, or their sum over the divisor, in the dtype of the logits."""
    if reduction == "none":
        return losses.reshape(validation.row_shape(logits)).astype(logits.dtype)
    return np.asarray(np.sum(losses) / total_divisor).astype(logits.dtype)


def by_row(array: AnyArray) -> F64Array:
    """An array of the logits' shape as float64 (R, C), contiguous so that NumPy sums a row pairwise."""
    moved = array if array.ndim <= 2 else np.moveaxis(array, 1, -1)  # noqa: PLR2004 - the class axis is the last
    return np.ascontiguousarray(moved, dtype=np.float64).reshape(math.prod(moved.shape[:-1]), moved.shape[-1])


def restored(rows: AnyArray, logits: AnyArray) -> AnyArray:
    """Rows (R, C) in the shape and dtype of the logits, or of targets of their shape."""
    if logits.ndim <= 2:  # noqa: PLR2004 - the class axis is the last
        return rows.reshape(logits.shape).astype(logits.dtype, copy=False)
    axis = validation.class_axis(logits)
    shape = (*validation.row_shape(logits), logits.shape[axis])
    return np.ascontiguousarray(np.moveaxis(rows.reshape(shape), -1, axis)).astype(logits.dtype, copy=False)
