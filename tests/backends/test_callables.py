"""What a bare callable claims: options by its signature, the rest by one tiny trial each."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.callables import adapter, script, signature
from xent_backends.callables.ranks import NO_SEQUENCES
from xent_backends.numpy_backend import from_callable
from xent_conformance import judge
from xent_conformance.interface import BackendUnavailableError

OPTIONS = ("weight", "ignore_index", "label_smoothing")


def minimal(logits: Any, target: Any) -> Any:
    """Mean over (N, C) in float32 and float64, of int64 labels only."""
    if logits.dtype not in (np.float32, np.float64) or logits.ndim != 2:
        raise TypeError(logits.dtype)
    if target.dtype != np.int64:
        raise TypeError(target.dtype)
    return numpy_cross_entropy.cross_entropy(logits, target)


def sentinel_of_minus_one(logits: Any, target: Any, *, ignore_index: int = -1, reduction: str = "mean") -> Any:
    """Ignores -1 by default and has no unreduced form."""
    if reduction == "none":
        raise NotImplementedError(reduction)
    return numpy_cross_entropy.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


def anything(logits: Any, target: Any, **options: Any) -> Any:
    """Takes every option."""
    return numpy_cross_entropy.cross_entropy(logits, target, **options)


def test_missing_parameters_are_unclaimed() -> None:
    """A callable of logits and target claims no option, and the mean only."""
    claimed = from_callable(minimal, spec="numpy:losses.minimal").capabilities
    assert not any(getattr(claimed, option) for option in OPTIONS)
    assert (claimed.reductions, claimed.default_ignore_index) == (("mean",), None)


def test_a_python_float_is_an_array_of_float64() -> None:
    """As NumPy has it; the wrong dtype for other logits is a failure and does not end the run."""

    def loss(logits: Any, target: Any) -> float:
        return float(minimal(logits, target))

    adapter = from_callable(loss, spec="numpy:losses.loss")
    assert adapter.capabilities.logits_dtypes == ("float32", "float64")
    result = adapter.cross_entropy(np.zeros((1, 2)), np.array([0]), reduction="mean")
    assert (result, result.dtype) == (np.log(2), np.float64)
    chosen = {"profile": "quick", "only": ("dtypes.output", "identities.softplus", "accuracy.loss")}
    result = judge(loss, framework="numpy", dtypes="float32", **chosen)
    assert [failure.requirement for failure in result.failures] == ["dtypes.output"]


def test_the_only_reduction_is_not_passed_to_a_callable_without_one() -> None:
    """reduction="mean" is left out where the callable has no such parameter."""
    adapter = from_callable(minimal, spec="numpy:losses.minimal")
    assert adapter.cross_entropy(np.zeros((1, 2)), np.array([0]), reduction="mean") == np.log(2)


def test_what_a_trial_refuses_is_unclaimed() -> None:
    """Dtypes, ranks and targets that raise on a tiny batch are not claimed."""
    claimed = from_callable(minimal, spec="numpy:losses.minimal").capabilities
    assert claimed.logits_dtypes == ("float32", "float64")
    assert claimed.target_dtypes == ("int64",)
    assert (claimed.unbatched, claimed.spatial, claimed.probability_targets) == (False, False, False)
    reasons = dict(claimed.left_out)
    assert reasons["unbatched"] == "it raised TypeError: float32"
    assert reasons["spatial"] == "it raised TypeError: float32 for logits (2, 3, 4)"
    assert reasons["logits float16, bfloat16"] == "it raised TypeError: float16"
    assert "labels int8, int16, int32, uint8, uint16, uint32, uint64" in reasons


def test_the_default_sentinel_is_the_signatures() -> None:
    """The default of ignore_index is what the callable ignores; a reduction that raises is not claimed."""
    claimed = from_callable(sentinel_of_minus_one, spec="numpy:losses.f").capabilities
    assert (claimed.ignore_index, claimed.default_ignore_index) == (True, -1)
    assert claimed.reductions == ("sum", "mean")
    assert dict(claimed.left_out)["reduction none"] == "it raised NotImplementedError: none"
    assert (claimed.unbatched, claimed.spatial, claimed.probability_targets) == (True, True, True)


@pytest.mark.parametrize("function", [anything, numpy_cross_entropy.cross_entropy])
def test_open_signatures_claim_every_option(function: Any) -> None:
    """A callable that takes **options claims them all, with PyTorch's sentinel, like one that names them."""
    claimed = from_callable(function, spec="numpy:losses.f").capabilities
    assert all(getattr(claimed, option) for option in OPTIONS)
    assert (claimed.reductions, claimed.default_ignore_index) == (("none", "sum", "mean"), -100)
    assert claimed.precision is None


def test_a_callable_without_a_readable_signature_claims_every_option() -> None:
    """A C function whose signature Python cannot read may take every option, and names none."""
    every = frozenset(signature.OPTIONS)
    assert signature.signature_of(min) == signature.Signature(every, -100, unnamed=every)


