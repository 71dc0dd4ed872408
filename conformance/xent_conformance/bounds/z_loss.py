"""Error of the z-loss, s L^2 with L = logsumexp(x), and of its gradient 2 s L p.

L is the maximum plus the logarithm of the class sum, and may be stored in the format of the logits. With E_L the error
of that logarithm (``class_sum``), and that of logits which are scaled or capped (``logit_map``),

    E   = E_L + (u_i + u_lp) |L|
    |error of s L^2|   <=  s (2 |L| E + E^2) + 4 u_o s L^2
    |error of 2 s L p| <=  2 s p (E + |L| (relative error of p + 4 u_o))

s, the square and the two products each round, and so does the sum with the rest of the row's loss, or gradient. All
three may underflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xent_conformance.bounds.logit_map import ChangedParts
from xent_conformance.problem import F64Array

if TYPE_CHECKING:
    from xent_conformance.bounds import Bounds


def log_sum_exp_error(bounds: Bounds) -> F64Array:
    """E, (rows,): error of the logsumexp of each row."""
    model, parts = bounds.model, bounds.parts
    error = bounds.class_sum_error + (model.u_i + model.u_lp) * parts.log_sum_exp
    if isinstance(parts, ChangedParts):
        error = error + parts.shift_of_sum
    return np.asarray(error * (1 + 8 * model.u_i))[:, 0]


def sizes(bounds: Bounds) -> F64Array:
    """The square L^2 of each row, (rows,), which is stored before it is scaled; 0 for ignored rows."""
    with np.errstate(over="ignore"):
        return np.where(bounds.answer.form.ignored, 0.0, bounds.parts.log_sum_exp[:, 0] ** 2)


def values(bounds: Bounds) -> F64Array:
    """The z-loss s L^2 of each row, (rows,); 0 for ignored rows."""
    return bounds.problem.lse_square_scale * sizes(bounds)


def row_losses(bounds: Bounds) -> F64Array:
    """The part of the tolerance of each row's loss that is due to the z-loss, (rows,)."""
    model, factor = bounds.model, bounds.problem.lse_square_scale
    size, error = bounds.parts.log_sum_exp[:, 0], log_sum_exp_error(bounds)
    with np.errstate(over="ignore"):
        tolerance = factor * (2 * size * error + error**2) + 4 * model.u_o * factor * size**2
        tolerance = tolerance + model.eta * (2 + factor + size)
    # The sum with the rest of the loss may be stored.
    tolerance = tolerance + 2 * model.u_o * (values(bounds) + np.abs(bounds.row_values))
    return np.where(bounds.answer.form.ignored, 0.0, tolerance)


def gradient(bounds: Bounds, relative: F64Array, natural: F64Array) -> F64Array:
    """The part of the tolerance of the gradient that is due to the z-loss, before it is scaled, (rows, C).

    Args:
        bounds: The bounds of the problem.
        relative: The relative error of p, (rows, C).
        natural: The magnitude of the rest of the gradient, (rows, C).
    """
    model, p, factor = bounds.model, bounds.parts.p, 2 * bounds.problem.lse_square_scale
    size, error = bounds.parts.log_sum_exp, log_sum_exp_error(bounds)[:, None]
    own = factor * size * p
    with np.errstate(over="ignore", invalid="ignore"):
        tolerance = factor * p * error * (1 + relative) + own * (relative + 4 * model.u_o)
    # Each part of the gradient, and their sum, may be stored.
    tolerance = tolerance + 2 * model.u_o * (natural + own) + model.eta * (3 + size)
    return np.where(bounds.answer.form.ignored[:, None], 0.0, tolerance)
