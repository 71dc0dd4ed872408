"""Bounds of the error of a correct implementation of a declared precision, per element.

Notation: u_o unit roundoff of the logits' format, u_i of elementwise operations, u_a of sums over classes, u_r of sums
over the batch, u_s of the stored class sum; E_ij the error of a log-probability before it is rounded to the format;
A_i = sum_j |Q_ij|. Constants: exp has an error of 1 ulp (K_EXP), its argument another if it is computed as exp2
(K_EXP2), log 1 ulp (K_LOG) or, near 1, an absolute error (C_LOG). An infinite tolerance means that no sound bound
exists: the element is not judged, and not counted as exercised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import gradients, logit_map, overflow, z_loss
from xent_conformance.bounds.class_sum import expm1, log_sum_error
from xent_conformance.bounds.error_model import ErrorModel
from xent_conformance.formats import format_named
from xent_conformance.oracle import Answer
from xent_conformance.oracle.blocks import by_blocks, joined, known
from xent_conformance.oracle.logit_map import mapped
from xent_conformance.oracle.plain_parts import PlainParts
from xent_conformance.precision import Precision
from xent_conformance.problem import F64Array, Problem

#: Largest product of a divisor's relative error and its condition number at which a mean is still judged. Up to this
#: one, 1 / (1 - error) is at most 1 + 4 error.
WORST_DIVISOR_ERROR = 0.75


class Bounds:
    """Tolerances for every quantity of an answer under one precision, each computed when it is first used.

    Arrays are by row, as in :class:`~xent_conformance.oracle.Answer`.

    Example:
        >>> import numpy as np
        >>> from xent_conformance.bounds import Bounds
        >>> from xent_conformance.conventions import Conventions
        >>> from xent_conformance.oracle import Answer
        >>> from xent_conformance.precision import Precision
        >>> from xent_conformance.problem import Problem
        >>> answer = Answer(Problem(np.zeros((1, 2), np.float32), np.array([0])), Conventions())
        >>> f"{float(Bounds(answer, Precision()).loss):.1e}"
        '7.2e-07'
    """

    def __init__(self, answer: Answer, precision: Precision) -> None:
        """Bounds for one answer."""
        self.answer = answer
        self.problem = answer.problem
        self.precision = precision
        self.model = ErrorModel(answer.problem.format, precision)
        #: The rows of each block, as those of the answer.
        self.blocks = answer.blocks
        self._whole: Bounds | None = None
        options = self.problem
        self.mixed = bool(options.label_smoothing) or options.has_probabilities
        self.roundings = (
            (options.weight is not None) + 3 * bool(options.label_smoothing) + 2 * options.has_probabilities
        )

    def block(self, rows: slice) -> Bounds:
        """The bounds of some of the rows, as rows of this problem."""
        block = Bounds(self.answer.block(rows), self.precision)
        block._whole = self
        block.__dict__.update(known(self, rows, "class_sum_error"))
        return block

    def repeated(self, problem: Problem, rows: npt.NDArray[np.intp]) -> Bounds:
        """The bounds for a problem whose rows are rows of this one, as ``Answer.repeated``."""
        bounds = Bounds(self.answer.repeated(problem, rows), self.precision)
        bounds.__dict__.update(row_losses=self.row_losses[rows])
        return bounds

    def in_one_pass(self, name: str) -> tuple[str, ...]:
        """A property by blocks, and others that a block knows once it has computed it."""
        if name != "row_losses":
            return (name,)
        return name, "class_sum_error", *(f"answer.{each}" for each in self.answer.in_one_pass(name))

    @cached_property
    def parts(self) -> PlainParts:
        """The softmax, enlarged by the errors of logits that are scaled or capped."""
        parts = self.answer.plain_parts
        return logit_map.ChangedParts(parts, self.problem, self.model) if self.problem.maps_logits else parts

    @cached_property
    def nlp(self) -> F64Array:
        """Negative log-probabilities, (rows, C), 0 where they are not finite."""
        return self.parts.nlp

    @cached_property
    def shares(self) -> F64Array:
        """|Q|, (rows, C); with smoothing of probabilities, the sum of the magnitudes of both terms of Q.

        Q = w (1 - eps) q + rest may cancel, and its rounding error is then relative to these terms.
        """
        shares = np.asarray(self.answer.form.q).astype(np.float64)
        if not (self.problem.has_probabilities and self.problem.label_smoothing):
            return np.abs(shares)
        weighted = self.problem.class_weights() * (1 - self.problem.label_smoothing) * self.problem.probabilities()
        return np.asarray(np.abs(weighted) + np.abs(shares - weighted))

    @by_blocks
    def mass(self) -> F64Array:
        """A = sum_j |Q_ij|, (rows,), with the magnitudes of ``shares``."""
        return np.asarray(self.shares.sum(axis=1))

    @cached_property
    def class_sum_error(self) -> F64Array:
        """E_L, (rows, 1), see ``class_sum``: what takes longest, and little memory where there are many classes."""
        return log_sum_error(self.parts, self.model)

    @cached_property
    def log_probability_error(self) -> F64Array:
        """E, (rows, C): error of a log-probability before it is rounded to the format."""
        model, parts = self.model, self.parts
        distance = np.maximum(parts.distance, parts.log_sum_exp) if model.form_b else parts.distance
        error = self.class_sum_error + model.u_i * (distance + self.nlp)
        if isinstance(parts, logit_map.ChangedParts):
            error = error + parts.shift
        return np.asarray(np.where(parts.defined, error * (1 + 8 * model.u_i), 0.0))

    @cached_property
    def stored_error(self) -> F64Array:
        """E and the rounding of a log-probability that is materialised in the format, (rows, C)."""
        return self.log_probability_error + self.model.u_lp * self.nlp

    @by_blocks
    def log_softmax(self) -> F64Array:
        """Tolerance of log_softmax, (rows, C)."""
        return self.log_probability_error + self.model.u_narrow * self.nlp + self.model.eta

    @by_blocks
    def softmax(self) -> F64Array:
        """Tolerance of softmax, (rows, C)."""
        model = self.model
        relative = expm1(self.log_probability_error) + (model.k_exp + 2) * model.u_i + model.u_narrow
        return np.asarray(self.parts.p * relative + model.eta)

    @by_blocks
    def row_losses(self) -> F64Array:
        """Tolerance of the loss of each row, (rows,)."""
        model, q = self.model, self.shares
        tolerance = (q * self.stored_error).sum(axis=1) + self.roundings * model.u_o * (q * self.nlp).sum(axis=1)
        if self.mixed:
            tolerance = tolerance + self.class_height * (q * self._summand_error()).sum(axis=1)
            # Each of the summands may underflow.
            tolerance = tolerance + np.where(self.mass > 0, self.problem.classes * model.eta, 0.0)
            tolerance = tolerance + model.eta * self._underflowing_shares()
            # The sum over the classes is stored. Without such a sum, the log-probability or its product with the weight
            # is stored, whose rounding is counted already.
            tolerance = tolerance + model.u_o * np.abs(self.row_values)
        tolerance = tolerance + np.where(self.mass > 0, model.eta * (2 + self.roundings) * (1 + self.mass), 0.0)
        if self.problem.lse_square_scale:
            tolerance = tolerance + z_loss.row_losses(self)
        lost = overflow.cancelling_rows(self) | (logit_map.overflowing(self.parts) & ~self.answer.form.ignored)
        return np.asarray(np.where(lost, math.inf, tolerance))

    @cached_property
    def loss(self) -> F64Array:
        """Tolerance of the loss in the problem's reduction: (rows,) for none, else ()."""
        if self.problem.reduction == "none":
            return self.row_losses
        model = self.model
        # Where there are blocks, the first of these makes the second known.
        values = self.row_losses + np.abs(self.row_values)
        if self.problem.lse_square_scale:
            # It may be added up beside the rest, which may be negative.
            values = values + 2 * self.z_losses
        tolerance = self.row_losses.sum() + model.batch(values) * values.sum()
        if self.problem.lse_square_scale:
            tolerance = tolerance + 4 * model.u_o * self.z_losses.sum()
        tolerance = tolerance + model.u_o * abs(self.row_values.sum()) + model.eta
        if overflow.cancels(self):
            return np.asarray(math.inf)
        if self.problem.reduction == "sum":
            return np.asarray(tolerance)
        if self.divides_by_zero:
            return np.asarray(math.inf if self.answer.any_row_left else model.eta)
        divisor = abs(float(self.answer.divisor))
        error = self.divisor_error
        mean = abs(self.row_values.sum()) / divisor
        return np.asarray((tolerance / divisor + mean * (error + 2 * model.u_o)) * (1 + 4 * error) + model.eta)

    @cached_property
    def divisor_error(self) -> float:
        """Relative error of the mean's divisor; infinite where cancellation leaves nothing to judge."""
        if self.problem.reduction != "mean":
            return 0.0
        if self._whole is not None:
            return self._whole.divisor_error
        terms = np.asarray(self.answer.divisor_terms).astype(np.float64)
        total = abs(terms.sum())
        if total == 0:
            return 0.0
        magnitudes = np.abs(terms)
        error = self.model.batch(magnitudes) * float(magnitudes.sum() / total) + self.model.u_o
        return error if error <= WORST_DIVISOR_ERROR else math.inf

    @by_blocks
    def grad_logits(self) -> F64Array:
        """Tolerance of the gradient of the logits, (rows, C); exactly 0 on rows without a share."""
        return gradients.of_logits(self)

    @by_blocks
    def grad_logits_of_infinite_losses(self) -> F64Array:
        """The same, but finite also in rows whose loss is inf because of a logit of -inf."""
        return gradients.of_logits(self, infinite=True)

    @by_blocks
    def grad_target(self) -> F64Array:
        """Tolerance of the gradient of probability targets, (rows, C)."""
        return gradients.of_target(self)

    @by_blocks
    def grad_target_overflows(self) -> npt.NDArray[np.bool_]:
        """Where cotangent times weight times log-probability overflows before smoothing scales it, (rows, C)."""
        return gradients.target_overflows(self)

    @by_blocks
    def grad_target_undefined(self) -> npt.NDArray[np.bool_]:
        """Where such a product is then multiplied by zero, (rows, C): nan where 0 * inf is evaluated."""
        return gradients.target_undefined(self)

    def hessian_times(self, vector: F64Array) -> F64Array:
        """Tolerance of the second derivative times a vector (rows, C)."""
        if self.blocks:
            found: F64Array = joined(self, lambda block, rows: block.hessian_times(vector[rows]))
            return found
        return gradients.hessian_times(self, vector)

    @cached_property
    def overflows(self) -> np.bool_ | npt.NDArray[np.bool_]:
        """Where an intermediate result that an implementation may store overflows: (rows,) for none, else ().

        Infinity of the right sign is then accepted as well.
        """
        return overflow.of_loss(self)

    @cached_property
    def undefined(self) -> np.bool_ | npt.NDArray[np.bool_]:
        """Where such an intermediate result is multiplied by zero: (rows,) for none, else ().

        nan is then accepted as well, from evaluating 0 * inf.
        """
        return overflow.without_share(self)

    @property
    def loss_excuses(self) -> Mapping[str, Any]:
        """Arguments of ``compare`` for values of the loss that are accepted although they are not within its bound.

        They are functions, because most comparisons need none of them.
        """
        return {"overflows": lambda: self.overflows, "undefined": lambda: self.undefined}

    @property
    def grad_target_excuses(self) -> Mapping[str, Any]:
        """The same for the gradient of probability targets."""
        return {"overflows": lambda: self.grad_target_overflows, "undefined": lambda: self.grad_target_undefined}

    @property
    def divides_by_zero(self) -> bool:
        """Whether the mean is 0/0 or x/0, whose result is a convention and has no bound."""
        return self.problem.reduction == "mean" and bool(self.answer.divisor == 0)

    @property
    def limit(self) -> float:
        """Magnitude from which a rounded intermediate may overflow."""
        return self.problem.format.max_finite * (1 - 64 * self.model.u_o)

    @property
    def limit_of_sums(self) -> float:
        """The same for sums over the batch. float32 has no larger range than bfloat16: both end at 3.4e38."""
        if not self.model.batch_is_wide:
            return self.limit
        return max(self.limit, format_named("float32").max_finite * (1 - 64 * self.model.u_r))

    @cached_property
    def row_values(self) -> F64Array:
        """Losses of the rows, 0 where they are not finite."""
        values = np.asarray(self.answer.row_losses).astype(np.float64)
        return np.asarray(np.where(np.isfinite(values), values, 0.0))

    @by_blocks
    def z_losses(self) -> F64Array:
        """The part of the square of the log-sum-exp in the loss of each row, (rows,)."""
        return z_loss.values(self)

    @by_blocks
    def largest(self) -> F64Array:
        """The largest intermediate result of each row, (rows,): see ``overflow``."""
        return overflow.largest(self)

    @by_blocks
    def loses_infinity(self) -> npt.NDArray[np.bool_]:
        """Rows where an overflowing intermediate result is multiplied by zero, (rows,)."""
        return overflow.times_zero(self)

    @property
    def class_height(self) -> int:
        """Height of the summation tree over the classes, with the roundings of the terms of a row's sum."""
        return self.model.classes(self.problem.classes) + 3

    def _underflowing_shares(self) -> F64Array:
        """Error of the loss from shares that underflow, per unit of underflow, (rows,).

        ``roundings`` counts the products in a share, w ((1 - eps) q + eps / C), each rounded to the format. A product
        that is too small for the format also has an absolute error, which is multiplied by the log-probability: with
        eps = 1e-6 and a class 260 below the maximum, eps / 2 is 8.4 units of float16, of which 8 are left, and the
        error of the loss is a twentieth.
        """
        smoothed = 2 * bool(self.problem.label_smoothing) * np.abs(self.problem.class_weights())
        products = smoothed + (self.problem.weight is not None)
        return np.asarray((np.where(self.shares > 0, products, 0.0) * self.nlp).sum(axis=1))

    def _summand_error(self) -> F64Array:
        """Largest error of one addition over the classes, per unit of share, (rows, C)."""
        model = self.model
        if not model.form_b:
            return self.nlp * model.u_a
        logits = self.problem.logits_by_row()
        if self.problem.maps_logits:
            logits = mapped(logits, *self.problem.logit_map)
        logits = np.abs(np.nan_to_num(logits, nan=0.0, posinf=0.0, neginf=0.0))
        return np.maximum(self.nlp, logits + self.parts.log_sum_exp) * max(model.u_i, model.u_a)