def test_named_dtypes_are_claimed_untried() -> None:
    """The user's own choice of dtypes stands, and failing on one is a failure."""
    assert from_callable(minimal, spec="numpy:f.g", dtypes=("float16",)).capabilities.logits_dtypes == ("float16",)


def test_name_and_import_come_from_the_spec() -> None:
    """The name is the spec without characters that a file name cannot have; scripts import the dotted path."""
    assert adapter.backend_name("torch:my kernels.fused[0]") == "torch-my-kernels.fused-0-"
    assert script.import_line("torch:my_kernels.fused") == ("import my_kernels", "my_kernels.fused")
    spec = "numpy:xent_backends.numpy_cross_entropy.CrossEntropyLoss.vjp"
    assert script.import_line(spec)[0] == "import xent_backends.numpy_cross_entropy"


def test_numpy_has_one_device() -> None:
    """Another device than the cpu is refused."""
    with pytest.raises(BackendUnavailableError, match="cuda"):
        from_callable(minimal, spec="numpy:f.g", device="cuda")


def forgets_the_sentinel(logits: Any, target: Any, ignore_index: int, reduction: str = "mean") -> Any:
    """Has to be told what to ignore."""
    return numpy_cross_entropy.cross_entropy(logits, target, ignore_index=ignore_index, reduction=reduction)


def rows_alone(logits: Any, target: Any) -> Any:
    """One loss for each row."""
    return numpy_cross_entropy.cross_entropy(logits, target, reduction="none")


def sum_alone(logits: Any, target: Any) -> Any:
    """The sum of the rows."""
    return numpy_cross_entropy.cross_entropy(logits, target, reduction="sum")


def wrapped(*arguments: Any, **options: Any) -> Any:
    """Says nothing of itself, and takes a reduction only."""
    return only_a_reduction(*arguments, **options)


