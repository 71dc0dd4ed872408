"""An adapter or a library that is another one half-way: no run mixes the verdicts of two implementations."""

import json

import pytest

from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.imported import Narrowing
from xent_conformance.loading.loader import load
from xent_conformance.loading.sources import ReplacedError

SHORT = ("--profile", "quick", "--only", "purity.repeatable,layout.square-loss,identities.worked-example")


@pytest.fixture
def cut(xent, tmp_path):
    """Run a backend and cut its record off before the last verdicts."""

    def run(spec, *arguments):
        done = xent("run", spec, *SHORT, *arguments, "--output", "out")
        assert done.returncode == 0, done.stderr
        record = tmp_path / "out" / "record.jsonl"
        record.write_text("".join(record.read_text("utf-8").splitlines(keepends=True)[:-2]), "utf-8")
        return json.loads(record.read_text("utf-8").splitlines()[0])["backends"][0]

    return run


def resumed(xent, spec, *arguments):
    return xent("run", spec, *SHORT, *arguments, "--output", "out", "--resume")


def test_a_run_with_the_same_files_is_resumed_in_this_process_too(xent, adapter, cut):
    spec = adapter()
    assert list(cut(spec)["sources"]) == ["my_backend"]
    assert resumed(xent, spec, "--in-process").returncode == 0


def test_a_run_is_not_resumed_with_another_adapter(xent, adapter, cut, tmp_path):
    spec = adapter()
    cut(spec)
    path = tmp_path / "my_backend.py"
    path.write_text(path.read_text("utf-8") + "# another one\n", "utf-8")
    done = resumed(xent, spec)
    assert done.returncode == 2
    assert "my-backend is another one, the source of my_backend has changed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_is_not_resumed_with_another_file_that_the_adapter_imports(xent, adapter, cut, tmp_path):
    (tmp_path / "kernels").mkdir()
    helper = tmp_path / "kernels" / "__init__.py"
    helper.write_text("SCALE = 1\n")
    spec = adapter(changes={"import numpy as np": "import numpy as np\nfrom kernels import SCALE"})
    assert set(cut(spec)["sources"]) == {"my_backend", "kernels"}
    helper.write_text("SCALE = 2\n")
    done = resumed(xent, spec)
    assert done.returncode == 2
    assert "the source of kernels has changed" in done.stderr


def test_a_run_is_not_resumed_with_another_callable(xent, cut, tmp_path):
    loss = tmp_path / "my_loss.py"
    loss.write_text(
        "import functools, numpy as np\n"
        "def plain(logits, target, reduction='mean'):\n"
        "    x = logits - logits.max(axis=1, keepdims=True)\n"
        "    rows = np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), target]\n"
        "    return {'mean': rows.mean, 'sum': rows.sum, 'none': lambda: rows}[reduction]()\n"
        "loss = functools.partial(plain)\n"
    )
    (tmp_path / "entry.py").write_text("from my_loss import loss\n")
    more = ("--dtypes", "float64")
    assert set(cut("numpy:entry.loss", *more)["sources"]) >= {"my_loss"}
    loss.write_text(loss.read_text() + "# another one\n")
    done = resumed(xent, "numpy:entry.loss", *more)
    assert done.returncode == 2
    assert "the source of my_loss has changed" in done.stderr


def test_a_run_is_not_resumed_with_another_version_or_device(xent, adapter, cut, tmp_path):
    spec = adapter()
    cut(spec)
    record = tmp_path / "out" / "record.jsonl"
    text = record.read_text("utf-8")
    for old, new, said in (
        ('"device":"cpu"', '"device":"tpu"', "its device was tpu, and is cpu"),
        (
            '"versions":{"my-library":"',
            '"versions":{"my-library":"0.',
            "its version of my-library was 0.1.0, and is 1.0",
        ),
    ):
        assert old in text
        record.write_text(text.replace(old, new, 1), "utf-8")
        done = resumed(xent, spec)
        assert done.returncode == 2
        assert said in done.stderr


#: Ends its process in a call with more than three rows, having changed its own file.
CHANGES_ITSELF = """        if len(target.reshape(-1)) > 3:
            import os, pathlib
            path = pathlib.Path(__file__)
            if not path.read_text().endswith("# changed"):
                path.write_text(path.read_text() + "# changed")
                os._exit(1)
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_file_changed_in_a_run_ends_it_when_a_new_process_would_load_it(xent, adapter, workers):
    line = '        if reduction not in ("none", "sum", "mean"):\n'
    spec = adapter(changes={line: CHANGES_ITSELF + line})
    done = xent("run", spec, *SHORT, *workers)
    assert done.returncode == 3
    assert (
        "my-backend: the source of my_backend has changed since the run began: start a new run, or undo" in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_an_executor_does_not_open_another_backend(adapter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executor = IsolatedExecutor(adapter(), Narrowing(), Limits())
    executor.open()
    executor.close()
    executor.open()
    executor.close()
    path = tmp_path / "my_backend.py"
    path.write_text(path.read_text("utf-8") + "# another one\n", "utf-8")
    with pytest.raises(ReplacedError, match="my-backend: the source of my_backend has changed"):
        executor.open()


def test_a_registered_backend_has_its_own_files_and_no_library():
    _, description = load("numpy")
    assert "xent_backends.numpy_backend" in description.sources
    assert {name.partition(".")[0] for name in description.sources} == {"xent_backends"}
