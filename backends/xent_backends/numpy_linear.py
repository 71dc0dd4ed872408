"""Softmax cross-entropy with a linear map fused in, in NumPy: logits = hidden @ weight.T + bias stay in float64.

With G the gradient of the logits (N, C):

    gradient of hidden  G weight        of weight  G^T hidden        of bias  sum_i G_i
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.numpy_cross_entropy import cross_entropy, cross_entropy_vjp

AnyArray = npt.NDArray[Any]


def linear_cross_entropy(
    hidden: AnyArray, weight: AnyArray, bias: AnyArray | None, target: AnyArray, **options: Any
) -> AnyArray:
    """Loss in the dtype of hidden (N, H), for weight (C, H), bias (C,) or None and class indices (N,)."""
    return cross_entropy(_logits(hidden, weight, bias), target, **options).astype(hidden.dtype)


def linear_cross_entropy_vjp(
    cotangent: AnyArray, hidden: AnyArray, weight: AnyArray, bias: AnyArray | None, target: AnyArray, **options: Any
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray | None]:
    """Loss and gradients of hidden, weight and bias (None without a bias), for a cotangent of the loss's shape."""
    loss, gradient, _ = cross_entropy_vjp(cotangent, _logits(hidden, weight, bias), target, **options)
    of_hidden, of_weight = gradient @ weight.astype(np.float64), gradient.T @ hidden.astype(np.float64)
    of_bias = None if bias is None else gradient.sum(axis=0).astype(bias.dtype)
    return loss.astype(hidden.dtype), of_hidden.astype(hidden.dtype), of_weight.astype(weight.dtype), of_bias


def _logits(hidden: AnyArray, weight: AnyArray, bias: AnyArray | None) -> npt.NDArray[np.float64]:
    """Logits (N, C) in float64. Raises TypeError if an input is not floating-point, ValueError for wrong shapes."""
    validation.check_logits(hidden)
    with np.errstate(all="ignore"):
        logits: npt.NDArray[np.float64] = hidden.astype(np.float64) @ weight.astype(np.float64).T
        return logits if bias is None else logits + bias.astype(np.float64)
