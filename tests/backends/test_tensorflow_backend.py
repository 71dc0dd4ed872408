"""The TensorFlow adapter: the closed form, in every layout of classes, and its checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed: pip install 'xent-conformance[tensorflow]'")

from xent_backends import tensorflow_backend


@pytest.fixture(scope="module")
def losses() -> tensorflow_backend.TensorflowBackend:
    """The registered backend."""
    return tensorflow_backend.backend()


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_loss_and_gradient_are_the_closed_form(
    losses: Any, batch: Any, closed_form: Any, kind: str, reduction: str
) -> None:
    """In float64 loss and gradient are the closed form, in every reduction."""
    logits, labels, probabilities, _ = batch
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    target = np.where(labels < 0, 0, labels) if kind == "indices" else shares
    want = closed_form(logits, target, reduction=reduction)
    arrays = [losses.asarray(a) for a in (np.ones(want.loss.shape), logits, target)]
    got = losses.cross_entropy_vjp(*arrays, reduction=reduction)
    np.testing.assert_allclose(losses.asnumpy(got.loss), want.loss, rtol=1e-12)
    np.testing.assert_allclose(losses.asnumpy(got.grad_logits), want.gradient, atol=1e-13)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_loss_and_gradient_in_other_modes_are_the_closed_form(
    losses: Any, batch: Any, closed_form: Any, mode: str
) -> None:
    """As a graph, and compiled by XLA; calls are still checked."""
    logits, labels, *_ = batch
    target = np.where(labels < 0, 0, labels)
    want, called = closed_form(logits, target), losses.modes()[mode]()
    got = called.cross_entropy_vjp(*(losses.asarray(a) for a in (np.ones(()), logits, target)), reduction="mean")
    np.testing.assert_allclose(losses.asnumpy(got.loss), want.loss, rtol=1e-12)
    np.testing.assert_allclose(losses.asnumpy(got.grad_logits), want.gradient, atol=1e-13)
    with pytest.raises(ValueError, match="reduction"):
        called.cross_entropy(losses.asarray(logits), losses.asarray(target), reduction="average")


def test_classes_may_stand_before_other_axes(losses: Any) -> None:
    """(N, C, d) is the same rows as (N d, C)."""
    rows, labels = np.arange(24.0).reshape(2, 4, 3) % 5, np.arange(6).reshape(2, 3) % 4
    flat = losses.cross_entropy(
        losses.asarray(np.moveaxis(rows, 1, -1).reshape(6, 4)), losses.asarray(labels.reshape(6)), reduction="none"
    )
    deep = losses.cross_entropy(losses.asarray(rows), losses.asarray(labels), reduction="none")
    assert losses.asnumpy(deep).reshape(6).tolist() == losses.asnumpy(flat).tolist()


def test_distributions_that_would_broadcast_are_refused(losses: Any) -> None:
    """TensorFlow broadcasts labels of one row over all; the adapter does not."""
    with pytest.raises(ValueError, match="shape of the logits"):
        losses.cross_entropy(losses.asarray(np.zeros((4, 3))), losses.asarray(np.ones((1, 3))))
