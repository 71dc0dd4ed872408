"""Two results of one backend beside each other: neither is the truth, each is within its bound of its exact value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.judging.judge import TELLING, Finding, compare
from xent_conformance.judging.trial import SpoiledError, Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import F64Array

#: Unit roundoff of the float64 arithmetic done here on what backends returned.
ROUNDING = 2.0**-53
#: A gradient is told apart from nothing where its bound is small beside the largest element of the problem.
SMALLEST_EFFECT = 1e-30


def effect_of(gradient: F64Array) -> F64Array:
    """Size of what a comparison of a gradient is about: its largest finite element, everywhere."""
    finite = np.abs(gradient[np.isfinite(gradient)])
    return np.full(gradient.shape, max(float(finite.max(initial=0.0)), SMALLEST_EFFECT))


@dataclass(frozen=True)
class Measured:
    """Numbers that a backend returned, or made from such, each with a bound of its error.

    A bound is infinite where there is no finite exact value: there two results need not agree. ``overflows`` marks
    where infinity stands beside the values within the bound.
    """

    value: F64Array
    bound: F64Array
    overflows: npt.NDArray[np.bool_]

    def __getitem__(self, index: Any) -> Measured:
        """Some of the numbers."""
        return Measured(np.asarray(self.value[index]), np.asarray(self.bound[index]), np.asarray(self.overflows[index]))

    def __add__(self, other: Measured) -> Measured:
        """Sums, element by element."""
        with np.errstate(all="ignore"):
            value = np.asarray(self.value + other.value)
            too_large = np.isfinite(self.value) & np.isfinite(other.value) & ~np.isfinite(value)
            bound = self.bound + other.bound + ROUNDING * _finite(value)
        return Measured(value, np.asarray(bound), np.asarray(self.overflows | other.overflows | too_large))

    def times(self, factor: npt.ArrayLike) -> Measured:
        """Products with exact numbers."""
        exact = np.asarray(factor, dtype=np.float64)
        with np.errstate(all="ignore"):
            value = np.asarray(self.value * exact)
            scaled = np.where(np.isfinite(self.bound), np.abs(exact) * self.bound, np.inf)
            too_large = np.isfinite(self.value) & ~np.isfinite(value)
        return Measured(value, np.asarray(scaled + ROUNDING * _finite(value)), np.asarray(self.overflows | too_large))

    def sum(self) -> Measured:
        """The sum of all the numbers."""
        with np.errstate(all="ignore"):
            value = np.asarray(self.value.sum())
            too_large = np.isfinite(self.value).all() & ~np.isfinite(value)
            bound = self.bound.sum() + self.value.size * ROUNDING * _finite(self.value).sum()
        return Measured(value, np.asarray(bound), np.asarray(self.overflows.any() | too_large))

    def exactly(self, where: npt.ArrayLike) -> Measured:
        """The same numbers without a bound where that is asked for."""
        return replace(self, bound=np.where(where, np.where(np.isfinite(self.bound), 0.0, np.inf), self.bound))

    def instead(self, value: F64Array) -> Measured:
        """Other numbers that are known as well as these."""
        return replace(self, value=value)


def _finite(values: F64Array) -> F64Array:
    return np.abs(np.where(np.isfinite(values), values, 0.0))


def loss_of(trial: Trial, where: str = "") -> Measured:
    """The loss of a call. ``where`` says which call that is, in case it fails."""
    try:
        value = trial.loss()
    except SpoiledError as spoiled:
        raise _placed(spoiled, where) from spoiled
    finite = np.isfinite(trial.answer.loss.value) & ~trial.bounds.undefined
    overflows = np.broadcast_to(np.asarray(trial.bounds.overflows, dtype=bool), value.shape)
    return Measured(value, np.where(finite, trial.bounds.loss, np.inf), overflows)


def gradient_of(trial: Trial, where: str = "", **variation: Any) -> Measured:
    """The gradient of the logits, (rows, C)."""
    try:
        value = trial.gradients(**variation).logits
    except SpoiledError as spoiled:
        raise _placed(spoiled, where) from spoiled
    finite = np.isfinite(trial.answer.grad_logits.value)
    return Measured(value, np.where(finite, trial.bounds.grad_logits, np.inf), np.zeros(value.shape, dtype=bool))


def _placed(spoiled: SpoiledError, where: str) -> SpoiledError:
    if not where:
        return spoiled
    return SpoiledError(replace(spoiled.finding, message=f"{spoiled.finding.message} ({where})"))


def agree(
    trial: Trial,
    quantity: str,
    got: Measured,
    expected: Measured,
    otherwise: str,
    *,
    effect: npt.ArrayLike | None = None,
    call: str = "cross_entropy",
    variation: tuple[tuple[str, Any], ...] = (),
) -> Finding:
    """Whether two results agree within the sum of their bounds; ``otherwise`` says how the second came about.

    ``got`` is what ``call`` gives on the trial's own problem. ``effect`` is the size of what is compared: by default
    the expected value, or 1.
    """
    fmt = trial.problem.format
    with np.errstate(all="ignore"):
        tolerance = got.bound + expected.bound
        doubtful = np.isinf(expected.value) & (np.abs(got.value) + tolerance >= fmt.max_finite)
        # What may overflow on the way is judged once, beside the exact value.
        doubtful |= (got.overflows | expected.overflows) & ~(np.isfinite(got.value) & np.isfinite(expected.value))
        tolerance = np.where(doubtful | np.isnan(tolerance), np.inf, tolerance)
        size = np.maximum(np.abs(expected.value), 1.0) if effect is None else np.asarray(effect)
        telling = bool(np.any((tolerance <= TELLING * size) & np.isfinite(expected.value)))
    found = compare(quantity, got.value, Exact(expected.value), tolerance, fmt, call=call)
    if found.failed:
        place = "" if not found.index else str(list(found.index))
        between = f"; they may differ by {found.bound:.3g}" if found.bound else ""
        found = replace(
            found, message=f"{quantity}{place} is {found.got:.9g}, but {found.expected:.9g} {otherwise}{between}"
        )
    return replace(found, exercised=telling, variation=variation)


def gradients_agree(trial: Trial, got: Measured, expected: Measured, otherwise: str, **details: Any) -> Finding:
    """As ``agree``, for gradients of the logits: what matters is their size beside the largest of them."""
    finite = _finite(expected.value)
    effect = np.full(finite.shape, max(float(finite.max(initial=0.0)), SMALLEST_EFFECT))
    return agree(trial, "grad_logits", got, expected, otherwise, effect=effect, call="cross_entropy_vjp", **details)
