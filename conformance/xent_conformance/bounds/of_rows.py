"""Errors of functions of the logits that have one number for each row, logsumexp and entropy, and of their gradients.

The entropy is sum_j p_j nlp_j, or logsumexp(x) - sum_j p_j x_j in form B. With the relative error r_j of p_j, the error
E_j of a log-probability, and the magnitude M_j of what p_j multiplies, nlp_j or in form B |x_j| + |logsumexp(x)|,

    E_H = sum_j p_j (r_j M_j + (1 + r_j) E_j + 3 u_o M_j) + u_a h + u_o H

where h is the sum of the partial sums of the worst binary tree of the products. Its gradient is g p (nlp - H), the mean
of nlp + 1 taken from nlp + 1 where backward goes through p log p:

    g p (r |nlp - H| + (1 + r) (E + E_H + 5 u_o (nlp + H + 2)))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xent_conformance.bounds.class_sum import expm1
from xent_conformance.bounds.logit_map import finite_logits
from xent_conformance.bounds.z_loss import log_sum_exp_error
from xent_conformance.problem import F64Array

if TYPE_CHECKING:
    from xent_conformance.bounds import Bounds


def logsumexp(bounds: Bounds) -> F64Array:
    """Tolerance of logsumexp, (rows,)."""
    return np.asarray(log_sum_exp_error(bounds) + bounds.model.eta)


def logsumexp_gradient(bounds: Bounds, cotangents: F64Array) -> F64Array:
    """Tolerance of its gradient, (rows, C), for cotangents (rows,)."""
    model, g = bounds.model, np.abs(cotangents)[:, None]
    tolerance = g * (bounds.softmax + 2 * model.u_o * bounds.parts.p)
    return np.asarray(np.where(g > 0, tolerance + model.eta * (1 + g), 0.0))


def entropy(bounds: Bounds) -> F64Array:
    """Tolerance of the entropy, (rows,)."""
    return _entropy(bounds, 0.0)


def _entropy(bounds: Bounds, more: float) -> F64Array:
    """E_H, (rows,), with ``more`` added to the magnitude of each log-probability."""
    model, parts = bounds.model, bounds.parts
    size = parts.nlp
    if model.form_b:
        logits = np.abs(finite_logits(bounds.problem))
        size = np.maximum(size, logits + parts.log_sum_exp)
    size = size + more
    relative = relative_error(bounds)
    with np.errstate(over="ignore", invalid="ignore"):
        own = parts.p * (relative * size + (1 + relative) * bounds.stored_error + 3 * model.u_o * size)
        partial = np.cumsum(-np.sort(-parts.p * size, axis=1), axis=1)[:, 1:].sum(axis=1)
        height = partial / max(1.0 - model.u_a * bounds.problem.classes, 1e-6)
        total = (parts.p * size).sum(axis=1)
        tolerance = own.sum(axis=1) + max(model.u_a, model.u_i) * height + 2 * model.u_o * total
        underflow = model.eta * (2 + parts.p.shape[1] + size.max(axis=1, initial=0.0))
        if model.form_b:
            tolerance = tolerance + log_sum_exp_error(bounds)
            # The mean logit may overflow before it is subtracted from logsumexp.
            tolerance = np.where(total + tolerance >= bounds.limit, np.inf, tolerance)
    return _sound(bounds, tolerance + underflow)


def relative_error(bounds: Bounds) -> F64Array:
    """r, (rows, C): the relative error of a probability that is not too small for the format."""
    model = bounds.model
    error = expm1(bounds.log_probability_error)
    return np.asarray(error + (model.k_exp + 2) * model.u_i + model.u_narrow)


def entropy_gradient(bounds: Bounds, cotangents: F64Array) -> F64Array:
    """Tolerance of the entropy's gradient, (rows, C), for cotangents (rows,)."""
    model, p, nlp = bounds.model, bounds.parts.p, bounds.parts.nlp
    g, relative = np.abs(cotangents)[:, None], relative_error(bounds)
    mean = (p * nlp).sum(axis=1, keepdims=True)
    error = bounds.stored_error + _entropy(bounds, 1.0)[:, None] + 5 * model.u_o * (nlp + mean + 2)
    with np.errstate(over="ignore", invalid="ignore"):
        tolerance = g * p * (relative * np.abs(nlp - mean) + (1 + relative) * error)
        underflow = model.eta * (2 + g * (3 + nlp + mean))
    return _sound(bounds, np.where(g > 0, tolerance + underflow, 0.0))


def _sound(bounds: Bounds, tolerance: F64Array) -> F64Array:
    """The tolerance, or infinity if it exceeds the range of the format: sums may then overflow with either sign."""
    return np.where(tolerance < bounds.limit, tolerance, np.inf)
