"""The exact answer to a problem: loss, gradients, and the quantities that the bounds are computed from.

Values are pairs ``Exact(value, residual)`` of float64 arrays whose sum is the answer. The residual is zero where
float64 is already far more accurate than the bound; for float64 logits it has the further digits of longdouble or arb.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from xent_conformance.conventions import Conventions
from xent_conformance.oracle.arithmetic import ARB, Arithmetic, RealArray, arithmetic_for
from xent_conformance.oracle.blocks import blocks_of, by_blocks, joined, known, rows_of
from xent_conformance.oracle.log1p_form import SoftmaxParts, softmax_parts
from xent_conformance.oracle.logit_map import mapped, slope, slope_ball
from xent_conformance.oracle.normal_form import NormalForm, normal_form, smoothing_shares
from xent_conformance.oracle.plain_parts import PlainParts
from xent_conformance.problem import F64Array, Problem


class Exact(NamedTuple):
    """An array with more than float64's precision: the unevaluated sum of two float64 arrays."""

    value: F64Array
    residual: F64Array | float = 0.0

    def minus(self, observed: F64Array) -> F64Array:
        """The difference to an observed float64 array, including the residual; nan where either is not finite."""
        with np.errstate(invalid="ignore"):
            return (self.value - observed) + self.residual


