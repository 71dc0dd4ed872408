"""Loss and gradient of class indices without smoothing, in NumPy, a block of rows at a time.

With t the label of a row, m its largest logit and o = sum_{j not argmax} exp(x_j - m):

    loss = w_t (log1p(o) - (x_t - m))        d loss / d x_j = w_t (exp(x_j - m) / (1 + o) - [j = t])

A block of rows stays in the processor's cache while it is read, exponentiated, summed and written. Exponentials of
float16, bfloat16 and float32 logits are computed in float32, which is what takes the time; x_t - m, o, log1p, the
target's own gradient and all sums are in float64. float64 logits are computed in float64 throughout.

The functions here expect ``np.errstate`` to be set by their caller: infinities and nan are ordinary values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.numpy_normal_form import checked_labels, class_weights, divisor, finite_product

AnyArray = npt.NDArray[Any]
F64Array = npt.NDArray[np.float64]

#: Elements of a block: 256 KiB of float32, which a second-level cache holds.
BLOCK = 1 << 16


class LabelCall(NamedTuple):
    """One call: logits (R, C) in their own dtype; of each row label, ignored or not, and weight (R,); the divisor."""

    x: AnyArray
    labels: npt.NDArray[np.int64]
    ignored: npt.NDArray[np.bool_]
    weights: F64Array
    divisor: float


class Block(NamedTuple):
    """Some rows: which, exp(x - m) of each class (r, C), x_t and x_t - m (r,), and the sum o of the others (r,)."""

    rows: slice
    exponentials: AnyArray
    of_label: F64Array
    gap: F64Array
    others: F64Array


def label_call(
    logits: AnyArray, target: AnyArray, weight: AnyArray | None, ignore_index: int, reduction: str
) -> LabelCall:
    """Check a call with class indices, and look up the weights of its labels."""
    validation.check_call(logits, target, weight, ignore_index, reduction, 0.0, mixed=True)
    moved = logits if logits.ndim <= 2 else np.moveaxis(logits, 1, -1)  # noqa: PLR2004 - the class axis is the last
    x = moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1])
    labels, ignored = checked_labels(target, x.shape[1], ignore_index)
    weights = class_weights(weight, x.shape[1])[labels]
    return LabelCall(x, labels, ignored, weights, divisor(weights, ignored, reduction))


def label_losses(call: LabelCall) -> F64Array:
    """Losses (R,), zero on ignored rows."""
    losses = np.empty(len(call.x))
    for block in _blocks(call):
        losses[block.rows] = _losses(call, block)
    return np.where(call.ignored, 0.0, losses)


def label_gradient(call: LabelCall, cotangent: AnyArray) -> tuple[F64Array, AnyArray]:
    """Losses (R,) and the gradient (R, C) in the dtype of the logits, for a cotangent of the loss."""
    losses, gradient = np.empty(len(call.x)), np.empty(call.x.shape, call.x.dtype)
    scale = cotangent.astype(np.float64).reshape(-1) / call.divisor * call.weights
    for block in _blocks(call):
        losses[block.rows] = _losses(call, block)
        gradient[block.rows] = _gradient(call, block, scale[block.rows])
    gradient[call.ignored] = 0.0
    return np.where(call.ignored, 0.0, losses), gradient


def _losses(call: LabelCall, block: Block) -> F64Array:
    return finite_product(call.weights[block.rows], np.log1p(block.others) - block.gap, block.of_label)


def _gradient(call: LabelCall, block: Block, scale: F64Array) -> AnyArray:
    """The product scale (p - [j = t]), in place of the exponentials. The target's entry cancels: it is in float64."""
    targets = (np.arange(len(scale)), call.labels[block.rows])
    of_targets = scale * (block.exponentials[targets] / (1 + block.others) - 1)
    result = block.exponentials
    np.multiply(result, (scale / (1 + block.others))[:, None], out=result, casting="same_kind")
    result[targets] = of_targets
    return result


def _blocks(call: LabelCall) -> Iterator[Block]:
    """The rows in order; each block overwrites the exponentials of the one before."""
    x, classes = call.x, call.x.shape[1]
    step = min(len(x), max(1, BLOCK // classes)) or 1
    buffer = np.empty((step, classes), np.float64 if x.dtype == np.float64 else np.float32)
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        shifted = buffer[: rows.stop - start]
        shifted[...] = x[rows]
        each = np.arange(len(shifted))
        top = (each, np.argmax(shifted, axis=1))
        largest = shifted[top]
        of_label = shifted[each, call.labels[rows]].astype(np.float64)
        gap = np.subtract(of_label, largest)
        shifted -= largest[:, None]
        exponentials = np.exp(shifted, out=shifted)
        # Leaving out the maximum's own exponential, 1, keeps the small losses of confident rows. Taking it away leaves
        # nan where a row has no maximum to subtract.
        exponentials[top] -= 1
        others = np.asarray(np.sum(exponentials, axis=1, dtype=np.float64))
        exponentials[top] += 1
        yield Block(rows, exponentials, of_label, gap, others)
