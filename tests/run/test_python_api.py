"""Judging from Python: what has a process of its own, what comes back, and what is left as it was."""

import asyncio
import doctest
import importlib
import inspect
import math
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import xent_conformance as xent
from xent_backends.numpy_backend import CAPABILITIES, NumpyBackend
from xent_conformance.loading.claims import DERIVATIVES, FUNCTIONS
from xent_conformance.loading.objects import of_object
from xent_conformance.request import Request
from xent_conformance.running import run
from xent_conformance.session import Session
from xent_conformance.testing import assert_conforms

QUICK = {"profile": "quick", "only": "accuracy.loss", "dtypes": "float64"}
SOURCE = """
import numpy as np

def loss(logits, target):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.take_along_axis(shifted - log_sum, target[:, None], axis=1).mean()

def wrong(logits, target):
    return loss(logits, target) * (1.001 if logits.shape[1] > 4 else 1)

same = lambda logits, target: loss(logits, target)

class Layer:
    def __call__(self, logits, target):
        return loss(logits, target)

layer = Layer()
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that can be imported, with losses on NumPy arrays."""
    (tmp_path / "losses_of_mine.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("losses_of_mine")
    del sys.modules["losses_of_mine"]


def judged(implementation, **options):
    return xent.judge(implementation, framework="numpy", **{**QUICK, **options})


@pytest.mark.parametrize("name", ["loss", "same"])
def test_a_name_of_a_module_is_judged_in_a_process_of_its_own(module, name):
    result = judged(getattr(module, name))
    assert result.passed
    assert result.in_process is None
    assert result.record.header.backends[0].spec == f"numpy:losses_of_mine.{name}"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda m: lambda logits, target: m.loss(logits, target) * 1, "the module test_python_api has no name for it"),
        (lambda m: m.Layer(), "the module losses_of_mine has no name for it"),
        (lambda m: m.layer.__call__, "the module losses_of_mine has no name for it"),
    ],
    ids=["lambda", "layer", "method"],
)
def test_what_cannot_be_imported_is_judged_here_and_the_result_says_why(module, make, why):
    result = judged(make(module))
    assert result.passed
    assert f"is judged in this process, because {why}" in result.in_process
    assert result.in_process in str(result)


def test_a_module_that_is_not_on_the_path_is_judged_here(module, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    assert "the module losses_of_mine cannot be imported from sys.path" in judged(module.loss).in_process


def test_it_is_judged_here_where_that_is_asked_for_with_what_this_process_has_changed(module, monkeypatch):
    monkeypatch.setattr(module, "loss", lambda logits, target: np.asarray(2.0))
    assert judged(module.same).passed
    result = judged(module.same, in_process=True)
    assert not result.passed
    assert "because in_process is set" in result.in_process


def test_a_failure_has_its_cause_its_script_and_a_call_that_shows_it_again():
    def wrong(logits, target):
        shifted = logits - logits.max(axis=1, keepdims=True)
        return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(target)), target]).mean() * 1.01

    result = judged(wrong)
    assert [verdict.status for verdict in result.failures] == ["fail"]
    (cause,) = result.causes
    assert cause.requirements == ("accuracy.loss",)
    failure = cause.shown.failure
    again = "xent.judge(wrong, framework='numpy', only='accuracy.loss', profile='quick', seed=0, dtypes='float64')"
    assert failure.command == again
    script = "\n".join(line for line in failure.reproducer.splitlines() if not line.startswith("raise NotImpl"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "WRONG"), done


def test_a_script_of_what_has_no_source_asks_for_it():
    result = judged(lambda logits, target: np.float64(1.0))
    assert "NotImplementedError('define loss here" in result.failures[0].failures[0].reproducer


def test_failures_are_raised_with_the_summary_of_the_run(module):
    result = judged(module.wrong)
    assert not result.passed
    assert result.exit_code == 1
    with pytest.raises(xent.ConformanceError, match="1 cause, 1 of 1 requirement broken") as raised:
        result.raise_for_failures()
    assert raised.value.result is result
    assert repr(result).startswith("<Result: 1 cause")


def test_it_shows_itself_in_a_notebook_and_nothing_in_it_is_markup(module):
    def loss(logits, target):
        if logits.shape[1] > 4:
            raise ValueError("<script>alert(1)</script>")
        return module.loss(logits, target)

    html = judged(loss)._repr_html_()
    assert "<script" not in html
    assert "&lt;script" in html
    assert "accuracy.loss" in html
    assert html.count("<details open>") == 1


def test_a_saved_result_is_what_the_command_writes(module, tmp_path):
    result = judged(module.wrong)
    page = result.save(tmp_path / "report")
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "badge.json",
        "index.html",
        "record.jsonl",
        "summary.md",
    ]
    command = ["run", "numpy:losses_of_mine.wrong", "--profile", "quick", "--only", "accuracy.loss"]
    options = ["--dtypes", "float64", "--output", "other"]
    done = subprocess.run([sys.executable, "-m", "xent_conformance", *command, *options], cwd=tmp_path, check=False)
    assert done.returncode == result.exit_code
    diff = [sys.executable, "-m", "xent_conformance", "diff", "other/record.jsonl", "report/record.jsonl"]
    assert subprocess.run(diff, cwd=tmp_path, check=False).returncode == 0


