"""Functions that the training of language models uses in addition to the loss, in NumPy.

    logsumexp L_i = log sum_j exp(x_ij)        gradient  g_i p_ij
    log p_it of a class index t                          g_i ([j = t_i] - p_ij)
    entropy H_i = -sum_j p_ij log p_ij                   -g_i p_ij (log p_ij + H_i)

All are computed in float64, by row, and rounded once. A class of probability zero adds nothing to the entropy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends import validation
from xent_backends.numpy_normal_form import by_row, log_softmax_rows, log_sum_exp_rows, restored

AnyArray = npt.NDArray[Any]
F64Array = npt.NDArray[np.float64]


def logsumexp(logits: AnyArray) -> AnyArray:
    """Logsumexp of each row, in the dtype of the logits."""
    validation.check_logits(logits)
    with np.errstate(all="ignore"):
        return _of_rows(log_sum_exp_rows(by_row(logits)), logits)


def logsumexp_vjp(cotangent: AnyArray, logits: AnyArray) -> AnyArray:
    """Gradient of logsumexp in the shape and dtype of the logits, for a cotangent in the shape of the rows."""
    g = _cotangents(cotangent, logits)
    with np.errstate(all="ignore"):
        return restored(g * np.exp(log_softmax_rows(by_row(logits))), logits)


def token_log_probs(logits: AnyArray, target: AnyArray) -> AnyArray:
    """Log-probability of each row's class index, in the dtype of the logits."""
    labels = _labels(logits, target)
    with np.errstate(all="ignore"):
        log_probs = log_softmax_rows(by_row(logits))
        return _of_rows(log_probs[np.arange(len(labels)), labels], logits)


def token_log_probs_vjp(cotangent: AnyArray, logits: AnyArray, target: AnyArray) -> AnyArray:
    """Gradient of the log-probabilities in the shape and dtype of the logits, for a cotangent in the shape of rows."""
    labels, g = _labels(logits, target), _cotangents(cotangent, logits)
    with np.errstate(all="ignore"):
        log_probs = log_softmax_rows(by_row(logits))
        slope = -np.exp(log_probs)
        own = np.arange(len(labels)), labels
        # 1 - p without cancellation.
        slope[own] = -np.expm1(log_probs[own])
        return restored(g * slope, logits)


def entropy(logits: AnyArray) -> AnyArray:
    """Entropy of each row in nats, in the dtype of the logits."""
    validation.check_logits(logits)
    with np.errstate(all="ignore"):
        p, surprise = _distribution(logits)
        return _of_rows(np.sum(p * surprise, axis=-1), logits)


def entropy_vjp(cotangent: AnyArray, logits: AnyArray) -> AnyArray:
    """Gradient of the entropy in the shape and dtype of the logits, for a cotangent in the shape of the rows."""
    g = _cotangents(cotangent, logits)
    with np.errstate(all="ignore"):
        p, surprise = _distribution(logits)
        return restored(g * p * (surprise - np.sum(p * surprise, axis=-1, keepdims=True)), logits)


def _distribution(logits: AnyArray) -> tuple[F64Array, F64Array]:
    """Probabilities p and -log p (R, C); 0 in place of -log p if p is zero."""
    log_probs = log_softmax_rows(by_row(logits))
    p = np.exp(log_probs)
    return p, np.where(p == 0, 0.0, -log_probs)


def _of_rows(values: F64Array, logits: AnyArray) -> AnyArray:
    return values.reshape(validation.row_shape(logits)).astype(logits.dtype)


def _cotangents(cotangent: AnyArray, logits: AnyArray) -> F64Array:
    """The cotangent as (R, 1). Raises ValueError for another shape than that of the rows."""
    validation.check_logits(logits)
    if cotangent.shape != validation.row_shape(logits):
        raise ValueError(f"the cotangent must have shape {validation.row_shape(logits)}, not {cotangent.shape}")
    return cotangent.astype(np.float64).reshape(-1, 1)


def _labels(logits: AnyArray, target: AnyArray) -> npt.NDArray[np.int64]:
    """The class indices (R,). Raises what ``validation`` does for invalid ones."""
    validation.check_logits(logits)
    if validation.has_probabilities(target):
        raise TypeError(f"the target must be class indices, got {target.dtype}")
    validation.check_target(target, logits)
    labels = target.astype(np.int64).reshape(-1)
    validation.check_labels(labels, logits.shape[validation.class_axis(logits)], None)
    return labels
