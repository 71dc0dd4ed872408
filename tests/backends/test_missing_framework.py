"""An adapter whose framework is missing says how to install it."""

from __future__ import annotations

import importlib
import shlex
import sys

import pytest
from packaging.requirements import Requirement

from xent_conformance.interface import BackendUnavailableError

#: What each adapter needs.
PACKAGES = {
    "torch": {"torch"},
    "jax": {"jax"},
    "optax": {"optax", "jax"},
    "tensorflow": {"tensorflow-cpu"},
    "onnxruntime": {"onnxruntime", "onnx"},
    "scipy": {"scipy"},
    "scikit-learn": {"scikit-learn"},
    "autograd": {"autograd", "scipy"},
    "transformers": {"transformers", "torch"},
    "liger-interpreted": {"liger-kernel", "triton", "torch"},
    "timm": {"timm", "torch"},
    "segmentation-models-pytorch": {"segmentation-models-pytorch", "torch"},
    "mlx": {"mlx"},
    "keras": {"keras"},
}
#: What of these is imported by another name than it is installed by.
IMPORTED = {
    "scikit-learn": "sklearn",
    "liger-interpreted": "liger_kernel",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
}
#: Modules that are not named after what they import.
MODULES = {"liger-interpreted": "liger", "segmentation-models-pytorch": "segmentation_models"}


@pytest.mark.parametrize("framework", PACKAGES)
def test_missing_framework_is_named_with_its_install_line(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line installs for this interpreter, by names that any index has, whether or not ours is on one."""
    imported = IMPORTED.get(framework, framework)
    module = f"xent_backends.{MODULES.get(framework, imported)}_backend"
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, imported, None)
    with pytest.raises(BackendUnavailableError, match=f"^{framework} cannot be imported") as raised:
        importlib.import_module(module)
    interpreter, *pip, install = shlex.split(str(raised.value).partition("install it with: ")[2])[:4]
    names = shlex.split(str(raised.value).partition("install it with: ")[2])[4:]
    assert (interpreter, pip, install) == (sys.executable, ["-m", "pip"], "install")
    assert {Requirement(name).name for name in names} == PACKAGES[framework]
    assert all(Requirement(name).specifier for name in names)
