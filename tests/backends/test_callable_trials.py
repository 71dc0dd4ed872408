"""What a trial decides: a refusal is left out and said; a wrong value or shape, or a fault, keeps the claim."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.callables.batches import BEYOND, problem_of
from xent_backends.numpy_backend import from_callable
from xent_conformance.interface import Capabilities
from xent_conformance.judging.subject import NON_FINITE_LOGITS, Subject
from xent_conformance.loading.claims import complaint
from xent_conformance.loading.description import as_data, describe, from_data
from xent_conformance.requirements.twins import UNBATCHED

Loss = Callable[..., Any]
right = numpy_cross_entropy.cross_entropy


def claims(function: Loss) -> tuple[Capabilities, dict[str, str]]:
    """What a callable claims, and what is left out."""
    found = from_callable(function, spec="numpy:losses.f").capabilities
    return found, dict(found.left_out)


def test_nothing_is_left_out_of_a_callable_that_takes_everything() -> None:
    """Dtypes of labels that nobody takes are all that is said of it."""
    assert claims(right)[1].keys() == {"labels uint16, uint32, uint64"}


def test_a_wrong_shape_keeps_the_claim() -> None:
    """Rows as a column, in every rank: a failure of the requirements, not an unclaimed option."""

    def column(logits: Any, target: Any, reduction: str = "mean") -> Any:
        losses = right(logits, target, reduction=reduction)
        return losses[..., None] if reduction == "none" else losses

    found, reasons = claims(column)
    assert (found.unbatched, found.spatial) == (True, True)
    assert found.reductions == ("none", "sum", "mean")
    assert not {"unbatched", "spatial"} & reasons.keys()


@pytest.mark.parametrize("factor", [1, 3])
def test_a_wrong_value_keeps_the_claim_of_spatial_distributions(factor: int) -> None:
    """Only what is seen to have its classes on the last axis is left out for it."""

    def garbled(logits: Any, target: Any) -> Any:
        if target.dtype != logits.dtype:
            raise TypeError(target.dtype)
        return right(logits, target) * (factor if logits.ndim > 2 else 1)

    found, reasons = claims(garbled)
    assert found.spatial
    assert "spatial" not in reasons


@pytest.mark.parametrize("error", [NameError, ZeroDivisionError, AttributeError, RecursionError, SystemExit])
def test_an_error_that_shows_a_fault_keeps_the_claim(error: type[BaseException]) -> None:
    """It is no refusal, and it does not end the trial."""

    def faulty(logits: Any, target: Any, reduction: str = "mean") -> Any:
        if logits.ndim == 1:
            raise error("a fault")
        return right(logits, target, reduction=reduction)

    found, reasons = claims(faulty)
    assert found.unbatched
    assert "unbatched" not in reasons


def test_what_is_accepted_under_one_reduction_only_is_claimed() -> None:
    """Then the others fail where they are judged."""

    def mean_of_a_vector(logits: Any, target: Any, reduction: str = "mean") -> Any:
        if logits.ndim == 1 and reduction != "mean":
            raise ValueError(reduction)
        return right(logits, target, reduction=reduction)

    assert claims(mean_of_a_vector)[0].unbatched


def test_a_named_option_without_effect_is_claimed() -> None:
    """Its signature says that it is there; that it does nothing is a failure."""

    def idle(
        logits: Any, target: Any, weight: Any = None, label_smoothing: float = 0.0, reduction: str = "mean"
    ) -> Any:
        del weight, label_smoothing
        return right(logits, target, reduction=reduction)

    found, reasons = claims(idle)
    assert (found.weight, found.label_smoothing) == (True, True)
    assert not {"weight", "label_smoothing"} & reasons.keys()


def test_a_swallowed_option_without_effect_is_left_out() -> None:
    """Nobody has said that it is there."""

    def swallows(logits: Any, target: Any, **options: Any) -> Any:
        return right(logits, target, reduction=options.get("reduction", "mean"), weight=options.get("weight"))

    found, reasons = claims(swallows)
    assert (found.weight, found.ignore_index, found.label_smoothing) == (True, False, False)
    assert reasons["label_smoothing"] == reasons["ignore_index"] == "passing it changed nothing"
    assert found.default_ignore_index is None


def test_a_swallowed_reduction_without_effect_is_left_out() -> None:
    """The callable claims what it computes."""

    def always_sum(logits: Any, target: Any, **_: Any) -> Any:
        return right(logits, target, reduction="sum")

    found, reasons = claims(always_sum)
    assert found.reductions == ("sum",)
    assert reasons["reduction"] == "passing it changed nothing"


def test_a_named_reduction_without_effect_is_claimed() -> None:
    """It fails for the two that it does not compute."""

    def always_mean(logits: Any, target: Any, reduction: str = "mean") -> Any:
        del reduction
        return right(logits, target)

    assert claims(always_mean)[0].reductions == ("none", "sum", "mean")


def test_a_named_option_that_is_not_implemented_is_left_out() -> None:
    """Any other error of a named option is a failure where it is judged."""

    def partial(
        logits: Any, target: Any, weight: Any = None, label_smoothing: float = 0.0, reduction: str = "mean"
    ) -> Any:
        if label_smoothing:
            raise NotImplementedError("later")
        if weight is not None:
            raise ValueError("operands could not be broadcast together")
        return right(logits, target, reduction=reduction)

    found, reasons = claims(partial)
    assert (found.weight, found.label_smoothing) == (True, False)
    assert reasons["label_smoothing"] == "it raised NotImplementedError: later"


def test_a_callable_that_must_be_told_its_reduction_claims_all_its_dtypes() -> None:
    """A reduction without a default is passed in every trial."""

    def told(logits: Any, target: Any, reduction: str) -> Any:
        return right(logits, target, reduction=reduction)

    found, _ = claims(told)
    assert found.logits_dtypes == ("float16", "bfloat16", "float32", "float64")
    assert found.reductions == ("none", "sum", "mean")


@pytest.mark.parametrize(
    ("wrong", "reduction"),
    [
        (lambda x, y: right(x, y, reduction="sum" if x.dtype == np.float16 else "mean"), "mean"),
        (lambda x, y: right(x, y, reduction="mean" if x.dtype == np.float16 else "sum"), "sum"),
        (lambda x, y: right(x, y, reduction="none")[:, None], "none"),
        (lambda x, y: right(x, y) * 3, "mean"),
        (lambda x, y: right(x, y, reduction="sum") / 3, "sum"),
        (lambda x, y: right(x, y, reduction="sum") / (len(x) + 1), "mean"),
    ],
    ids=[
        "one dtype sums",
        "one dtype averages",
        "a column",
        "three times the mean",
        "a third of the sum",
        "a row too many",
    ],
)
def test_what_a_callable_computes_is_told_from_wrong_values(wrong: Loss, reduction: str) -> None:
    """By most dtypes, by the number of losses and by how they grow: the wrong value is left to fail."""

    def function(logits: Any, target: Any) -> Any:
        return wrong(logits, target)

    assert claims(function)[0].reductions == (reduction,)


def test_targets_that_must_sum_to_one_are_claimed() -> None:
    """A trial passes distributions."""

    def strict(logits: Any, target: Any) -> Any:
        if target.dtype == logits.dtype and not np.allclose(target.sum(axis=1).astype(float), 1):
            raise ValueError("no distribution")
        return right(logits, target)

    assert claims(strict)[0].probability_targets


@pytest.mark.parametrize(("limit", "largest"), [(1.0, 0.99), (0.95, 0.9), (0.1, 1.0), (2.0, 1.0)])
def test_the_largest_smoothing_that_is_taken_is_claimed(limit: float, largest: float) -> None:
    """Where a ValueError refuses more; one that takes none of the amounts tried is left to fail."""

    def bounded(logits: Any, target: Any, label_smoothing: float = 0.0, reduction: str = "mean") -> Any:
        if label_smoothing >= limit:
            raise ValueError("label_smoothing out of range")
        return right(logits, target, label_smoothing=label_smoothing, reduction=reduction)

    found, reasons = claims(bounded)
    assert (found.label_smoothing, found.max_label_smoothing) == (True, largest)
    assert ("label_smoothing=1" in reasons) == (largest < 1)


def test_a_single_class_that_is_refused_is_left_out() -> None:
    """Then two classes are the fewest that are judged."""

    def several(logits: Any, target: Any, reduction: str = "mean") -> Any:
        if logits.shape[0 if logits.ndim == 1 else 1] < 2:
            raise ValueError("two classes at least")
        return right(logits, target, reduction=reduction)

    found, reasons = claims(several)
    assert found.min_classes == 2
    assert reasons["a single class"] == "it raised ValueError: two classes at least"
    assert claims(right)[0].min_classes == 1


@pytest.mark.parametrize("error", [ValueError, RuntimeError, ZeroDivisionError])
def test_negative_class_weights_that_are_refused_are_left_out(error: type[Exception]) -> None:
    """An exception that indicates a fault is no rejection."""

    def positive(logits: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
        if weight is not None and (weight < 0).any():
            raise error("weights must not be negative")
        return right(logits, target, weight=weight, reduction=reduction)

    found, reasons = claims(positive)
    assert found.weight
    assert found.negative_weights == (error is ZeroDivisionError)
    expected = None if found.negative_weights else f"it raised {error.__name__}: weights must not be negative"
    assert reasons.get("negative_weights") == expected


def test_class_weights_that_are_refused_whatever_their_sign_say_nothing_of_negative_ones() -> None:
    """They are a failure, as is everything that a named option rejects."""

    def faulty(logits: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
        if weight is not None:
            raise ValueError("operands could not be broadcast together")
        return right(logits, target, reduction=reduction)

    found, reasons = claims(faulty)
    assert (found.weight, found.negative_weights, found.min_classes) == (True, True, 1)
    assert not {"negative_weights", "a single class"} & reasons.keys()


@pytest.mark.parametrize(("error", "least"), [(ValueError, 2), (RuntimeError, 1), (IndexError, 1)])
def test_a_single_class_that_is_refused_with_class_weights_is_left_out(error: type[Exception], least: int) -> None:
    """Where a ValueError says so; any other exception is left to fail."""

    def several(logits: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
        if weight is not None and len(weight) < 2:
            raise error("no weights for one class")
        return right(logits, target, weight=weight, reduction=reduction)

    found, reasons = claims(several)
    assert found.min_classes == least
    expected = "with class weights it raised ValueError: no weights for one class" if least > 1 else None
    assert reasons.get("a single class") == expected


def finite_only(function: Loss, error: type[Exception] = ValueError) -> Loss:
    """A callable that rejects logits which are not finite."""

    def checked(logits: Any, *given: Any) -> Any:
        if not np.isfinite(logits.astype(np.float64)).all():
            raise error("invalid logits")
        return function(logits, *given)

    return checked


def softmax_of(logits: Any) -> Any:
    return finite_only(numpy_cross_entropy.softmax)(logits)


def nll_of(log_probs: Any, target: Any) -> Any:
    return finite_only(numpy_cross_entropy.nll_loss)(log_probs, target)


def loss_of(logits: Any, target: Any) -> Any:
    return finite_only(right)(logits, target)


@pytest.mark.parametrize("function", [loss_of, softmax_of, nll_of])
def test_infinite_logits_that_are_refused_are_left_out(function: Loss) -> None:
    """Whatever the callable computes: then all logits that are judged are finite."""
    found, reasons = claims(function)
    assert found.finite_logits_only
    assert reasons["infinite logits"] == "it raised ValueError: invalid logits"
    subject = Subject.of(from_callable(function, spec="numpy:losses.f"), "float32")
    missing = NON_FINITE_LOGITS.missing(subject)
    assert missing is not None
    assert missing.endswith("(left out, because it raised ValueError: invalid logits)")


def test_a_fault_with_infinite_logits_or_a_loss_of_nan_keeps_the_claim() -> None:
    """Only a rejection is left out."""

    def nan_for_masks(logits: Any, target: Any) -> Any:
        return right(logits, target) * (1 if np.isfinite(logits.astype(np.float64)).all() else np.nan)

    def faulty(logits: Any, target: Any) -> Any:
        return finite_only(right, ZeroDivisionError)(logits, target)

    for function in (nan_for_masks, faulty):
        found, reasons = claims(function)
        assert not found.finite_logits_only
        assert "infinite logits" not in reasons


def test_a_callable_that_refuses_every_call_says_nothing_of_infinite_logits() -> None:
    def refuses(logits: Any, target: Any) -> Any:
        raise ValueError("no")

    found, reasons = claims(refuses)
    assert not found.finite_logits_only
    assert "infinite logits" not in reasons


def test_a_warning_is_no_refusal() -> None:
    """Also where the surrounding project makes errors of them."""

    def warns(logits: Any, target: Any) -> Any:
        warnings.warn("slow", stacklevel=1)
        return right(logits, target)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert claims(warns)[0].unbatched


class _UnprintableError(ValueError):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("<object at 0x7f00aa11>\nmore"), "it raised ValueError: <object at 0x...>"),
        (ValueError("red \x1b[31m\ttab"), "it raised ValueError: red \\x1b[31m tab"),
        (ValueError(), "it raised ValueError"),
        (ValueError("x" * 10_000), f"it raised ValueError: {'x' * 200}..."),
        (_UnprintableError(), "it raised _UnprintableError"),
    ],
    ids=["an address", "an escape", "nothing", "too much", "no text"],
)
def test_a_reason_is_one_short_line_that_is_the_same_in_every_run(error: Exception, reason: str) -> None:
    """A record can be resumed, and a terminal is not written to."""

    def refuses(logits: Any, target: Any) -> Any:
        if logits.ndim == 1:
            raise error
        return right(logits, target)

    adapter = from_callable(refuses, spec="numpy:losses.f")
    assert dict(adapter.capabilities.left_out)["unbatched"] == reason
    assert complaint(adapter) is None


def test_what_is_left_out_reaches_the_suite_and_its_reasons() -> None:
    """It crosses from the backend's process, and a requirement that does not apply says it."""

    def refuses(logits: Any, target: Any) -> Any:
        if logits.ndim == 1:
            raise ValueError("one row at least")
        return right(logits, target)

    adapter = from_callable(refuses, spec="numpy:losses.f")
    description = describe(adapter)
    assert from_data(as_data(description)) == description
    reason = UNBATCHED.missing(Subject.of(adapter, "float32"))
    assert reason is not None
    assert reason.endswith("(left out, because it raised ValueError: one row at least)")


