"""Where an intermediate result of a correct implementation may overflow although the final result does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from xent_conformance.bounds import z_loss
from xent_conformance.formats import format_of
from xent_conformance.problem import F64Array

if TYPE_CHECKING:
    from xent_conformance.bounds import Bounds


def of_loss(bounds: Bounds) -> np.bool_ | npt.NDArray[np.bool_]:
    """Where a stored log-probability, one of its products or a sum of them overflows: (rows,) for none, else ()."""
    answer, problem, rows = bounds.answer, bounds.problem, bounds.largest
    over: npt.NDArray[np.bool_] = rows >= bounds.limit
    if problem.reduction == "none":
        return over
    terms = np.abs(np.asarray(answer.divisor_terms).astype(np.float64))
    total = rows.sum() if bounds.mixed else 0.0
    if problem.reduction == "mean" and not bounds.divides_by_zero:
        # The unscaled sum may be divided before it is multiplied by eps / C.
        total = max(total, total / abs(float(answer.divisor)))
    sums = max(np.abs(bounds.row_values).sum(), total, terms.sum())
    stored = bounds.model.batch_is_wide and abs(float(answer.loss.value)) >= bounds.limit
    return np.bool_(over.any() or sums >= bounds.limit_of_sums or stored)


def largest(bounds: Bounds) -> F64Array:
    """The largest of these in each row, (rows,)."""
    sizes = _sizes(bounds)
    rows = np.maximum(sizes.max(axis=1, initial=0.0), bounds.parts.log_sum_exp[:, 0] if bounds.model.form_b else 0.0)
    if bounds.mixed:
        rows = np.maximum(rows, sizes.sum(axis=1))
    if bounds.problem.lse_square_scale:
        rows = np.maximum(rows, z_loss.sizes(bounds))
    return np.asarray(rows)


def cancelling_rows(bounds: Bounds) -> npt.NDArray[np.bool_]:
    """Rows whose terms overflow with both signs: the order of summation decides whether the sum is inf, -inf or nan."""
    if not bounds.mixed:
        return np.zeros(len(bounds.mass), dtype=bool)
    sizes = _sizes(bounds)
    negative = np.asarray(bounds.answer.form.q).astype(np.float64) < 0
    return np.asarray((negative & (sizes > 0)).any(axis=1) & (sizes.sum(axis=1) >= bounds.limit))


def without_share(bounds: Bounds) -> np.bool_ | npt.NDArray[np.bool_]:
    """Where an overflowing intermediate result is multiplied by zero: (rows,) for none, else ().

    The factor zero is a class weight or a probability; with label_smoothing=1 it is that of the whole unsmoothed loss.
    An implementation that evaluates 0 * inf then returns nan.
    """
    problem = bounds.problem
    if bounds.answer.conventions.zero_times_infinity == "zero":
        return np.zeros(problem.rows, dtype=bool) if problem.reduction == "none" else np.bool_(False)
    rows = bounds.loses_infinity
    undefined = rows if problem.reduction == "none" else np.bool_(rows.any())
    return undefined | bounds.overflows if problem.label_smoothing == 1 else undefined


def times_zero(bounds: Bounds) -> npt.NDArray[np.bool_]:
    """Rows where the factor of such an intermediate result is a class weight or a probability, (rows,).

    A subnormal factor counts as zero, because implementations may flush it. Where the weight is zero, what overflows
    may be the product of the distance and a probability above 1.
    """
    problem = bounds.problem
    shares = np.abs(np.asarray(bounds.answer.form.q).astype(np.float64))
    vanishing = shares < format_of(problem.logits).smallest_normal
    given = np.maximum(np.abs(problem.probabilities()), 1.0) if problem.has_probabilities else 1.0
    return np.asarray((vanishing & (_sizes(bounds) * given >= bounds.limit)).any(axis=1))


def cancels(bounds: Bounds) -> bool:
    """The same for the rows of a batch."""
    values = bounds.row_values
    if not (values < 0).any() or not (values > 0).any():
        return False
    return bool(np.abs(values).sum() >= bounds.limit_of_sums)


def _sizes(bounds: Bounds) -> F64Array:
    """Magnitudes of the terms that the loss reads, with their weights, (rows, C)."""
    weight = np.abs(bounds.problem.class_weights())
    too_far = bounds.parts.infinite & np.isfinite(bounds.problem.logits_by_row())
    distance = np.where(too_far, np.inf, bounds.nlp)
    return np.where(bounds.answer.read, distance * np.maximum(weight, 1.0), 0.0)
