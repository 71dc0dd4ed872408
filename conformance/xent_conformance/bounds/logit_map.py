"""Errors of scaled or capped logits z = s x or z = c tanh(s x / c), of their softmax, and of dz / dx.

The scale and the cap are rounded to the format of the elementwise operations, and each operation is rounded. With
y = s x / c, whose relative error is at most K_ARGUMENT u_i, and an error of tanh of K_TANH u_i,

    |error of z| <= e = 2 u_i |s x|                                                    without a cap
                    e = u_i (K_ARGUMENT |s x| / cosh(y')^2 + K_TANH c + 2 |z|)         with one, y' = (1 - K u_i) y

by the mean value theorem: 1 / cosh^2 falls with |y|, and y' is the closest that the computed argument comes to zero.
The error of tanh is an absolute one, because 2 sigmoid(2 y) - 1 is a common way to compute it
(https://github.com/apple/ml-cross-entropy). The logarithm of the sum of exponentials then changes by at most

    E_z = log sum_j p_j exp(e_j)        (from below too: sum p exp(-e) >= 1 / sum p exp(e))

and a log-probability by e_j + E_z. What is computed from the changed logits is bounded by the same formulas as before,
with the largest probabilities, distances from the maximum and log-probabilities that logits within e can have.

The slope is s (1 - tanh^2) and multiplies the gradient of the changed logits. Its error is absolute too: with
d = u_i (K_TANH + K_ARGUMENT |y| / cosh(y')^2) for tanh, s (2 |tanh| d + d^2 + 4 u_i).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds.class_sum import LARGE
from xent_conformance.formats import format_named
from xent_conformance.oracle.logit_map import mapped, slope
from xent_conformance.oracle.plain_parts import PlainParts
from xent_conformance.problem import F64Array, Problem

if TYPE_CHECKING:
    from xent_conformance.bounds.error_model import ErrorModel

#: tanh is off by at most two units in the last place of 1.
K_TANH = 4.0
#: Roundings of s x / c: those of s, of c or its reciprocal twice, of the product and of the quotient.
K_ARGUMENT = 5.0


class ChangedParts(PlainParts):
    """The largest values of a softmax whose logits have errors.

    ``shift`` is the error of its log-probabilities, (rows, C), and ``shift_of_sum`` that of the logarithm of the sum of
    exponentials, (rows, 1); ``lost`` marks rows whose logits may have overflowed before they were used, (rows,).
    """

    def __init__(self, parts: PlainParts, problem: Problem, model: ErrorModel) -> None:
        """Enlarge the parts of the exact softmax by the errors of the logits."""
        error = logit_error(problem, model)
        x = problem.logits_by_row()
        self.lost: npt.NDArray[np.bool_] = np.zeros(len(x), dtype=bool)
        if problem.softcap is None:
            largest = _largest(problem, model)
            beyond = np.isfinite(x) & (np.abs(x) * problem.logit_scale >= largest)
            self.lost = np.asarray(beyond.any(axis=1))
        error = np.where(self.lost[:, None], 0.0, error)
        # A class of probability zero adds nothing to the sum, however large the error of its logit is.
        seen = np.where(parts.p > 0, error, 0.0)
        most = seen.max(axis=1, keepdims=True, initial=0.0)
        with np.errstate(under="ignore"):
            total = (parts.p * np.exp(seen - most)).sum(axis=1, keepdims=True)
            of_sum = np.where(total > 0, most + np.log(np.where(total > 0, total, 1.0)), 0.0)
        # The probabilities may sum to a little less than 1.
        self.shift_of_sum = np.maximum(of_sum, 0.0)
        self.shift = error + self.shift_of_sum
        self.defined, self.infinite = parts.defined, parts.infinite
        self.nlp = np.where(parts.defined, parts.nlp + self.shift, 0.0)
        of_top = (error - parts.distance).max(axis=1, keepdims=True, initial=0.0)
        self.distance = np.where(parts.defined, parts.distance + error + np.maximum(of_top, 0.0), 0.0)
        self.p = np.minimum(1.0, parts.p * np.exp(np.minimum(self.shift, LARGE)))
        # t may be as small as zero. It is only used as a divisor, so that zero is its worst value.
        self.t = np.zeros_like(parts.t)
        self.log_sum = parts.log_sum + self.shift_of_sum + most
        self.log_sum_exp = parts.log_sum_exp + self.shift_of_sum


def logit_error(problem: Problem, model: ErrorModel) -> F64Array:
    """e, (rows, C): error of the logits that the loss sees, 0 where they are not finite."""
    x, scale, cap = finite_logits(problem), *problem.logit_map
    scaled = np.abs(x * scale)
    if cap is None:
        return np.asarray(2 * model.u_i * scaled + model.eta_i)
    error = model.u_i * (_argument(x, problem, model) * cap + K_TANH * cap + 2 * np.abs(mapped(x, scale, cap)))
    # The argument and its tanh may underflow, and are multiplied by the cap.
    return np.asarray(error + model.eta_i * (1 + 2 * cap))


def slope_error(problem: Problem, model: ErrorModel) -> F64Array:
    """Error of dz / dx, (rows, C)."""
    x, scale, cap = finite_logits(problem), *problem.logit_map
    if cap is None:
        return np.full(x.shape, 2 * model.u_i * scale)
    error = model.u_i * (K_TANH + _argument(x, problem, model)) + model.eta_i
    height = np.minimum(np.abs(mapped(x, scale, cap)) / cap, 1.0)
    return np.asarray(scale * (2 * height * error + error**2 + 4 * model.u_i))


def finite_logits(problem: Problem) -> F64Array:
    """Logits, (rows, C), with 0 in place of those that are not finite."""
    return np.nan_to_num(problem.logits_by_row(), nan=0.0, posinf=0.0, neginf=0.0)


def _argument(x: F64Array, problem: Problem, model: ErrorModel) -> F64Array:
    """K |y| / cosh(y')^2: the effect of the argument's error on tanh, in units of u_i."""
    scale, cap = problem.logit_map
    assert cap is not None
    nearest = slope(x * (1 - K_ARGUMENT * model.u_i), scale, cap) / scale
    with np.errstate(under="ignore"):
        return np.asarray(K_ARGUMENT * np.abs(x * scale / cap) * nearest)


def _largest(problem: Problem, model: ErrorModel) -> float:
    """Magnitude from which a scaled logit may overflow."""
    wide = problem.format if model.u_i == model.u_o else format_named("float32")
    return max(problem.format.max_finite, wide.max_finite) * (1 - 64 * model.u_i)


def overflowing(parts: PlainParts) -> npt.NDArray[np.bool_]:
    """Rows that cannot be judged, because an intermediate logit may have overflowed, (rows,)."""
    return parts.lost if isinstance(parts, ChangedParts) else np.zeros(len(parts.p), dtype=bool)
