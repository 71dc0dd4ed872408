"""Adapters of libraries on NumPy arrays: the closed form, and what the adapters refuse where a library would not."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

#: Module of the adapter, the library that it imports, and the reductions that the library has.
ADAPTERS = {
    "scipy": ("scipy_backend", "scipy", ["none"]),
    "scikit-learn": ("sklearn_backend", "sklearn", ["none", "mean"]),
    "autograd": ("autograd_backend", "autograd", ["none", "sum", "mean"]),
}


@pytest.fixture(params=ADAPTERS)
def adapter(request: Any) -> Any:
    """A backend and its reductions."""
    module, library, reductions = ADAPTERS[request.param]
    pytest.importorskip(library, reason=f"{library} is not installed")
    return importlib.import_module(f"xent_backends.{module}").backend(), reductions


def test_loss_and_gradient_are_the_closed_form(adapter: Any, batch: Any, closed_form: Any) -> None:
    """In float64 loss and gradient are the closed form, in every reduction of the library."""
    backend, reductions = adapter
    logits, labels, _, _ = batch
    target = np.where(labels < 0, 0, labels)
    for reduction in reductions:
        want = closed_form(logits, target, reduction=reduction)
        got = backend.cross_entropy(logits, target, reduction=reduction)
        np.testing.assert_allclose(got, want.loss, rtol=1e-13)
        if hasattr(backend, "cross_entropy_vjp"):
            vjp = backend.cross_entropy_vjp(np.ones(want.loss.shape), logits, target, reduction=reduction)
            np.testing.assert_allclose(vjp.grad_logits, want.gradient, atol=1e-14)


def test_negative_labels_and_unknown_reductions_are_refused(adapter: Any) -> None:
    """NumPy counts negative labels from the end, and no library here has a reduction named so."""
    backend, reductions = adapter
    with pytest.raises(IndexError, match="label -1"):
        backend.cross_entropy(np.zeros((1, 2)), np.array([-1]), reduction=reductions[0])
    with pytest.raises(ValueError, match="reduction"):
        backend.cross_entropy(np.zeros((1, 2)), np.array([0]), reduction="total")
