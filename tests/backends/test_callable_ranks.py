"""Callables that take images (N, C, H, W) or sequences (N, T, C) only are given all logits as such."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.callables.ranks import NO_IMAGES, NO_SEQUENCES, as_images
from xent_backends.numpy_backend import from_callable

right = numpy_cross_entropy.cross_entropy
right_log_softmax = numpy_cross_entropy.log_softmax
SHAPES = [(2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 2, 1, 4), (2, 3, 0), (0, 3, 2)]


def of_images(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Nothing but images."""
    _, _, _, _ = logits.shape
    return right(logits, target, reduction=reduction)


def of_rows_and_images(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Rows, and images."""
    if logits.ndim not in (2, 4):
        raise ValueError(logits.shape)
    return right(logits, target, reduction=reduction)


def of_sequences(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    """Sequences as in a language model."""
    batch, length, classes = logits.shape
    assert labels.shape in ((batch, length), logits.shape)
    flat = labels.reshape((batch * length, *labels.shape[2:]))
    losses = right(logits.reshape(batch * length, classes), flat, reduction=reduction)
    return losses.reshape(batch, length) if reduction == "none" else losses


def of_rows_and_sequences(logits: Any, labels: Any, reduction: str = "mean") -> Any:
    """Rows and sequences, with the classes last."""
    assert labels.shape == logits.shape[:-1]
    losses = right(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), reduction=reduction)
    return losses.reshape(labels.shape) if reduction == "none" else losses


def of_shares(logits: Any, shares: Any, reduction: str = "mean") -> Any:
    """The same with probabilities as its target, and no labels."""
    if logits.shape != shares.shape:
        raise ValueError(shares.shape)
    losses = -(shares * right_log_softmax(logits.reshape(-1, logits.shape[-1])).reshape(logits.shape)).sum(-1)
    with np.errstate(invalid="ignore"):
        return losses if reduction == "none" else losses.sum() / (losses.size if reduction == "mean" else 1)


def nll_of_sequences(log_probs: Any, target: Any, reduction: str = "mean") -> Any:
    """Negative log-probabilities at the labels, with the classes last."""
    losses = -np.take_along_axis(log_probs, target[..., None], -1)[..., 0]
    return losses if reduction == "none" else getattr(losses, reduction)()


def problem(shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Logits of a shape, and labels."""
    logits = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    return logits, np.arange(logits.size // shape[1]).reshape(shape[0], *shape[2:]) % shape[1]


@pytest.mark.parametrize("function", [of_images, of_rows_and_images, of_sequences, of_shares])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_loss_is_that_of_the_same_rows(function: Any, reduction: str, shape: tuple[int, ...]) -> None:
    backend: Any = from_callable(function, spec="numpy:losses.f")
    logits, target = problem(shape)
    for labels in (target, np.full(shape, 0.25, np.float32)):
        expected = right(logits, labels, reduction=reduction)
        got = backend.cross_entropy(logits, labels, reduction=reduction)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize(("function", "rows"), [(of_images, True), (of_rows_and_images, False)])
def test_spatial_logits_are_claimed_and_the_reshaping_is_said(function: Any, *, rows: bool) -> None:
    claims = from_callable(function, spec="numpy:losses.f").capabilities
    reasons = dict(claims.left_out)
    assert claims.spatial
    assert not claims.unbatched
    assert ("rows (N, C) and other spatial logits are reshaped" in reasons[NO_IMAGES]) == rows
    assert NO_IMAGES not in dict(from_callable(right, spec="numpy:losses.f").capabilities.left_out)


def test_sequences_are_claimed_and_the_reshaping_is_said() -> None:
    claims = from_callable(of_sequences, spec="numpy:losses.f").capabilities
    assert (claims.spatial, claims.unbatched, claims.probability_targets) == (True, False, True)
    assert "rows (N, C) are passed as one of them" in dict(claims.left_out)[NO_SEQUENCES]


@pytest.mark.parametrize("function", [of_rows_and_sequences, of_shares, nll_of_sequences])
def test_rows_and_sequences_are_claimed_and_the_reshaping_is_said(function: Any) -> None:
    """With labels, with probabilities only, and of log-probabilities."""
    claims = from_callable(function, spec="numpy:losses.f").capabilities
    assert claims.spatial
    assert "spatial logits are passed as N sequences" in dict(claims.left_out)[NO_SEQUENCES]


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_passed_as_they_are_and_spatial_logits_as_sequences(shape: tuple[int, ...]) -> None:
    seen = []

    def of_ranks(logits: Any, labels: Any, reduction: str = "mean") -> Any:
        seen.append(logits.ndim)
        return of_rows_and_sequences(logits, labels, reduction)

    backend: Any = from_callable(of_ranks, spec="numpy:losses.f")
    logits, target = problem(shape)
    seen.clear()
    got = backend.cross_entropy(logits, target, reduction="none")
    np.testing.assert_allclose(got, right(logits, target, reduction="none"), rtol=1e-6)
    assert seen == [min(len(shape), 3)]


def test_a_mean_over_sequences_that_is_wrong_is_claimed_if_their_single_losses_are_right() -> None:
    """A mean over sequences instead of all rows is a fault, which the requirements report."""

    def mean_of_sequences(logits: Any, labels: Any, reduction: str = "mean") -> Any:
        losses = of_rows_and_sequences(logits, labels, "none")
        return losses if reduction == "none" else losses.sum() / (len(losses) if reduction == "mean" else 1)

    assert NO_SEQUENCES in dict(from_callable(mean_of_sequences, spec="numpy:losses.f").capabilities.left_out)


def test_a_target_of_a_wrong_shape_reaches_the_callable() -> None:
    """As many labels in another shape must not pass for the right ones."""
    seen = []
    as_images(lambda *given: seen.append(given), np.zeros((2, 3, 4)), np.zeros((4, 2), np.int64), rows=True)
    ((logits, target),) = seen
    assert (logits.shape, target.shape) == ((2, 3, 4), (4, 2))


@pytest.mark.parametrize(
    ("shape", "target"), [((4, 3), (1, 4)), ((4, 3), (3,)), ((2, 3, 4), (2, 3)), ((2, 3, 4), (4, 2)), ((2, 3, 4), (2,))]
)
def test_a_target_of_a_wrong_shape_is_one_for_sequences(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Though logits (2, 3, 4) and labels (2, 3) would be right for the callable itself."""
    backend: Any = from_callable(of_sequences, spec="numpy:losses.f")
    with pytest.raises(AssertionError):
        backend.cross_entropy(np.zeros(shape), np.zeros(target, np.int64), reduction="mean")


def in_script(function: Any, call: str) -> Any:
    """The function of the interface that a script defines for a callable."""
    backend: Any = from_callable(function, spec=f"numpy:{__name__}.{function.__name__}")
    parts = backend.reproducer()
    names: dict[str, Any] = {}
    text = "\n".join(["import numpy as np", parts.setup, parts.calls[call]])
    exec(compile(text, "script", "exec", dont_inherit=True), names)
    return names[call]


@pytest.mark.parametrize("function", [of_images, of_sequences, of_rows_and_sequences, of_shares])
def test_the_script_reshapes_too(function: Any) -> None:
    logits, target = problem((2, 3, 4))
    got = in_script(function, "cross_entropy")(logits, target, reduction="none")
    np.testing.assert_allclose(got, right(logits, target, reduction="none"), rtol=1e-6)


def test_the_script_of_an_nll_reshapes_too() -> None:
    log_probs, target = problem((2, 3, 4))
    expected = -np.take_along_axis(log_probs, target[:, None], 1)[:, 0]
    got = in_script(nll_of_sequences, "nll_loss")(log_probs, target, reduction="none")
    np.testing.assert_array_equal(got, expected)
