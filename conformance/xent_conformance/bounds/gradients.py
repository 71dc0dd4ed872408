"""Bounds of gradients and of second derivatives. Notation as in ``tolerances``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import logit_map, z_loss
from xent_conformance.bounds.class_sum import expm1
from xent_conformance.formats import format_of
from xent_conformance.problem import F64Array

if TYPE_CHECKING:
    from xent_conformance.bounds import Bounds


def of_logits(bounds: Bounds, *, infinite: bool = False) -> F64Array:
    """Tolerance of the gradient of the logits, (rows, C); exactly 0 on rows without a share.

    ``infinite``: also of rows whose loss is inf, because a class with a share has a logit of -inf.
    """
    mapped = of_mapped_logits(bounds, infinite=infinite)
    if not bounds.problem.maps_logits:
        return mapped
    # The gradient of the logits that the loss sees may be stored, and so is its product with their slope.
    model, inner = bounds.model, np.abs(np.asarray(bounds.answer.grad_mapped).astype(np.float64))
    slope = np.abs(np.asarray(bounds.answer.slope).astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        off = logit_map.slope_error(bounds.problem, model)
        tolerance = mapped * (slope + off) + inner * (off + 2 * model.u_o * slope)
        tolerance = tolerance + model.eta * (2 + bounds.problem.logit_scale + inner)
    tolerance = np.where(np.isnan(tolerance), math.inf, tolerance)
    return np.asarray(np.where(mapped == 0, 0.0, tolerance))


def of_mapped_logits(bounds: Bounds, *, infinite: bool = False) -> F64Array:
    """The same for the logits after any scale and cap."""
    model, q, mass = bounds.model, bounds.shares, bounds.mass[:, None]
    p = bounds.parts.p
    scale = np.abs(_scale(bounds))[:, None]
    natural = p * mass + q
    with np.errstate(over="ignore", invalid="ignore"):
        of_p = expm1(bounds.stored_error) + (model.k_exp + 1) * model.u_i
        core = p * mass * of_p + 2 * model.u_i * natural
        if bounds.mixed:
            core = core + (bounds.class_height + 1) * model.u_a * p * mass + bounds.roundings * model.u_o * natural
            core = core + _roundings(bounds) * model.u_o * natural
        if bounds.problem.lse_square_scale:
            core = core + z_loss.gradient(bounds, of_p, natural)
        relative = _relative_error(bounds) + model.u_o * _scaled_by_the_cotangent(bounds)
        exact = np.asarray(bounds.answer.grad_mapped).astype(np.float64)
        tolerance = scale * core * (1 + relative) + relative * np.abs(exact)
        # These may underflow: p, p S, the products in Q, and the row, each scaled afterwards; G, which p S - Q
        # multiplies; the stored result.
        tolerance = tolerance + model.eta * (4 + 2 * mass + bounds.roundings) * np.maximum(1.0, scale)
        if bounds.mixed:
            tolerance = tolerance + p * _lost_of_mass(bounds)
    if bounds.divides_by_zero and bounds.answer.any_row_left:
        return np.full_like(tolerance, math.inf)
    counted = ~bounds.answer.form.ignored[:, None]
    losses = np.asarray(bounds.answer.row_losses).astype(np.float64)
    judged = (np.isfinite(losses) | (infinite & np.isposinf(losses)))[:, None]
    judged = judged & ~(logit_map.overflowing(bounds.parts)[:, None] & counted)
    moved = counted if bounds.problem.lse_square_scale else mass > 0
    return np.asarray(np.where(judged, np.where(moved, tolerance, 0.0), math.inf))


def of_target(bounds: Bounds) -> F64Array:
    """Tolerance of the gradient of probability targets, (rows, C)."""
    model = bounds.model
    weight = np.abs(bounds.problem.class_weights())
    scale = np.abs(_scale(bounds))[:, None] * weight
    # One product; with smoothing also 1 - eps, its product, and one more if they are applied separately.
    error = bounds.stored_error + (1 + 3 * bool(bounds.problem.label_smoothing)) * model.u_o * bounds.nlp
    with np.errstate(invalid="ignore"):
        relative = _relative_error(bounds)
        tolerance = scale * error * (1 + relative) + relative * np.abs(bounds.answer.grad_target.value)
    # A product that underflows before it is multiplied by a log-probability, and the products that it scales.
    tolerance = tolerance + 4 * model.eta * (np.maximum(1.0, scale) + bounds.nlp)
    if bounds.problem.target.dtype != bounds.problem.logits.dtype:
        tolerance = _in_the_format_of_the_targets(bounds, tolerance)
    judged = bounds.parts.defined & ~logit_map.overflowing(bounds.parts)[:, None]
    return np.asarray(np.where(judged & (not bounds.divides_by_zero), tolerance, math.inf))


def _in_the_format_of_the_targets(bounds: Bounds, tolerance: F64Array) -> F64Array:
    """The tolerance of results that are stored in another format than that of the logits; infinite beyond its range."""
    fmt = format_of(bounds.problem.target)
    with np.errstate(invalid="ignore"):
        size = np.abs(bounds.answer.grad_target.value) + tolerance
    stored = tolerance + fmt.unit_roundoff * size + fmt.smallest_normal
    return np.asarray(np.where(size * (1 + fmt.unit_roundoff) < fmt.max_finite, stored, math.inf))


def target_overflows(bounds: Bounds) -> npt.NDArray[np.bool_]:
    """Where cotangent times weight times log-probability overflows before smoothing scales it, (rows, C)."""
    product = np.abs(_scale(bounds))[:, None] * np.abs(bounds.problem.class_weights()) * bounds.nlp
    return np.asarray((product >= bounds.limit) | np.any(bounds.overflows))


def target_undefined(bounds: Bounds) -> npt.NDArray[np.bool_]:
    """Where such a product is then multiplied by zero, (rows, C): nan where 0 * inf is evaluated."""
    factor = np.abs(_scale(bounds))[:, None] * np.abs(bounds.problem.class_weights())
    nothing = factor * (1 - bounds.problem.label_smoothing) == 0
    evaluated = bounds.answer.conventions.zero_times_infinity == "nan"
    return np.asarray(nothing & bounds.grad_target_overflows & evaluated)


def hessian_times(bounds: Bounds, vector: F64Array) -> F64Array:
    """Tolerance of the second derivative times a vector (rows, C)."""
    model, p, size = bounds.model, bounds.parts.p, np.abs(vector)
    relative = expm1(bounds.stored_error) + (model.k_exp + 1) * model.u_i
    mean = (p * size).sum(axis=1, keepdims=True)
    # Besides the sum over the classes, these intermediate results may be stored: p twice, p v, <p, v>, v - <p, v>,
    # the product of the two, S with the roundings of Q, and the product with S.
    height = model.classes(bounds.problem.classes) * model.u_a + (8 + bounds.roundings) * model.u_o
    inner = (size + mean) * (2 * relative + height)
    inner = inner + (p * size * relative).sum(axis=1, keepdims=True)
    factor = np.abs(_scale(bounds))[:, None]
    scale = factor * bounds.mass[:, None]
    centred = np.abs(vector - (p * vector).sum(axis=1, keepdims=True))
    common = _relative_error(bounds)
    tolerance = scale * p * (inner * (1 + common) + centred * common)
    # These may underflow: the result, the product of G and S, p, p v in each place, the product of p and v - <p, v>,
    # and in another order that of S and p, which v - <p, v> and G multiply.
    places = 1 + size + mean + p * bounds.problem.classes
    tolerance = tolerance + model.eta * (2 + size + mean + factor * (1 + size + mean) + scale * places)
    if bounds.mixed:
        tolerance = tolerance + p * centred * _lost_of_mass(bounds)
    # The product of cotangent, S and vector may be infinite before p makes it small: inf - inf.
    scaled = factor * np.maximum(bounds.mass[:, None], 1) * size.max(axis=1, keepdims=True)
    tolerance = np.where(scaled >= bounds.limit, math.inf, tolerance)
    return np.asarray(np.where(bounds.mass[:, None] > 0, tolerance, 0.0))


def _lost_of_mass(bounds: Bounds) -> F64Array:
    """How much of the product G S underflows where S has several summands, (rows, 1): each of them, before or after it
    is scaled.
    """
    scale = np.abs(_scale(bounds))[:, None]
    lost = bounds.problem.classes * bounds.model.eta * np.maximum(1.0, scale)
    return np.asarray((1 + bounds.roundings) * np.minimum(lost, scale * bounds.mass[:, None]))


def _scale(bounds: Bounds) -> F64Array:
    scale = np.asarray(bounds.answer.scale).astype(np.float64)
    return np.asarray(np.where(np.isfinite(scale), scale, 0.0))


def _roundings(bounds: Bounds) -> int:
    return 1 + (bounds.problem.weight is not None) + 2 * (bounds.problem.reduction == "mean")


def _scaled_by_the_cotangent(bounds: Bounds) -> npt.NDArray[np.bool_]:
    """Whether the product with the cotangent is rounded, (rows, 1) or (1, 1): not if that is a power of two.

    The gradient of a row, p S - Q, may be stored before it is multiplied. ``_roundings`` counts one
    rounding for the stored result, one for the product with the weight, and two for the mean (1 / divisor, and the
    product with it). The cotangent adds one more product, and each product may be stored.
    """
    fractions, _ = np.frexp(bounds.problem.cotangents().reshape(-1, 1))
    return np.asarray((fractions != 0) & (np.abs(fractions) != 0.5))  # noqa: PLR2004 - the fraction of powers of two


def _relative_error(bounds: Bounds) -> float:
    """Relative error of the factor that all elements of the gradient have in common.

    A divisor that is off by the relative error d makes a quotient off by as much as d / (1 - d).
    """
    of_divisor = bounds.divisor_error
    if math.isinf(of_divisor):
        return math.inf
    rounded = _roundings(bounds) * bounds.model.u_o
    return (of_divisor + rounded) / (1 - of_divisor)
