"""Error of the logarithm of the class sum, log sum_j exp(x_j - max), for any order of summation."""

from __future__ import annotations

import math

import numpy as np

from xent_conformance.bounds.error_model import ErrorModel
from xent_conformance.oracle.plain_parts import PlainParts
from xent_conformance.problem import F64Array

#: Exponent beyond which exp is treated as infinite.
LARGE = 700.0


def log_sum_error(parts: PlainParts, model: ErrorModel, height: float | None = None) -> F64Array:
    """E_L, (rows, 1): bound of the error of L = log s, with the height H of the sum given, or that of any order.

    With theta the relative error of the computed sum,

        theta = sum_j p_j (exp(u_i (1 + k_1) |d_j|) - 1) + k_e u_i + u_a H + [u_i if u_i > u_a] + u_s + (C-1) eta_i / s
        E_L   = -log(1 - theta) + u_s L + u_i (k_l L + c_0 min(1, L + theta))

    where the logarithm's absolute term is unscaled, c_0, for an approximate log. The first term covers the rounding of
    x_j - max and of the argument of exp, and telescopes for an online softmax.
    """
    p, log_sum, u_i = parts.p, parts.log_sum, model.u_i
    classes = p.shape[1]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        argument = expm1(u_i * (1 + model.k_exp2) * parts.distance)
        theta = (
            (p * argument).sum(axis=1, keepdims=True)
            + model.k_exp * u_i
            + model.u_a * (_height(parts, model) if height is None else height)
        )
        theta = theta + (u_i if u_i > model.u_a else 0.0) + model.u_s
        theta = theta + (classes - 1) * model.eta_i / (1 + parts.t)
        theta = np.minimum(theta if classes > 1 else 0.0 * theta, 1 - 1e-12)
        near_one = np.minimum(1.0, log_sum + theta) if model.accurate_log or classes == 1 else 1.0
        log_error = model.u_s * log_sum + u_i * (model.k_log * log_sum + model.c_log * near_one)
        return np.asarray(-np.log1p(-theta) + log_error)


def _height(parts: PlainParts, model: ErrorModel) -> F64Array:
    """H, (rows, 1): the error of the sum in any order, as a multiple of u_a s.

    Rounding a + b loses at most min(u (a + b), a, b). So any order loses at most u times the partial sums of the worst
    binary tree (the caterpillar tree with the largest terms deepest), and a term below u at most its own size.
    """
    rows, classes = parts.p.shape
    if classes == 1:
        return np.zeros((rows, 1))
    effective = np.minimum(1.0, parts.p / model.u_a).sum(axis=1, keepdims=True) - 1.0
    dominated = (1 + math.ceil(math.log2(classes))) * np.maximum(effective, 0.0)
    height = np.minimum(np.minimum(model.classes(classes), parts.worst_tree), dominated)
    return np.asarray(height / max(1.0 - model.u_a * (classes - 1), 1e-6))


def expm1(values: F64Array) -> F64Array:
    """exp(x) - 1 without overflow: larger values are replaced by LARGE."""
    return np.asarray(np.expm1(np.minimum(values, LARGE)))
