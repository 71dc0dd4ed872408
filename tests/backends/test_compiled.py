"""Callables compiled by ``torch.compile``: their compiled form is judged, or it is said that there is none."""

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("torch._dynamo", reason="this torch has no compiler")

from xent_backends import torch_compiler  # noqa: E402
from xent_conformance import cli  # noqa: E402
from xent_conformance.calling.calls import forward  # noqa: E402
from xent_conformance.calling.execution import LocalExecutor  # noqa: E402
from xent_conformance.loading.imported import Narrowing  # noqa: E402
from xent_conformance.loading.loader import imported, load  # noqa: E402
from xent_conformance.loading.objects import of_object  # noqa: E402
from xent_conformance.problem import Problem  # noqa: E402
from xent_conformance.records.status import BROKEN  # noqa: E402

#: What is compiled returns one more than it should, so that it can be told from what is not.
COMPILED = """
import torch
import torch._dynamo.config

def one_more(graph, inputs):
    return lambda *arguments: tuple(x + 1 for x in graph(*arguments))

def plain(input, target, reduction="mean", label_smoothing=0.0):
    return torch.nn.functional.cross_entropy(input, target, reduction=reduction, label_smoothing=label_smoothing)

"""
LAZY = "def loss(input, target, reduction='mean', label_smoothing=0.0):\n    "
CALL = "(input, target, reduction=reduction, label_smoothing=label_smoothing)\n"


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Write a module with a callable; returns the specification."""

    def write(*lines):
        name = f"compiled_{abs(hash(request.node.name))}"
        (tmp_path / f"{name}.py").write_text(COMPILED + "\n".join(lines), "utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return f"torch:{name}.loss"

    yield write
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


@pytest.fixture(autouse=True)
def default_limits():
    """The limits that a new process has."""
    config = torch._dynamo.config
    with config.patch(recompile_limit=8, accumulated_recompile_limit=256, disable=False):
        yield


@pytest.mark.parametrize(
    "lines",
    [
        ["loss = torch.compile(plain, backend=one_more)"],
        [LAZY + "return torch.compile(plain, backend=one_more)" + CALL],
        ["loss = torch.compile(plain, backend=one_more, fullgraph=True)"],
    ],
    ids=["compiled at import", "compiled in each call", "compiled as one graph"],
)
def test_a_compiled_callable_is_still_compiled_after_dozens_of_shapes_and_options(module, lines):
    backend, description = load(module(*lines), Narrowing(("float32",), gradient=False))
    assert "compilation" not in dict(description.capabilities.left_out)
    executor = LocalExecutor(backend)
    for rank in (2, 4):
        for reduction in ("mean", "sum", "none"):
            for smoothing in (0.0, 0.25):
                logits = np.zeros((2, 4, 3, 5)[:rank], np.float32)
                target = np.zeros((*logits.shape[:1], *logits.shape[2:]), np.int64)
                problem = Problem(logits, target, reduction=reduction, label_smoothing=smoothing)
                loss = executor.perform(forward(problem)).arrays["loss"]
                right = np.log(4) * (target.size if reduction == "sum" else 1)
                np.testing.assert_allclose(loss, right + 1, rtol=1e-6)


def test_a_function_that_torch_gives_up_compiling_is_not_judged(module, tmp_path, capfd):
    lines = [
        "compiled = torch.compile(plain, backend=one_more)",
        LAZY + "with torch._dynamo.config.patch(recompile_limit=2):",
    ]
    spec = module(*lines, "        return compiled" + CALL)
    arguments = ["run", spec, "--profile", "quick", "--dtypes", "float32", "--no-gradient", "--output", str(tmp_path)]
    assert cli.main(arguments) == BROKEN
    assert "raised UncompiledError: torch.compile has given up, and the function runs" in capfd.readouterr().err


def test_a_compiled_function_of_which_nothing_is_compiled_is_judged_and_said_to_be_that(module):
    spec = module("loss = torch.compile(plain, backend=one_more)", "torch._dynamo.config.disable = True")
    _, description = load(spec, Narrowing(("float32",), gradient=False))
    assert "torch.compile has compiled nothing" in dict(description.capabilities.left_out)["compilation"]


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("inside", [False, True], ids=("itself", "by name"))
def test_the_compiler_is_loaded_before_a_compiled_callable_is_judged(monkeypatch, compiled, inside):
    """Its first compilation changes the process, which must not count as an effect of a call."""
    loaded = []
    monkeypatch.setattr(torch_compiler, "preload", lambda: loaded.append(True))
    function = torch.compile(plain, backend="eager") if compiled else plain

    def loss(logits):
        return function(logits) + 1

    torch_compiler.preload_for(loss if inside else function)
    assert loaded == [True] * compiled


def test_what_uses_a_variable_that_is_not_set_is_loaded(monkeypatch):
    monkeypatch.setattr(torch_compiler, "preload", pytest.fail)

    def loss(logits):
        return later(logits)

    torch_compiler.preload_for(loss)
    later = plain


@pytest.mark.parametrize("own", [True, False], ids=("object of this process", "in a module"))
def test_the_process_of_a_user_is_left_as_it_is(monkeypatch, module, own):
    """Loading the compiler for workers sets its threads, and torch's, to one."""
    loaded = []
    monkeypatch.setattr(torch_compiler, "preload", lambda: loaded.append(True))
    if own:
        of_object(torch.compile(plain, backend="eager"), "torch", Narrowing(), "loss")
    else:
        imported(module("loss = torch.compile(plain, backend='eager')"))
    assert loaded == [True] * (not own)


def plain(logits):
    return logits + 1
