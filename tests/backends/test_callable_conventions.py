"""Conventions of a bare callable are those that it is seen to follow; where nothing is seen, PyTorch's stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.numpy_backend import from_callable
from xent_conformance.conventions import ASSUMED, BEHAVIOUR, Conventions
from xent_conformance.loading.claims import complaint

right = numpy_cross_entropy.cross_entropy


def conventions(function: Any) -> Conventions:
    """Those of a callable."""
    adapter = from_callable(function, spec="numpy:losses.f")
    assert complaint(adapter) is None
    return adapter.capabilities.conventions


def differing(function: Any) -> dict[str, str]:
    """Conventions that are not PyTorch's, all of them taken from behaviour."""
    found = conventions(function)
    assert set(found.differing().values()) <= {BEHAVIOUR}
    return {name: getattr(found, name) for name in found.differing()}


def mean_over(divisor: Any) -> Any:
    """A loss whose mean divides by what a function of the labels, the weights and the sentinel says."""

    def loss(logits: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
        how = {"weight": weight, "ignore_index": ignore_index}
        if reduction != "mean":
            return right(logits, target, reduction=reduction, **how)
        wide = how | {"weight": None if weight is None else weight.astype(np.float64)}
        with np.errstate(all="ignore"):
            total = right(logits.astype(np.float64), target, reduction="sum", **wide)
            return (total / divisor(logits, target, weight, ignore_index)).astype(logits.dtype)

    return loss


def valid_rows(logits: Any, target: Any, weight: Any, ignore_index: int) -> Any:
    del logits, weight
    return np.float64((target != ignore_index).sum())


def all_rows(logits: Any, target: Any, weight: Any, ignore_index: int) -> Any:
    del logits, weight, ignore_index
    return np.float64(target.size)


def nan_for_what_is_no_class(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Cannot raise, as a compiled function."""
    invalid = (target < 0) | (target >= logits.shape[1])
    losses = right(logits, np.where(invalid, 0, target), reduction="none")
    losses = np.where(invalid, np.nan, losses).astype(logits.dtype)
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def test_a_callable_that_does_as_pytorch_differs_in_nothing() -> None:
    """Its conventions are taken from its behaviour all the same."""
    assert differing(right) == {}
    assert {"all_ignored_loss", "mean_divisor", "empty_batch_loss", "invalid_label"} <= conventions(right).basis.keys()


def smoothed_over(classes: Any) -> Any:
    """A loss whose smoothing spreads its mass over as many classes as a function says, the label's or not."""

    def loss(logits: Any, target: Any, reduction: str = "mean", label_smoothing: float = 0.0) -> Any:
        every = np.arange(logits.shape[1]) == target[:, None]
        share = label_smoothing / classes(logits.shape[1])
        spread = np.where(every, 1 - label_smoothing, 0) + share * (~every if classes(2) == 1 else 1)
        return right(logits, spread.astype(logits.dtype), reduction=reduction)

    return loss


def test_the_classes_that_smoothing_spreads_over_are_seen() -> None:
    """A mass that is right by neither choice is judged by PyTorch's."""
    assert "smoothing_mass" in conventions(right).basis
    assert differing(smoothed_over(lambda count: count - 1))["smoothing_mass"] == "other_classes"
    assert "smoothing_mass" not in conventions(smoothed_over(lambda count: count + 1)).basis


def test_a_mean_over_one_row_at_least_is_zero_where_there_is_none() -> None:
    """Then nothing is ignored into nan: neither the loss of no rows nor that of ignored ones."""
    at_least_one = mean_over(lambda *problem: np.maximum(valid_rows(*problem), 1))
    found = {"all_ignored_loss": "zero", "empty_batch_loss": "zero", "zero_weight_loss": "zero"}
    assert differing(at_least_one) == {**found, "mean_divisor": "valid_rows"}


@pytest.mark.parametrize(("divisor", "choice"), [(valid_rows, "valid_rows"), (all_rows, "all_rows")])
def test_what_a_mean_divides_by_is_seen(divisor: Any, choice: str) -> None:
    """By a weight and by an ignored row."""
    assert conventions(mean_over(divisor)).mean_divisor == choice


def test_a_divisor_that_no_convention_names_is_left_to_fail() -> None:
    """PyTorch's is what it is judged by."""
    found = conventions(mean_over(lambda *problem: all_rows(*problem) + 1))
    assert "mean_divisor" not in found.basis
    assert found.mean_divisor == "target_weight"


def test_a_mean_of_ignored_rows_that_is_a_number_is_left_to_fail() -> None:
    """It is none of the conventions."""

    def counts_ignored(logits: Any, target: Any, ignore_index: int = -100, reduction: str = "mean") -> Any:
        loss = right(logits, target, ignore_index=ignore_index, reduction=reduction)
        return loss if reduction != "mean" or target.size == 0 else np.nan_to_num(loss, nan=0.5).astype(loss.dtype)

    found = conventions(counts_ignored)
    assert "all_ignored_loss" not in found.basis
    assert found.all_ignored_loss == "nan"


def test_a_sentinel_that_must_be_passed_is_passed() -> None:
    """A callable may ignore nothing by default."""

    def loss(logits: Any, target: Any, ignore_index: Any = None, reduction: str = "mean") -> Any:
        found = right(
            logits, target, reduction=reduction, **({} if ignore_index is None else {"ignore_index": ignore_index})
        )
        return np.nan_to_num(found)

    assert differing(loss)["all_ignored_loss"] == "zero"


def test_a_loss_that_is_always_float32_is_seen() -> None:
    """Also of the wider format; a callable of float32 alone does not tell."""

    def loss(logits: Any, target: Any, reduction: str = "mean") -> Any:
        return right(logits.astype(np.float32), target, reduction=reduction)

    def only_float32(logits: Any, target: Any, reduction: str = "mean") -> Any:
        if logits.dtype != np.float32:
            raise TypeError(logits.dtype)
        return right(logits, target, reduction=reduction)

    def at_least_float32(logits: Any, target: Any, reduction: str = "mean") -> Any:
        return right(logits.astype(np.promote_types(logits.dtype, np.float32)), target, reduction=reduction)

    assert differing(loss) == {"output_dtype": "float32"}
    assert differing(at_least_float32) == {"output_dtype": "at_least_float32"}
    assert "output_dtype" not in conventions(only_float32).basis


def test_nan_for_an_invalid_label_is_seen() -> None:
    """A callable that cannot raise is held to nan; one that gives a number is held to raise."""

    def wraps(logits: Any, target: Any, reduction: str = "mean") -> Any:
        return right(logits, target % logits.shape[1] if logits.ndim > 1 else target, reduction=reduction)

    assert differing(nan_for_what_is_no_class) == {"invalid_label": "nan"}
    assert conventions(wraps).invalid_label == "error"
    assert "invalid_label" not in conventions(wraps).basis


def test_a_share_of_zero_on_a_mask_is_seen() -> None:
    """Where it counts nothing, and not where the mask is refused."""

    def skips_zeros(logits: Any, target: Any, reduction: str = "mean") -> Any:
        if target.dtype == logits.dtype:
            logits = np.where((target == 0) & np.isneginf(logits), np.finfo(np.float16).min, logits).astype(
                logits.dtype
            )
        return right(logits, target, reduction=reduction)

    assert differing(skips_zeros) == {"zero_times_infinity": "zero"}


def test_gradients_are_seen_too() -> None:
    """Of the mean of no rows, as autograd gives it; on a device that an invalid label could end, none is tried."""
    torch = pytest.importorskip("torch")
    from xent_backends import torch_calls
    from xent_backends.callables import adapter
    from xent_backends.torch_arrays import numpy_of, tensor_of

    def clamped(logits: Any, target: Any, ignore_index: int = -100, reduction: str = "mean") -> Any:
        how = {"ignore_index": ignore_index}
        if reduction != "mean":
            return torch.nn.functional.cross_entropy(logits, target, reduction=reduction, **how)
        assert int(target.max() if target.numel() else 0) < 3, "an invalid label was tried"
        total = torch.nn.functional.cross_entropy(logits, target, reduction="sum", **how)
        return (total + 0 * logits.sum()) / (target != ignore_index).sum()

    arrays = adapter.Arrays(lambda array: tensor_of(array, "cpu"), numpy_of, torch_calls.one_hot)
    found = adapter.plugged(
        clamped, "torch:losses.f", arrays, ("float32",), adapter.Derivatives(torch_calls.vjp), expendable=False
    ).capabilities.conventions
    assert (found.all_ignored_gradient, found.basis["all_ignored_gradient"]) == ("nan", BEHAVIOUR)
    assert (found.invalid_label, found.basis["invalid_label"]) == ("abort", ASSUMED)


def with_row_losses(change: Any) -> Any:
    """A loss of which a function of logits, labels and row losses changes the rows."""

    def loss(logits: Any, target: Any, reduction: str = "mean") -> Any:
        losses = change(logits, target, right(logits, target, reduction="none")).astype(logits.dtype)
        return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()

    return loss


@pytest.mark.parametrize(("value", "choice"), [(0, "zero"), (np.inf, "inf")])
def test_the_loss_of_a_row_of_only_minus_infinity_is_seen(value: float, choice: str) -> None:
    """A number that is neither is left to fail."""

    def masked(logits: Any, target: Any, losses: Any) -> Any:
        del target
        return np.where(np.isneginf(logits.astype(np.float64)).all(axis=1), value, losses)

    def odd(logits: Any, target: Any, losses: Any) -> Any:
        return np.where(masked(logits, target, losses) == value, 87, losses)

    assert differing(with_row_losses(masked)) == {"all_masked_row": choice}
    assert "all_masked_row" not in conventions(with_row_losses(odd)).basis


@pytest.mark.parametrize(("at_target", "choice"), [(0, "limit"), (np.nan, "not_finite")])
def test_the_loss_of_a_row_with_infinity_is_seen(at_target: float, choice: str) -> None:
    """The limit, or the logarithm of an infinite sum less the logit."""

    def infinite(logits: Any, target: Any, losses: Any) -> Any:
        x = logits.astype(np.float64)
        there = np.isposinf(x[np.arange(len(x)), target]) if len(x) else np.zeros(0, bool)
        return np.where(np.isposinf(x).any(axis=1), np.where(there, at_target, np.inf), losses)

    assert differing(with_row_losses(infinite)) == {"infinite_row": choice}


def softmax(logits: Any) -> Any:
    """Right, and nan in all of a row that has none."""
    with np.errstate(all="ignore"):
        return numpy_cross_entropy.softmax(logits)


def log_softmax(logits: Any) -> Any:
    with np.errstate(all="ignore"):
        return numpy_cross_entropy.log_softmax(logits)


def guarded_softmax(logits: Any) -> Any:
    """No share for a row of only -inf; one at +inf where there is one."""
    masked, infinite = np.isneginf(logits).all(axis=1, keepdims=True), np.isposinf(logits)
    limited = np.where(infinite.any(axis=1, keepdims=True), infinite, softmax(logits))
    return np.where(masked, 0, limited).astype(logits.dtype)


def guarded_log_softmax(logits: Any) -> Any:
    with np.errstate(all="ignore"):
        undefined = ~np.isfinite(logits.max(axis=1, keepdims=True))
        return np.where(undefined, np.log(guarded_softmax(logits)), log_softmax(logits)).astype(logits.dtype)


def softmax_with_zeros_beside_infinity(logits: Any) -> Any:
    return np.where(np.isposinf(logits).any(axis=1, keepdims=True) & np.isfinite(logits), 0, softmax(logits))


def softmax_of_equal_shares(logits: Any) -> Any:
    """What fits no choice, for a row of only -inf."""
    return np.where(np.isneginf(logits).all(axis=1, keepdims=True), 1 / logits.shape[1], softmax(logits))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (softmax, {}),
        (log_softmax, {}),
        (guarded_softmax, {"all_masked_row": "zero", "infinite_row": "limit"}),
        (guarded_log_softmax, {"all_masked_row": "inf", "infinite_row": "limit"}),
        (softmax_with_zeros_beside_infinity, {"infinite_row": "not_finite"}),
        (softmax_of_equal_shares, {}),
    ],
)
def test_those_of_a_softmax_are_seen_in_rows_that_have_none(function: Any, expected: dict[str, str]) -> None:
    assert differing(function) == expected