def test_an_adapter_is_judged_as_the_object_it_is():
    from xent_backends.numpy_backend import backend

    result = xent.judge(backend(), **QUICK)
    assert result.passed
    assert result.record.header.backends[0].name == "numpy"
    assert "numpy is judged in this process" in result.in_process


def test_objects_are_judged_in_this_process_however_many_are_asked_for(module):
    calls = []

    def counted(logits, target):
        calls.append(logits.shape)
        return module.loss(logits, target)

    spec = "numpy:counted"
    request = Request((spec,), profile="quick", only=("accuracy.loss", "accuracy.any-size"), dtypes=("float64",))
    objects = {spec: of_object(counted, "numpy", request.narrowing)}
    with Session.open(request, objects=objects) as session:
        tried = len(calls)
        assert [line.status for line in run(session, 2)]
        assert len(calls) > tried


def test_options_of_callables_are_those_of_the_command_line(module):
    result = judged(module.loss, claims="max-classes=7", conventions={"mean_divisor": "valid_rows"})
    (line,) = result.record.header.backends
    assert line.capabilities["max_classes"] == 7
    assert line.conventions["mean_divisor"] == "valid_rows"
    with pytest.raises(xent.UsageError, match="no-such"):
        judged(module.loss, claims="no-such")


@dataclass(frozen=True)
class FewRows(NumpyBackend):
    """The numpy backend, with a list of the numbers of rows that it is called with; ``wrong_above`` so many rows."""

    name: str = "few-rows"
    wrong_above: float = np.inf
    called: list[int] = field(default_factory=list)

    def __getattribute__(self, name):
        method = super().__getattribute__(name)
        called = name in (*FUNCTIONS, *DERIVATIVES, "cross_entropy_layer_vjp")
        return partial(self._counted, method) if called else method

    def _counted(self, method, *given, **options):
        passed = inspect.signature(method).bind(*given, **options).arguments
        (shape,) = (passed[name].shape for name in ("logits", "log_probs", "hidden") if name in passed)
        rows = shape[0] if "hidden" in passed else math.prod(shape[:1] + shape[2:] if len(shape) > 1 else ())
        self.called.append(rows)
        result = method(*given, **options)
        wrong = rows > self.wrong_above and method.__name__ == "cross_entropy"
        return result * result.dtype.type(1.5) if wrong else result


def of_few_rows(most, **more):
    return FewRows(capabilities=replace(CAPABILITIES, logits_dtypes=("float32",), max_rows=most), **more)


def verdicts_of(backend):
    """The verdicts of a quick run, which passes, by requirement."""
    result = xent.judge(backend, profile="quick")
    assert result.passed
    return {verdict.requirement: verdict for verdict in result.record.verdicts}


@pytest.mark.parametrize("most", [100, 3, 1])
def test_no_call_has_more_rows_than_are_claimed_and_what_needs_more_does_not_apply(most):
    backend = of_few_rows(most)
    verdicts = verdicts_of(backend)
    assert len(backend.called) > 1000
    assert max(backend.called) == most
    assert {v.status for v in verdicts.values()} <= {"pass", "observed", "not-applicable", "vacuous"}
    for requirement, rows in {
        "gradients.large-call": 4101,
        "fused_linear.many-rows": 513,
        # Of these all problems of the list have more rows than are claimed.
        "conventions.all-masked-row": 5,
        "weights.every-scale": 3,
        "dtypes.logits-must-be-floating": 2,
    }.items():
        expected = ("not-applicable", f"few-rows does not claim {rows} rows") if rows > most else ("pass", None)
        assert (verdicts[requirement].status, verdicts[requirement].reason) == expected
    vacuous = {name: v.reason for name, v in verdicts.items() if v.status == "vacuous"}
    assert set(vacuous.values()) <= {f"no problem met the requirement's condition, with max_rows={most}"}
    if most == 100:
        assert vacuous.keys() <= {name for name, v in verdicts_of(of_few_rows(None)).items() if v.status == "vacuous"}


