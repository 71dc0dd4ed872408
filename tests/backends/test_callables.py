"""What a bare callable claims: options by its signature, the rest by one tiny trial each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xent_backends import callables, numpy_cross_entropy
from xent_backends.numpy_backend import from_callable
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


def test_the_default_sentinel_is_the_signatures() -> None:
    """The default of ignore_index is what the callable ignores; a reduction that raises is not claimed."""
    claimed = from_callable(sentinel_of_minus_one, spec="numpy:losses.f").capabilities
    assert (claimed.ignore_index, claimed.default_ignore_index) == (True, -1)
    assert claimed.reductions == ("sum", "mean")
    assert (claimed.unbatched, claimed.spatial, claimed.probability_targets) == (True, True, True)


@pytest.mark.parametrize("function", [anything, numpy_cross_entropy.cross_entropy])
def test_open_signatures_claim_every_option(function: Any) -> None:
    """A callable that takes **options claims them all, with PyTorch's sentinel, like one that names them."""
    claimed = from_callable(function, spec="numpy:losses.f").capabilities
    assert all(getattr(claimed, option) for option in OPTIONS)
    assert (claimed.reductions, claimed.default_ignore_index) == (("none", "sum", "mean"), -100)
    assert claimed.precision is None


def test_a_callable_without_a_readable_signature_claims_every_option() -> None:
    """A C function whose signature Python cannot read claims everything."""
    got = callables.signature_of(min)
    assert got == callables.Signature(frozenset(callables.OPTIONS), -100)


def test_named_dtypes_are_claimed_untried() -> None:
    """The user's own choice of dtypes stands, and failing on one is a failure."""
    assert from_callable(minimal, spec="numpy:f.g", dtypes=("float16",)).capabilities.logits_dtypes == ("float16",)


def test_name_and_import_come_from_the_spec() -> None:
    """The name is the spec without characters that a file name cannot have; scripts import the dotted path."""
    assert callables.backend_name("torch:my kernels.fused[0]") == "torch-my-kernels.fused-0-"
    assert callables.import_line("torch:my_kernels.fused") == ("import my_kernels", "my_kernels.fused")
    spec = "numpy:xent_backends.numpy_cross_entropy.CrossEntropyLoss.vjp"
    assert callables.import_line(spec)[0] == "import xent_backends.numpy_cross_entropy"


def test_numpy_has_one_device() -> None:
    """Another device than the cpu is refused."""
    with pytest.raises(BackendUnavailableError, match="cuda"):
        from_callable(minimal, spec="numpy:f.g", device="cuda")
