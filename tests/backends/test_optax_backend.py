"""The Optax adapter: the closed form, its checks, and what it leaves undefined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("optax", reason="optax is not installed: pip install 'xent-conformance[optax]'")

from xent_backends import optax_backend


@pytest.fixture(scope="module")
def optax_losses() -> optax_backend.OptaxBackend:
    """The registered backend."""
    return optax_backend.backend()


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("kind", ["indices", "probabilities"])
def test_loss_and_gradient_are_the_closed_form(
    optax_losses: Any, batch: Any, closed_form: Any, kind: str, reduction: str, smoothing: float
) -> None:
    """In float64 loss and gradient are the closed form, in every reduction, smoothed and not."""
    logits, labels, probabilities, _ = batch
    target = np.where(labels < 0, 0, labels) if kind == "indices" else probabilities
    want = closed_form(logits, target, reduction=reduction, label_smoothing=smoothing)
    arrays = [optax_losses.asarray(a) for a in (np.ones(want.loss.shape), logits, target)]
    options = {"reduction": reduction} | ({"label_smoothing": smoothing} if smoothing else {})
    got = optax_losses.cross_entropy_vjp(*arrays, **options)
    np.testing.assert_allclose(optax_losses.asnumpy(got.loss), want.loss, rtol=1e-13)
    np.testing.assert_allclose(optax_losses.asnumpy(got.grad_logits), want.gradient, atol=1e-14)


def test_targets_that_would_broadcast_are_refused(optax_losses: Any) -> None:
    """Optax broadcasts labels of another shape; the adapter does not."""
    x, y = optax_losses.asarray(np.zeros((4, 3))), optax_losses.asarray(np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="shape"):
        optax_losses.cross_entropy(x, y)
