"""The ONNX Runtime adapter: the closed form, its options and its checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'xent-conformance[onnxruntime]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'xent-conformance[onnxruntime]'")

from xent_backends import onnxruntime_backend


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_the_loss_is_the_closed_form_with_every_option(batch: Any, closed_form: Any, reduction: str) -> None:
    """In float64 the loss is the closed form, with weights and ignored rows."""
    logits, labels, _, weight = batch
    losses = onnxruntime_backend.backend()
    for options in ({}, {"weight": weight}, {"weight": weight, "ignore_index": 3}):
        target = np.where(labels < 0, 0, labels)
        want = closed_form(logits, target, reduction=reduction, **options)
        got = losses.cross_entropy(logits, target, reduction=reduction, **options)
        np.testing.assert_allclose(got, want.loss, rtol=1e-12)


def test_what_the_runtime_takes_as_it_comes_is_refused() -> None:
    """A weight of another length and a reduction that does not exist are refused by the adapter."""
    losses, x, y = onnxruntime_backend.backend(), np.zeros((2, 3)), np.array([0, 1])
    with pytest.raises(ValueError, match="one entry for each class"):
        losses.cross_entropy(x, y, weight=np.ones(4))
    with pytest.raises(ValueError, match="banana"):
        losses.cross_entropy(x, y, reduction="banana")