@pytest.mark.parametrize(("most", "passed"), [(100, True), (200, False), (None, False)])
def test_what_is_wrong_with_more_rows_than_are_claimed_is_not_judged(most, passed):
    sizes = ("accuracy.any-size", "accuracy.every-row-count")
    assert xent.judge(of_few_rows(most, wrong_above=100), profile="quick", only=sizes).passed is passed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: xent.judge(np.sum), "framework='torch', 'jax' or 'numpy'"),
        (lambda: xent.judge(lambda x, y: x, framework="nunpy"), "did you mean 'numpy'"),
        (lambda: xent.judge("numpy", framework="numpy"), "framework is only for callables"),
        (lambda: xent.judge(5), "int is neither a callable nor an adapter"),
        (lambda: xent.judge("numpy", profile="quik"), "did you mean 'quick'"),
        (lambda: judged(lambda x, y: x, workers=2), "workers must be 1: "),
    ],
    ids=["framework", "typo", "twice", "number", "profile", "workers"],
)
def test_what_cannot_be_asked_for_is_said(call, message):
    with pytest.raises(xent.UsageError, match="(?i)" + message):
        call()


def test_a_function_that_never_works_is_an_error_and_no_result():
    with pytest.raises(xent.BrokenBackendError):
        judged(lambda: None)


def test_a_module_that_judges_while_it_is_imported_is_told_so(tmp_path):
    (tmp_path / "mine.py").write_text(
        SOURCE + "import xent_conformance as xent\nxent.judge(loss, framework='numpy', profile='quick')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import mine"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "the judged module calls judge when imported" in done.stderr.splitlines()[-1]


def test_it_works_where_an_event_loop_runs_as_in_a_notebook(module):
    def result():
        return judged(lambda logits, target: module.loss(logits, target) * 1)

    async def cell():
        return result()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        assert asyncio.run(cell()).passed
    else:
        # Tests with a browser, in the same process, have left a loop running.
        assert result().passed


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_framework_is_left_as_it_was(framework):
    pytest.importorskip(framework)
    code = """
        import torch, jax, xent_conformance as xent
        torch.set_num_threads(2)
        from torch.nn import functional as F
        import jax.numpy as jnp
        def one(logits, target):
            return F.cross_entropy(logits, target)
        def two(logits, target):
            return -jax.nn.log_softmax(logits)[jnp.arange(len(target)), target].mean()
        loss = {"torch": one, "jax": two}[NAME]
        result = xent.judge(loss, framework=NAME, profile="quick", only="accuracy.loss", dtypes="float32")
        assert result.passed, result
        print(result.in_process)
        print(torch.get_num_threads(), jnp.ones(3).dtype, jnp.asarray(1.5, "float64").dtype)
    """
    text = textwrap.dedent(code).replace("NAME", repr(framework))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "it is defined in a notebook or in the running script" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 float32 float32"


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, xent_conformance; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(eval(done.stdout))
    assert not loaded & {"numpy", "hypothesis", "msgspec", "greenlet", "torch", "jax", "jinja2", "pytest"}
    assert {*xent.__all__} <= {*dir(xent)}
    with pytest.raises(AttributeError, match="no attribute 'juge'"):
        _ = xent.juge


def test_one_test_in_ones_own_file(tmp_path):
    (tmp_path / "losses.py").write_text(SOURCE)
    (tmp_path / "test_mine.py").write_text(
        textwrap.dedent("""
        import losses
        import pytest
        from xent_conformance.testing import assert_conforms

        @pytest.mark.parametrize("loss", [losses.loss, losses.wrong], ids=["loss", "wrong"])
        def test_loss(loss):
            assert_conforms(loss, framework="numpy", only="accuracy.loss", dtypes="float64")
        """)
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout
    assert "ConformanceError: 1 cause, 1 of 1 requirement broken" in done.stdout
    assert "raise_for_failures" not in done.stdout


def test_the_assertion_gives_the_result():
    assert assert_conforms("numpy", only="identities.softplus", dtypes="float32").passed


def with_examples():
    """The modules of the three packages whose docstrings have examples."""
    for package in ("xent_conformance", "xent_backends", "xent_reports"):
        (root,) = find_spec(package).submodule_search_locations
        for path in sorted(Path(root).rglob("*.py")):
            if ">>> " in path.read_text("utf-8"):
                yield ".".join([package, *path.relative_to(root).with_suffix("").parts]).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(with_examples()))
def test_the_examples_run(name):
    module = importlib.import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"xent": xent})
    assert found
    results = [doctest.DocTestRunner().run(test) for test in found]
    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0