def only_a_reduction(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Ignores nothing."""
    if (target < 0).any():
        raise IndexError(target)
    return numpy_cross_entropy.cross_entropy(logits, target, reduction=reduction)


def narrow_labels_flat(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Takes uint8 for (N, C) only, as torch does."""
    if target.dtype == np.uint8 and logits.ndim > 2:
        raise TypeError(target.dtype)
    return numpy_cross_entropy.cross_entropy(logits, target, reduction=reduction)


def test_an_option_without_a_default_is_always_given() -> None:
    """A callable that must be told what to ignore is told -100, and ignores it."""
    adapter = from_callable(forgets_the_sentinel, spec="numpy:losses.f")
    assert (adapter.capabilities.ignore_index, adapter.capabilities.default_ignore_index) == (True, -100)
    assert adapter.cross_entropy(np.zeros((2, 2)), np.array([0, -100]), reduction="mean") == np.log(2)


def smooths_by_default(
    logits: Any, target: Any, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.1
) -> Any:
    """Has an amount of smoothing that a call must turn off."""
    options: dict[str, Any] = {"ignore_index": ignore_index, "label_smoothing": label_smoothing}
    return numpy_cross_entropy.cross_entropy(logits, target, reduction=reduction, **options)


def test_a_default_with_an_effect_is_turned_off_in_calls_without_the_option() -> None:
    adapter = from_callable(smooths_by_default, spec="numpy:losses.f")
    plain = adapter.cross_entropy(np.array([[-1.0, 0.0]]), np.array([0]), reduction="sum")
    assert plain == pytest.approx(1 + np.log(1 + np.exp(-1)))
    chosen: dict[str, Any] = {"framework": "numpy", "profile": "quick", "dtypes": "float32"}
    assert judge(smooths_by_default, **chosen, only=("accuracy.loss", "identities.worked-example")).passed


class Configured:
    """A loss with options as attributes, as a layer has them."""

    def __init__(self, **options: Any) -> None:
        self.__dict__.update(options)

    def __call__(self, logits: Any, target: Any) -> Any:
        return numpy_cross_entropy.cross_entropy(logits, target, **vars(self))


@pytest.mark.parametrize("mark", [-100, 0, -7])
def test_the_label_that_an_object_ignores_is_its_claim(mark: int) -> None:
    adapter = from_callable(Configured(ignore_index=mark, label_smoothing=0.0, weight=None), spec="numpy:losses.f")
    assert (adapter.capabilities.ignore_index, adapter.capabilities.default_ignore_index) == (False, mark)
    chosen: dict[str, Any] = {"framework": "numpy", "profile": "quick", "dtypes": "float32"}
    assert judge(Configured(ignore_index=mark), **chosen, only=("accuracy.loss", "ignore_index.*")).passed


def test_an_object_has_no_other_label_than_a_number() -> None:
    assert from_callable(Configured(ignore_index=None), spec="numpy:losses.f").capabilities.default_ignore_index is None


@pytest.mark.parametrize(
    ("options", "said"),
    [({"label_smoothing": 0.1}, "has label_smoothing=0.1"), ({"weight": np.array([1.0, 2.0, 3.0])}, "has a weight")],
)
def test_an_object_with_an_option_that_affects_every_call_is_not_judged(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"the Configured {said}, which no call can change: judge the class"):
        from_callable(Configured(**options), spec="numpy:losses.f")


@pytest.mark.parametrize(("function", "reduction"), [(rows_alone, "none"), (sum_alone, "sum"), (minimal, "mean")])
def test_a_callable_without_a_reduction_claims_what_it_computes(function: Any, reduction: str) -> None:
    """Rows, their sum or their mean are told apart on a tiny batch; that reduction is not passed, any other is."""
    adapter = from_callable(function, spec="numpy:losses.f")
    assert adapter.capabilities.reductions == (reduction,)
    adapter.cross_entropy(np.zeros((2, 3)), np.array([0, 1]), reduction=reduction)
    with pytest.raises(TypeError, match="reduction"):
        adapter.cross_entropy(np.zeros((2, 3)), np.array([0, 1]), reduction="banana")


def test_options_that_an_open_signature_refuses_are_unclaimed() -> None:
    """A wrapper that takes anything claims what the function behind it takes, without a sentinel that it rejects."""
    claimed = from_callable(wrapped, spec="numpy:losses.f").capabilities
    assert (claimed.weight, claimed.ignore_index, claimed.label_smoothing) == (False, False, False)
    assert (claimed.reductions, claimed.default_ignore_index) == (("none", "sum", "mean"), None)
    assert "unexpected keyword argument 'weight'" in dict(claimed.left_out)["weight"]


def test_labels_taken_in_some_ranks_only_are_tolerated() -> None:
    """A dtype of labels is claimed where every claimed rank takes it."""
    claimed = from_callable(narrow_labels_flat, spec="numpy:losses.f").capabilities
    assert claimed.tolerated_target_dtypes == ("uint8",)
    assert dict(claimed.left_out)["labels uint8"] == "it raised TypeError: uint8 for logits (2, 3, 4)"
    assert "uint8" not in claimed.target_dtypes


def test_a_class_is_a_layer() -> None:
    """A class is built from the options and called; its script does the same."""
    adapter = from_callable(
        numpy_cross_entropy.CrossEntropyLoss, spec="numpy:xent_backends.numpy_cross_entropy.CrossEntropyLoss"
    )
    assert adapter.capabilities.weight
    assert adapter.cross_entropy(np.zeros((1, 2)), np.array([0]), reduction="mean") == np.log(2)
    assert "CrossEntropyLoss(**options)(logits, target)" in adapter.reproducer().setup


def of_distributions(logits: Any, target: Any) -> Any:
    """The mean over rows of the last axis, for distributions of the logits' own shape."""
    if target.shape != logits.shape or target.dtype != logits.dtype:
        raise TypeError((target.shape, target.dtype))
    centred = logits - logits.max(axis=-1, keepdims=True)
    losses = -(target * (centred - np.log(np.exp(centred).sum(axis=-1, keepdims=True)))).sum(axis=-1)
    return losses.mean(dtype=logits.dtype)


def test_a_callable_of_distributions_is_given_those_of_the_labels() -> None:
    """Labels are one-hot for it, and checked by the adapter; its classes are last, and masks give nan."""
    adapter = from_callable(of_distributions, spec="numpy:losses.of_distributions")
    claimed = adapter.capabilities
    assert (claimed.probability_targets, claimed.validation, claimed.reductions) == (True, "adapter", ("mean",))
    assert (claimed.spatial, claimed.finite_logits_only, claimed.default_ignore_index) == (True, True, None)
    reasons = dict(claimed.left_out)
    assert "sequences with the classes last" in reasons[NO_SEQUENCES]
    assert reasons["infinite logits"] == "a share of zero on a logit of -inf gave nan"
    assert reasons["class indices"].endswith("they are given as distributions")
    logits = np.array([[0.0, 0.0, 3.0], [1.0, 2.0, 0.0]])
    loss = adapter.cross_entropy(logits, np.array([2, 1]), reduction="mean")
    assert np.isclose(loss, numpy_cross_entropy.cross_entropy(logits, np.array([2, 1])))
    with pytest.raises(IndexError, match=re.escape("label 3 is outside [0, 3)")):
        adapter.cross_entropy(logits, np.array([3, 1]), reduction="mean")
    with pytest.raises(ValueError, match="must have shape"):
        adapter.cross_entropy(logits, np.array([[2], [1]]), reduction="mean")


def test_the_script_of_a_callable_of_distributions_makes_them_too() -> None:
    """What a reproducer runs takes labels as the adapter does."""
    adapter = from_callable(of_distributions, spec=f"numpy:{__name__}.of_distributions")
    parts = adapter.reproducer()
    names: dict[str, Any] = {}
    exec(compile(f"{parts.setup}\n\n\n{parts.calls['cross_entropy']}", "script", "exec", dont_inherit=True), names)
    logits = np.array([[0.0, 0.0, 3.0]])
    assert names["cross_entropy"](logits, np.array([2]), reduction="mean") == of_distributions(
        logits, np.array([[0.0, 0.0, 1.0]])
    )
