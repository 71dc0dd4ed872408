"""Wrong use: one clear line, the right exit code, nothing half-written."""

import os

import pytest

BROKEN = {
    "raises on import": ("raise RuntimeError('boom')\n", 3, "RuntimeError: boom"),
    "syntax error": ("def f(:\n", 3, "SyntaxError"),
    "exits on import": ("import sys\nsys.exit(5)\n", 3, "SystemExit"),
    "no backend": ("x = 1\n", 2, "defines no 'backend'"),
    "no name": ("class B:\n    capabilities = None\n\nbackend = B()\n", 3, "name must be"),
    "no capabilities": ("class B:\n    name = 'b'\n    capabilities = 7\n\nbackend = B()\n", 3, "capabilities must be"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_one_clear_line(xent, tmp_path, output, what):
    text, code, message = BROKEN[what]
    (tmp_path / "broken.py").write_text(text)
    done = xent("run", "./broken.py")
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not output.exists()


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        ("float(np.sum(losses))", "returned float"),
        ("np.asarray([losses], dtype=logits.dtype)", "returned float32 (1, 2), expected float32 (2,)"),
        ("np.asarray(losses, dtype=np.float16)", "returned float16"),
        ("np.asarray(losses, dtype=np.int64)", "returned int64"),
        ("None", "returned"),
    ],
)
def test_an_adapter_that_returns_nothing_usable_is_broken_not_wrong(xent, adapter, output, returned, complaint):
    done = xent("run", adapter(changes={"return np.asarray(losses, dtype=logits.dtype)": f"return {returned}"}))
    assert done.returncode == 3
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "known: jax"),
        (["./nope.py"], "no file"),
        (["foo:bar.baz"], "unknown framework 'foo'"),
        (["numpy:numpy.nope"], "has no 'nope'"),
        (["numpy:nowhere.f"], "no module"),
        (["numpy", "numpy"], "two backends"),
        (["numpy", "--only", "nope.nope"], "unknown requirement nope.nope"),
        (["numpy", "--profile", "fast"], "unknown profile"),
        (["numpy", "--dtypes", "int8"], "unknown dtypes int8"),
        (["numpy", "--output", "/proc/nope"], "cannot write"),
        (["numpy", "-n", "0"], "-n"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(xent, output, arguments, message):
    done = xent("run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(xent, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    done = xent("run", "numpy", "--output", "locked/report")
    assert done.returncode == 2
    assert "cannot write" in done.stderr


def test_cuda_without_a_device_is_not_available_and_never_a_pass(xent, output):
    pytest.importorskip("torch", reason="torch is not installed")
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = xent("run", "torch-cuda")
    assert done.returncode == 3
    assert "not available" in done.stderr
    assert not output.exists()
    both = xent("run", "numpy", "torch-cuda", "--profile", "quick", "--only", "purity")
    assert both.returncode == 3
    assert "not available" in (output / "index.html").read_text("utf-8")


def test_new_writes_no_file_over_another(xent, tmp_path):
    assert xent("new", "mine.py").returncode == 0
    before = (tmp_path / "mine.py").read_text()
    assert xent("new", "mine.py").returncode == 2
    assert (tmp_path / "mine.py").read_text() == before


def test_list_prints_every_requirement(xent):
    import json

    listed = json.loads(xent("list", "--json").stdout)
    table = xent("list").stdout
    assert len(listed["requirements"]) > 25
    for requirement in listed["requirements"]:
        assert requirement["id"] in table
        assert requirement["level"] in ("MUST", "SHOULD", "OBSERVED")
        assert requirement["statement"].endswith(".")