def test_labels_that_are_too_narrow_for_many_classes_are_neither_claimed_nor_refused() -> None:
    """Three classes do not show what becomes of a byte: what is refused with more classes is tolerated, and said."""

    def counted(logits: Any, target: Any) -> Any:
        if logits.shape[min(1, logits.ndim - 1)] > np.iinfo(target.dtype).max:
            raise ValueError("too many classes for these labels")
        return right(logits, target)

    found, reasons = claims(counted)
    assert {"int16", "int32", "int64"} == set(found.target_dtypes)
    assert set(found.tolerated_target_dtypes) == {"int8", "uint8"}
    assert reasons["labels uint8"].endswith("too many classes for these labels for logits (67, 300)")


def test_of_many_classes_the_last_is_a_label() -> None:
    """As large as the dtype of the labels admits: what wraps shows."""
    _, labels = problem_of("float32", BEYOND)
    assert labels.max() == 299
    assert problem_of("float32", BEYOND, "int8")[1].max() == 127


def test_a_limit_of_the_classes_is_no_matter_of_the_labels() -> None:
    """A callable that takes few classes takes them with labels of every dtype."""

    def few(logits: Any, target: Any) -> Any:
        if logits.shape[min(1, logits.ndim - 1)] > 100:
            raise ValueError("too many classes")
        return right(logits, target)

    assert {"int8", "uint8", "int16", "int32", "int64"} <= set(claims(few)[0].target_dtypes)


def test_float32_weights_are_claimed_where_each_half_format_of_logits_takes_them() -> None:
    """A refusal is no reason to leave out weights, which have the dtype of the logits otherwise."""

    def strict(logits: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
        if weight is not None and weight.dtype != logits.dtype:
            raise TypeError(f"expected {logits.dtype}, found {weight.dtype}")
        return right(logits, target, weight, reduction=reduction)

    assert claims(right)[0].weight_dtypes == ("float32",)
    found, reasons = claims(strict)
    assert (found.weight, found.weight_dtypes) == (True, ())
    assert "weight" not in reasons
