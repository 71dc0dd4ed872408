"""Adapters of libraries with arrays of their own, on torch tensors and of Keras: the closed form, where installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

#: Backend to the library that it needs.
NEEDED = {
    "transformers": "transformers",
    "liger-interpreted": "liger_kernel",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
    "mlx": "mlx",
    "keras-torch": "keras",
    "keras-numpy": "keras",
    "keras-jax": "keras",
    "keras-tensorflow": "keras",
}
#: In a process of its own: Keras has one framework in each, and Triton reads its variable when it is loaded.
SCRIPT = """
import sys
import numpy as np
from xent_conformance.loading.loader import load
backend, _ = load(sys.argv[1])
x, labels, ones = np.array([[0, 1, 2], [1, -1, 0]], np.float32), np.array([2, 0]), np.float32(1)
asarray, asnumpy = getattr(backend, "asarray", np.asarray), getattr(backend, "asnumpy", np.asarray)
p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
np.testing.assert_allclose(asnumpy(backend.cross_entropy(asarray(x), asarray(labels), reduction="sum")),
                           -np.log(p[[0, 1], labels]).sum(), rtol=1e-6)
if hasattr(backend, "cross_entropy_vjp"):
    got = backend.cross_entropy_vjp(asarray(np.array(ones)), asarray(x.copy()), asarray(labels), reduction="sum")
    np.testing.assert_allclose(asnumpy(got.grad_logits), p - np.eye(3)[labels], rtol=1e-5, atol=1e-7)
    if "float16" in backend.capabilities.logits_dtypes:  # of a loss that may be float32
        half = [asarray(array.astype(np.float16)) for array in (np.array(ones), x)]
        got = backend.cross_entropy_vjp(*half, asarray(labels), reduction="sum")
        np.testing.assert_allclose(asnumpy(got.grad_logits), p - np.eye(3)[labels], atol=2e-3)
print("as it should be")
"""


@pytest.mark.parametrize("name", NEEDED)
def test_loss_and_gradient_are_the_closed_form(name: str) -> None:
    """Loss and gradient of a sum over two rows."""
    if importlib.util.find_spec(NEEDED[name]) is None:
        pytest.skip(f"{NEEDED[name]} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name], env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("as it should be\n"), done.stderr
