"""An adapter whose framework is missing says how to install it."""

from __future__ import annotations

import importlib
import sys

import pytest

from xent_conformance.interface import BackendUnavailableError


@pytest.mark.parametrize("framework", ["torch", "jax", "optax", "tensorflow", "onnxruntime"])
def test_missing_framework_is_named_with_its_install_line(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the adapter without its framework raises BackendUnavailableError with the pip line."""
    monkeypatch.delitem(sys.modules, f"xent_backends.{framework}_backend", raising=False)
    monkeypatch.setitem(sys.modules, framework, None)
    with pytest.raises(BackendUnavailableError, match=rf"pip install 'xent-conformance\[{framework}\]'"):
        importlib.import_module(f"xent_backends.{framework}_backend")
