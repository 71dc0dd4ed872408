"""Callables and adapters in files given by their path."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

import numpy as np
import pytest

from xent_conformance import judge
from xent_conformance.loading.callables import framework_of
from xent_conformance.loading.errors import BrokenBackendError, NoBackendError, UsageError
from xent_conformance.loading.files import takes_arrays
from xent_conformance.loading.loader import file_in, load

KERNEL = """\
import numpy as np


def loss(logits, target, reduction="mean"):
    rows = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(target)), target]
    return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()


class Losses:
    fast = staticmethod(loss)


class Sized:
    capabilities = None

    def __init__(self, size):
        pass


SIZE = 3
"""
ADAPTER = """\
import numpy as np
from xent_conformance.interface import Capabilities


class Adapter:
    name = "own"
    capabilities = Capabilities(weight=False)

    def cross_entropy(self, logits, target, *, reduction="mean"):
        return np.zeros(() if reduction != "none" else target.shape, logits.dtype)
"""


@pytest.fixture
def kernel(tmp_path):
    path = tmp_path / "own_kernel.py"
    path.write_text(KERNEL)
    return path


@pytest.mark.parametrize("framework", ["numpy:", ""])
@pytest.mark.parametrize("name", ["loss", "Losses.fast"])
def test_a_callable_in_a_file_is_a_backend(kernel, framework, name):
    backend, description = load(f"{framework}{kernel}:{name}")
    assert description.name == f"numpy-own_kernel.{name}"
    assert description.spec == f"{framework}{kernel}:{name}"
    assert backend.capabilities.reductions == ("none", "sum", "mean")
    assert file_in(description.spec) == kernel


@pytest.mark.parametrize(
    ("named", "compiled"), [("own_kernel.py", False), ("own_kernel.py", True), ("types.py", False), ("a-b.py", False)]
)
def test_the_script_of_a_callable_in_a_file_finds_it(kernel, tmp_path, named, compiled):
    path = kernel.rename(kernel.with_name(named))
    if compiled:
        path.with_suffix(EXTENSION_SUFFIXES[-1]).write_bytes(b"a kernel for ctypes")
    chosen = {"only": "accuracy.any-size", "dtypes": "float32", "profile": "quick", "in_process": True}
    (cause,) = judge(f"numpy:{path}:loss", **chosen).causes
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "script.py"
    script.write_text(cause.shown.failure.reproducer)
    done = subprocess.run([sys.executable, "-W", "ignore", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1]) == (1, "WRONG"), done.stderr


@pytest.mark.parametrize(("named", "function"), [("logits", "loss"), ("cross_entropy", "cross_entropy")])
def test_the_script_of_a_callable_whose_file_has_the_name_of_an_array_or_a_form_finds_it(
    kernel, tmp_path, named, function
):
    """The script defines these names itself."""
    path = kernel.rename(kernel.with_name(f"{named}.py"))
    path.write_text(f"{path.read_text('utf-8')}\n\n{function} = loss\n", "utf-8")
    chosen = {"only": "accuracy.any-size", "dtypes": "float32", "profile": "quick", "in_process": True}
    (cause,) = judge(f"numpy:{path}:{function}", **chosen).causes
    script = tmp_path / "script.py"
    script.write_text(cause.shown.failure.reproducer)
    done = subprocess.run([sys.executable, "-W", "ignore", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1:]) == (1, ["WRONG"]), done.stderr


def test_a_callable_that_returns_no_array_says_whose_arrays_it_was_given(kernel):
    kernel.write_text("import numpy as np\n\n\ndef loss(logits, target):\n    return None, 1.0\n")
    for spec, hinted in ((f"{kernel}:loss", True), (f"numpy:{kernel}:loss", False)):
        with pytest.raises(BrokenBackendError, match="returned a tuple of 2 values for loss") as raised:
            judge(spec, in_process=True)
        hint = f"arrays of numpy, which its file imports: FRAMEWORK:{spec} names another framework"
        assert (hint in str(raised.value)) is hinted


def test_an_adapter_may_import_a_module_of_its_folder_when_it_is_called(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "beside_it.py").write_text("import numpy as np\n")
    path = tmp_path / "own_adapter.py"
    lazy = ADAPTER.removeprefix("import numpy as np\n").replace("return np", "from beside_it import np; return np")
    path.write_text(lazy)
    backend, _ = load(f"{path}:Adapter")
    assert backend.cross_entropy(np.zeros((1, 2)), np.array([0])) == 0
    assert sys.path[-1] == str(tmp_path)


def test_a_class_of_adapters_is_instantiated(tmp_path):
    path = tmp_path / "own_adapter.py"
    path.write_text(ADAPTER)
    backend, _ = load(f"{path}:Adapter")
    assert not isinstance(backend, type)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("numpy:{}:los", UsageError, "did you mean 'loss'"),
        ("numpy:{}:nothing", UsageError, "it has loss"),
        ("numpy:{}", UsageError, "a callable in a file is given as numpy:own_kernel.py:loss"),
        ("{}", NoBackendError, "a function in it is judged as {}:loss"),
        ("{}:los", NoBackendError, "did you mean 'loss'"),
        ("{}:np", BrokenBackendError, "an object of type module is not an adapter"),
        ("{}:SIZE", BrokenBackendError, "an object of type int is not an adapter"),
        ("{}:Sized", BrokenBackendError, "missing 1 required positional argument: 'size'"),
    ],
)
def test_a_wrong_name_in_a_file_says_what_there_is(kernel, spec, error, message):
    with pytest.raises(error) as raised:
        load(spec.format(kernel))
    assert message.format(kernel) in str(raised.value)
    assert "errors.py" not in str(raised.value)


def test_the_place_of_a_syntax_error_is_said_once(tmp_path):
    path = tmp_path / "own.py"
    path.write_text("def f(:\n")
    with pytest.raises(BrokenBackendError, match=rf"SyntaxError: [^()]+ \({path}:1\)$"):
        load(f"{path}:f")


def module(*imported):
    """A module that has imported others."""
    made = ModuleType("made")
    for name in imported:
        setattr(made, name.partition(".")[0], ModuleType(name))
    return made


@pytest.mark.parametrize(
    ("imported", "framework"),
    [
        (("numpy",), "numpy"),
        (("numpy", "torch.nn.functional"), "torch"),
        (("jax.numpy", "numpy"), "jax"),
        ((), None),
        (("jax", "torch"), None),
    ],
)
def test_the_framework_is_the_one_that_the_file_imports(imported, framework):
    def loss(logits, target):
        raise AssertionError

    loss.__module__ = "made"
    if framework is not None:
        assert framework_of(loss, module(*imported), "./k.py:loss") == framework
        return
    with pytest.raises(UsageError, match=r"jax:\./k\.py:loss or .*torch:\./k\.py:loss"):
        framework_of(loss, module(*imported), "./k.py:loss")


def test_what_is_a_loss_and_what_makes_an_adapter():
    class Layer:
        def __init__(self, reduction="mean"):
            self.reduction = reduction

        def forward(self, logits, target):
            return logits, target

    class Adapter:
        capabilities = None

    assert takes_arrays(Layer)
    assert takes_arrays(Layer().forward)
    assert takes_arrays(lambda logits, target: None)
    assert not takes_arrays(lambda: None)
    assert not takes_arrays(lambda device="cpu": None)
    assert not takes_arrays(Adapter)
    assert not takes_arrays(Adapter())
