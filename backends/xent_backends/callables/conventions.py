"""Determines which conventions a callable follows, with a small batch for each convention.

If a batch decides nothing, because the call raises an exception or returns a number that fits no choice, PyTorch's
choice is assumed, and the requirements report whether the callable meets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from xent_backends.callables.batches import Problem, problem_of
from xent_backends.callables.calls import Calls
from xent_conformance.conventions import ASSUMED, BEHAVIOUR, Conventions, loss_dtype
from xent_conformance.interface import Capabilities

Numbers = npt.NDArray[np.float64]
Key = TypeVar("Key")
#: Relative error of a mean in the narrowest format, at most; the means of different choices differ by more.
TOLERANCE = 0.02


def conventions_seen(
    trial: Calls, claims: Capabilities, vjp: Callable[..., Any] | None, *, expendable: bool
) -> Conventions:
    """Determine the conventions of a callable.

    Args:
        trial: Makes the calls.
        claims: What the callable claims.
        vjp: Differentiates a loss, like ``cross_entropy_vjp`` of a backend; None without gradients.
        expendable: Whether an invalid label affects no more than its own call. If not, such as on a GPU, no invalid
            label is tried and the convention is assumed to be "abort".

    Returns:
        The conventions. Their ``basis`` names those that were decided by behaviour or assumed.
    """
    seen = _Seen(trial, claims, vjp)
    observed: dict[str, str | None] = {
        "output_dtype": seen.output_dtype(),
        "zero_times_infinity": seen.zero_times_infinity(),
        "all_masked_row": seen.all_masked_row(),
        "infinite_row": seen.infinite_row(),
        "smoothing_mass": seen.smoothing_mass(),
        "invalid_label": seen.invalid_label() if expendable else None,
    }
    if "mean" in claims.reductions:
        observed |= seen.of_the_mean()
    decided: dict[str, Any] = {name: choice for name, choice in observed.items() if choice is not None}
    basis = dict.fromkeys(decided, BEHAVIOUR)
    if not expendable:
        decided["invalid_label"], basis["invalid_label"] = "abort", ASSUMED
    return Conventions(**decided, basis=basis)


def conventions_of_softmax(of_row: Callable[[list[float]], Numbers | None], *, logarithm: bool) -> Conventions:
    """Determine the conventions of a softmax about rows that have none.

    Args:
        of_row: The softmax of a row, or its logarithm; None if it raises an exception.
        logarithm: Whether it is the logarithm.

    Returns:
        The conventions, as ``conventions_seen`` does.
    """
    masked, infinite = of_row([-np.inf, -np.inf, -np.inf]), of_row([0.0, np.inf, 1.0])
    decided: dict[str, Any] = {}
    if masked is not None:
        choices = {"nan": np.isnan(masked), "zero": masked == 0, "inf": np.isneginf(masked)}
        decided["all_masked_row"] = next((choice for choice, holds in choices.items() if holds.all()), None)
    if infinite is not None:
        limit = np.array([-np.inf, 0.0, -np.inf] if logarithm else [0.0, 1.0, 0.0])
        undefined = np.isnan(infinite)
        several = "nan" if undefined.all() else _if([undefined.any()], "not_finite")
        decided["infinite_row"] = _if([np.array_equal(infinite, limit)], "limit") or several
    decided = {name: choice for name, choice in decided.items() if choice is not None}
    return Conventions(**decided, basis=dict.fromkeys(decided, BEHAVIOUR))


class _Seen:
    """The choice of each convention by the behaviour of a callable; None if that decides nothing."""

    def __init__(self, trial: Calls, claims: Capabilities, vjp: Callable[..., Any] | None) -> None:
        self.trial, self.claims, self.vjp = trial, claims, vjp
        self.sentinel = claims.default_ignore_index
        self.ignoring: dict[str, Any] = {}
        if self.sentinel is None and claims.ignore_index:
            self.sentinel, self.ignoring = 0, {"ignore_index": 0}

    def of_the_mean(self) -> dict[str, str | None]:
        """The conventions about the mean: its divisor, and its value if the divisor is zero."""
        logits, target = problem_of(self.trial.dtype)
        choices = {"empty_batch_loss": _number(self._loss((logits[:0], target[:0]))), "mean_divisor": self._divisor()}
        if self.sentinel is not None:
            ignored = logits, np.full_like(target, self.sentinel)
            choices["all_ignored_loss"] = _number(self._loss(ignored, **self.ignoring))
            choices["all_ignored_gradient"] = _number(self._gradient(ignored, **self.ignoring))
        if self.claims.weight:
            choices["zero_weight_loss"] = _number(self._loss((logits, target), weight=np.zeros(3)))
            choices["zero_weight_gradient"] = _number(self._gradient((logits, target), weight=np.zeros(3)))
        return choices

    def output_dtype(self) -> str | None:
        """Whether the loss has the dtype of the logits, or float32; undecided if only float32 is claimed."""
        how = {"reduction": self.claims.reductions[0]}
        given = self.claims.logits_dtypes
        got = [self.trial.answer(problem_of(dtype), how).dtype for dtype in given]
        if set(given) == {"float32"}:
            return None
        choices = ("logits", "float32", "at_least_float32")
        return next((choice for choice in choices if got == [loss_dtype(choice, dtype) for dtype in given]), None)

    def zero_times_infinity(self) -> str | None:
        """Whether a share of zero at a logit of -inf gives zero or nan.

        Tried with a target probability of zero, and with smoothing and a class weight of zero.
        """
        claims = self.claims
        if claims.finite_logits_only:
            return None
        logits = np.array([[0, 1, -np.inf], [1, 0, -np.inf]]).astype(self.trial.dtype)
        losses = []
        if claims.probability_targets:
            losses.append(self._loss((logits, np.eye(3)[:2].astype(self.trial.dtype)), claims.reductions[0]))
        if claims.label_smoothing and claims.weight:
            options = {"weight": np.array([1.0, 1.0, 0.0]), "label_smoothing": 0.5}
            losses.append(self._loss((logits, np.array([0, 1])), claims.reductions[0], **options))
        choices = {
            None if x is None else "nan" if np.isnan(x).all() else _if([bool(np.isfinite(x).all())], "zero")
            for x in losses
        }
        return choices.pop() if len(choices) == 1 else None

    def all_masked_row(self) -> str | None:
        """The loss of a row in which all logits are -inf."""
        loss = self._row([-np.inf, -np.inf, -np.inf], 0)
        return None if loss is None else "nan" if np.isnan(loss) else {np.inf: "inf", 0.0: "zero"}.get(loss)

    def infinite_row(self) -> str | None:
        """The loss of a row with a logit of +inf, for the target's class and for another one."""
        at_target, elsewhere = self._row([np.inf, 0.0, 1.0], 0), self._row([np.inf, 0.0, 1.0], 1)
        if at_target is None or elsewhere is None:
            return None
        if np.isnan(at_target) and np.isnan(elsewhere):
            return "nan"
        if np.isfinite(at_target) or np.isfinite(elsewhere):
            return _if([at_target == 0, elsewhere == np.inf], "limit")
        return "not_finite"

    def smoothing_mass(self) -> str | None:
        """Whether smoothing spreads its mass over all classes or over the others, by a row with label 2."""
        if not self.claims.label_smoothing:
            return None
        eps = min(0.5, self.claims.max_label_smoothing)
        problem = np.array([[0, 1, 3]]).astype(self.trial.dtype), np.array([2])
        loss = self._loss(problem, self.claims.reductions[0], label_smoothing=eps)
        of_classes = _losses(problem[0])[0]
        hard, others = of_classes[2], of_classes[:2]
        expected = {
            "all_classes": (1 - eps) * hard + eps * of_classes.mean(),
            "other_classes": (1 - eps) * hard + eps * others.mean(),
        }
        return _nearest(loss, expected)

    def _row(self, logits: list[float], label: int) -> float | None:
        """The loss of one row; None if the call has no result, or if infinite logits are not claimed."""
        if self.claims.finite_logits_only:
            return None
        problem = np.array([logits]).astype(self.trial.dtype), np.array([label])
        loss = self._loss(problem, self.claims.reductions[0])
        return None if loss is None or loss.size != 1 else float(loss.item())

    def invalid_label(self) -> str | None:
        """Whether labels just outside the range are rejected or give nan."""
        outside = [label for label in (3, -1) if label != self.claims.default_ignore_index]
        answers = [self.trial.with_label(label) for label in outside]
        if all(answer.refusal is not None for answer in answers):
            return "error"
        return _if([answer.loss is not None and bool(np.isnan(answer.loss).any()) for answer in answers], "nan")

    def _divisor(self) -> str | None:
        """What the mean divides by, determined with class weights and an ignored row, as far as these are claimed."""
        logits, target = problem_of(self.trial.dtype)
        of_classes = _losses(logits)
        by_weight = by_valid = None
        if self.claims.weight:
            weight = np.array([1.0, 4.0, 2.0])
            total, mean = of_classes[[0, 1], target] @ weight[target], self._loss((logits, target), weight=weight)
            by_weight = _nearest(mean, {True: total / weight[target].sum(), False: total / 2})
        if self.sentinel is not None:
            label = 0 if self.sentinel == 1 else 1
            mean, only = self._loss((logits, np.array([label, self.sentinel])), **self.ignoring), of_classes[0, label]
            by_valid = _nearest(mean, {True: only, False: only / 2})
        return {
            (True, True): "target_weight",
            (True, None): "target_weight",
            (False, True): "valid_rows",
            (False, None): "valid_rows",
            (False, False): "all_rows",
            (None, False): None if self.claims.weight else "all_rows",
        }.get((by_weight, by_valid))

    def _loss(self, problem: Problem, reduction: str = "mean", **options: Any) -> Numbers | None:
        return self.trial.answer(problem, {"reduction": reduction, **options}).loss

    def _gradient(self, problem: Problem, **options: Any) -> Numbers | None:
        if self.vjp is None:
            return None
        return self.trial.gradient(self.vjp, problem, {"reduction": "mean", **options}).loss


def _losses(logits: npt.NDArray[Any]) -> Numbers:
    """The loss of each row for each class that could be its label."""
    x = logits.astype(np.float64)
    return np.asarray(np.log(np.exp(x).sum(axis=1, keepdims=True)) - x)


def _number(value: Numbers | None) -> str | None:
    """Choice for a result that has no defined value: "nan" if no row is finite, "zero" if all numbers are zero."""
    if value is None or not value.size:
        return None
    undefined = ~np.isfinite(value.reshape(len(value), -1) if value.ndim else value.reshape(1, 1)).all(axis=1)
    return "nan" if undefined.all() else _if([bool((value == 0).all())], "zero")


def _if(conditions: Any, choice: str) -> str | None:
    """The choice if all conditions hold, or None."""
    return choice if all(conditions) else None


def _nearest(value: Numbers | None, expected: Mapping[Key, float]) -> Key | None:
    """The key of the expected number that a loss is close to; None if it is close to neither."""
    if value is None or value.size != 1:
        return None
    return next((key for key, number in expected.items() if np.isclose(value.item(), number, rtol=TOLERANCE)), None)