class Answer:
    """The exact answer to one problem under one set of conventions.

    Arrays are by row: (rows, C) or (rows,). Q, S = sum_j Q_ij and the divisor are defined in the module
    ``normal_form``. Of a large problem, results are computed in ``blocks`` of rows, see the module of that name.

    Example:
        >>> import numpy as np
        >>> from xent_conformance.conventions import Conventions
        >>> from xent_conformance.oracle import Answer
        >>> from xent_conformance.problem import Problem
        >>> answer = Answer(Problem(np.zeros((1, 2), np.float32), np.array([0])), Conventions())
        >>> float(answer.loss.value), answer.grad_logits.value.tolist()
        (0.6931471805599453, [[-0.5, 0.5]])
    """

    def __init__(
        self,
        problem: Problem,
        conventions: Conventions,
        arithmetic: Arithmetic | None = None,
        *,
        like: Answer | None = None,
    ) -> None:
        """Each quantity is computed when it is first used.

        Args:
            problem: The problem. Its labels must be valid.
            conventions: The backend's choices where major frameworks differ.
            arithmetic: The arithmetic of the formulas; None for the cheapest that is accurate enough.
            like: The answer to another problem with the same array of logits, whose softmax is used.

        Raises:
            ValueError: ``like`` has other logits or another arithmetic.
        """
        self.problem = problem
        self.conventions = conventions
        self.arithmetic = arithmetic or arithmetic_for(problem.dtype)
        if like is not None and (
            like.problem.logits is not problem.logits
            or like.problem.logit_map != problem.logit_map
            or like.arithmetic is not self.arithmetic
        ):
            raise ValueError("answers share a softmax only for the same array of logits, in the same arithmetic")
        self._like = like
        #: The rows of each block; none if everything is computed at once.
        self.blocks = blocks_of(problem)
        self._whole: Answer | None = None

    def block(self, rows: slice) -> Answer:
        """The answer to some of the rows, as rows of this problem: its mean is over all of them."""
        block = Answer(rows_of(self.problem, rows), self.conventions, self.arithmetic)
        block.blocks, block._whole = (), self
        block.__dict__.update(known(self, rows, "row_losses"))
        return block

    def repeated(self, problem: Problem, rows: npt.NDArray[np.intp]) -> Answer:
        """The answer to a problem whose rows are rows of this one: what is known of these need not be computed again.

        Args:
            problem: The problem, in the same reduction.
            rows: For each of its rows, the index of the row here.
        """
        answer = Answer(problem, self.conventions, self.arithmetic)
        answer.__dict__.update(row_losses=self.row_losses[rows], divisor_terms=self.divisor_terms[rows])
        return answer

    def in_one_pass(self, name: str) -> tuple[str, ...]:
        """A property by blocks, and others that a block knows once it has computed it."""
        divides = name == "row_losses" and self.problem.reduction == "mean" and self.problem.divisor is None
        return (name, "divisor_terms") if divides else (name,)

    @cached_property
    def parts(self) -> SoftmaxParts:
        """Softmax and its intermediate results."""
        if self._like is not None:
            return self._like.parts
        logits = self.problem.logits_by_row()
        if self.arithmetic is ARB:
            from xent_conformance.oracle.arb import softmax_parts_arb

            return softmax_parts_arb(logits, *self.problem.logit_map)
        x = self.arithmetic.array(logits)
        return softmax_parts(mapped(x, *self.problem.logit_map) if self.problem.maps_logits else x)

    @cached_property
    def plain_parts(self) -> PlainParts:
        """The parts in float64, as the bounds use them."""
        return PlainParts(self.parts) if self._like is None else self._like.plain_parts

    @cached_property
    def form(self) -> NormalForm:
        """Q and the divisor of the mean."""
        return normal_form(self.problem, self.conventions, self.arithmetic)

    @cached_property
    def divisor(self) -> Any:
        """The divisor of the mean: of the whole problem, also in a block of it."""
        if self._whole is not None:
            return self._whole.divisor
        return self.divisor_terms.sum() if self.blocks else self.form.divisor

    @cached_property
    def divisor_terms(self) -> RealArray:
        """The summands of the divisor, (rows,), or (1,) if it is given."""
        if not self.blocks:
            return self.form.divisor_terms
        if self.problem.divisor is not None:
            return self.block(slice(0, 1)).form.divisor_terms
        terms: RealArray = joined(self, lambda block, _: block.form.divisor_terms)
        return terms

    @cached_property
    def ignored(self) -> npt.NDArray[np.bool_]:
        """Which rows are ignored, (rows,)."""
        return self.problem.ignored() if self.blocks else self.form.ignored

    @by_blocks
    def log_softmax(self) -> Exact:
        """log_softmax, (rows, C)."""
        return self._exact(-self.parts.nlp)

    @by_blocks
    def softmax(self) -> Exact:
        """Softmax, (rows, C)."""
        return self._exact(self.parts.p)

    @by_blocks
    def log_sum_exp(self) -> RealArray:
        """Logarithm of the sum of exponentials of each row's logits, (rows,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.parts.m + self.parts.log_sum)[:, 0])

    @property
    def logsumexp(self) -> Exact:
        """The same as a result, (rows,)."""
        return self._exact(self.log_sum_exp)

    def logsumexp_gradient(self, cotangents: F64Array) -> Exact:
        """Gradient of <logsumexp, cotangents>, (rows, C), for cotangents (rows,): g p."""
        with np.errstate(invalid="ignore"):
            return self._exact(np.asarray(self.arithmetic.array(cotangents)[:, None] * self.parts.p))

    @by_blocks
    def entropies(self) -> RealArray:
        """-sum_j p_j log p_j of each row, (rows,): a class of probability zero has no part in it."""
        p, nlp = self.parts.p, self.parts.nlp
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(p == 0, 0, p * nlp).sum(axis=1))

    @property
    def entropy(self) -> Exact:
        """The same as a result, (rows,)."""
        return self._exact(self.entropies)

    def entropy_gradient(self, cotangents: F64Array) -> Exact:
        """Gradient of <entropy, cotangents>, (rows, C), for cotangents (rows,): g p (nlp - entropy)."""
        p, nlp = self.parts.p, self.parts.nlp
        with np.errstate(invalid="ignore"):
            slope = np.where(p == 0, 0, p * (nlp - self.entropies[:, None]))
            return self._exact(np.asarray(self.arithmetic.array(cotangents)[:, None] * slope))

    @cached_property
    def z_losses(self) -> RealArray:
        """What the square of the log-sum-exp adds to the loss of each row, (rows,): zero for ignored rows."""
        with np.errstate(invalid="ignore", over="ignore"):
            square = self.arithmetic.number(self.problem.lse_square_scale) * self.log_sum_exp * self.log_sum_exp
        return np.asarray(np.where(self.form.ignored, 0, square))

    @by_blocks
    def row_losses(self) -> RealArray:
        """Loss of each row, (rows,): zero for ignored rows, whatever their content."""
        with np.errstate(invalid="ignore", over="ignore"):
            losses = np.asarray(np.where(self.read, self.form.q * self.parts.nlp, 0).sum(axis=1))
            return losses + self.z_losses if self.problem.lse_square_scale else losses

    @cached_property
    def loss(self) -> Exact:
        """The loss in the problem's reduction: (rows,) for none, else ()."""
        if self.problem.reduction == "none":
            return self._exact(self.row_losses)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            total = self.row_losses.sum()
            return self._exact(np.asarray(total if self.problem.reduction == "sum" else self._mean(total)))

    @cached_property
    def scale(self) -> RealArray:
        """G: the factor between the gradient of a row and that of the call, (rows,)."""
        cotangent = self.arithmetic.array(self.problem.cotangents())
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = cotangent / self.divisor if self.problem.reduction == "mean" else cotangent
        return np.broadcast_to(factor, (self.problem.rows,))

    @by_blocks
    def grad_logits(self) -> Exact:
        """Gradient of the logits, (rows, C): that of the logits that the loss sees, times their own derivative."""
        if not self.problem.maps_logits:
            return self._exact(self.grad_mapped)
        with np.errstate(invalid="ignore", over="ignore"):
            gradient = np.asarray(self.grad_mapped * self.slope)
        # Whatever they hold.
        gradient[self.form.ignored] = self.grad_mapped[self.form.ignored]
        return self._exact(gradient)

    @by_blocks
    def grad_mapped(self) -> RealArray:
        """Gradient of the logits after any scale and cap, (rows, C).

        It is G (p S - Q), computed as p (S - Q) - Q (1 - p), and 2 G lse_square_scale logsumexp p.
        """
        q = self.form.q
        with np.errstate(invalid="ignore", over="ignore"):
            plain = self.parts.p * (q.sum(axis=1, keepdims=True) - q) - q * self.parts.one_minus_p
            if self.problem.lse_square_scale:
                factor = self.arithmetic.number(2 * self.problem.lse_square_scale)
                plain = plain + (factor * self.log_sum_exp)[:, None] * self.parts.p
            gradient = np.asarray(self.scale[:, None] * plain)
        counted = self.any_row_left or self.problem.reduction != "mean" or self.problem.divisor is not None
        if counted or self.conventions.all_ignored_gradient == "zero":
            gradient[self.form.ignored] = 0
        return gradient

    @by_blocks
    def slope(self) -> RealArray:
        """Derivative of each logit that the loss sees with respect to the logit that is given, (rows, C)."""
        logits = self.problem.logits_by_row()
        if self.arithmetic is not ARB:
            return slope(self.arithmetic.array(logits), *self.problem.logit_map)
        slopes = np.empty(logits.shape, dtype=object)
        slopes.reshape(-1)[:] = [slope_ball(x, *self.problem.logit_map) for x in logits.reshape(-1).tolist()]
        return slopes

    @by_blocks
    def grad_target(self) -> Exact:
        """Gradient of probability targets, (rows, C): G (keep w_j nlp_j + spread-to-others terms)."""
        keep, spread = smoothing_shares(self.problem, self.conventions, self.arithmetic)
        with np.errstate(invalid="ignore", over="ignore"):
            weighted = self.parts.nlp * self.arithmetic.array(self.problem.class_weights())
            slope = keep * weighted
            if self.conventions.smoothing_mass == "other_classes":
                slope = slope + spread * weighted.sum(axis=1, keepdims=True)
            return self._exact(np.asarray(self.scale[:, None] * slope))

    def hessian_times(self, vector: F64Array) -> Exact:
        """Second derivative times a vector (rows, C): G S p (v - <p, v>), zero on ignored rows.

        Raises ValueError for options of language models that would add to it.
        """
        if self.problem.lse_square_scale or self.problem.maps_logits:
            raise ValueError("second derivatives are of the loss without lse_square_scale, logit_scale and softcap")
        if self.blocks:
            found: Exact = joined(self, lambda block, rows: block.hessian_times(vector[rows]))
            return found
        p, v = self.parts.p, self.arithmetic.array(vector)
        with np.errstate(invalid="ignore", over="ignore"):
            factor = (self.scale * self.form.q.sum(axis=1))[:, None]
            product = np.asarray(factor * p * (v - (p * v).sum(axis=1, keepdims=True)))
        product[self.form.ignored] = 0
        return self._exact(product)

    @property
    def any_row_left(self) -> bool:
        """Whether there is a row that is not ignored."""
        return bool((~self.ignored).any()) if self._whole is None else self._whole.any_row_left

    @cached_property
    def read(self) -> npt.NDArray[np.bool_]:
        """The elements whose log-probability the loss depends on, (rows, C).

        These exclude ignored rows and the other classes of a row with an index target. Whether an element with a share
        of exactly zero is included depends on the convention about 0 * inf.
        """
        zero = np.asarray(self.form.q == 0, dtype=bool)
        if self.conventions.zero_times_infinity == "zero":
            return ~zero
        if self.problem.has_probabilities or self.problem.label_smoothing:
            return np.broadcast_to(~self.form.ignored[:, None], zero.shape)
        named = np.zeros_like(zero)
        kept = np.flatnonzero(~self.form.ignored)
        named[kept, self.problem.labels()[kept]] = True
        return named

    def _exact(self, values: RealArray) -> Exact:
        return Exact(*self.arithmetic.split(values))

    def _mean(self, total: Any) -> Any:
        if self.problem.divisor is not None:
            return total / self.divisor
        if not self.any_row_left:
            conventions = self.conventions
            choice = conventions.all_ignored_loss if self.problem.rows else conventions.empty_batch_loss
            return np.nan if choice == "nan" else 0.0
        if self.divisor == 0:
            return 0.0 if self.conventions.zero_weight_loss == "zero" else np.float64(float(total)) / 0.0
        return total / self.divisor
