"""Wrong use: one clear line, the right exit code, nothing half-written."""

import json
import os
from importlib.resources import files

import pytest

from xent_conformance.loading import callables, loader
from xent_conformance.loading.errors import UsageError
from xent_conformance.loading.imported import Narrowing
from xent_conformance.records.record import read

BROKEN = {
    "raises on import": ("raise RuntimeError('boom')\n", 3, "RuntimeError: boom"),
    "syntax error": ("def f(:\n", 3, "SyntaxError"),
    "exits on import": ("import sys\nsys.exit(5)\n", 3, "SystemExit"),
    "no backend": ("x = 1\n", 2, "defines no 'backend'"),
    "no name": ("class B:\n    capabilities = None\n\nbackend = B()\n", 3, "name must have"),
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


UNUSABLE = {
    "raises on import": BROKEN["raises on import"][0],
    "no backend": BROKEN["no backend"][0],
    "ends its process": "import os\nos._exit(4)\n",
    "a name for two lines": "class B:\n    name = '../b\\n' * 2000\n\nbackend = B()\n",
}


def test_backends_beside_a_broken_one_are_judged_and_it_is_reported(xent, tmp_path, output, adapter):
    adapter("smoke.py", changes={"return np.asarray(losses, dtype=logits.dtype)": "return None"})
    (tmp_path / "deviations").mkdir()
    (tmp_path / "deviations" / "listed.toml").write_text("nonsense")
    adapter("listed.py", changes={'name = "my-backend"': 'name = "listed"'})
    broken = ["./smoke.py", "./listed.py"]
    for what, text in UNUSABLE.items():
        broken.append(f"./{what.replace(' ', '_')}.py")
        (tmp_path / broken[-1]).write_text(text)
    named = [*broken[:3], "numpy", *broken[3:], adapter()]
    done = xent("run", *named, "--profile", "quick", "--only", "identities.softplus")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    record = read(output / "record.jsonl")
    assert record.footer is not None
    assert {v.backend for v in record.verdicts} == {"numpy", "my-backend"}
    assert {v.status for v in record.verdicts} == {"pass"}
    said = {b.spec: b.unavailable for b in record.header.backends if b.broken}
    assert sorted(said) == sorted(broken)
    assert "RuntimeError: boom" in said["./raises_on_import.py"]
    page = (output / "index.html").read_text("utf-8")
    for spec in broken:
        assert f"{spec} broken: " in page
        assert sum(spec.removeprefix("./") in line for line in done.stderr.splitlines()) == 1 or spec == "./listed.py"
    schema = json.loads(files("xent_conformance.records").joinpath("record.schema.json").read_text("utf-8"))
    assert "broken" in schema["$defs"]["BackendLine"]["properties"]


def test_a_wrong_name_beside_good_ones_is_said_before_anything_is_judged(xent, adapter, output):
    done = xent("run", adapter(), "numqy", "--profile", "quick", "--only", "identities.softplus")
    assert done.returncode == 2
    assert "unknown backend 'numqy'" in done.stderr
    assert not output.exists()


def test_a_suite_that_is_imported_without_being_installed_says_so(monkeypatch):
    monkeypatch.setattr(loader, "entry_points", lambda **_: ())
    monkeypatch.setattr(callables, "entry_points", lambda **_: ())
    with pytest.raises(UsageError, match=r"unknown backend 'numpy': xent-conformance .* has to be installed"):
        loader.load("numpy", Narrowing())


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
        (["nope"], "known: autograd, jax, jax-eager"),
        (["./nope.py"], "no file"),
        (["foo:bar.baz"], "unknown framework 'foo'"),
        (["numpy:numpy.nope"], "has no 'nope'"),
        (["numpy:nowhere.f"], "no module"),
        (["numpy", "numpy"], "two backends"),
        (["numpy", "--only", "nope.nope"], "unknown requirement nope.nope"),
        (["numpy", "--profile", "fast"], "unknown profile"),
        (["numpy", "--dtypes", "int8"], "unknown dtypes int8"),
        (["numpy", "--only", "accuracy,accuracy.los"], "unknown requirement accuracy.los"),
        (["numpy", "--output", "/proc/nope"], "cannot write"),
        (["numpy", "-n", "0"], "-n"),
        (["numpy", "-n", "1.5"], "expected a positive integer or 'auto', not '1.5'"),
        (["./" + "a" * 5000 + ".py"], "no file"),
        (["~nobody-of-this-name/a.py"], "no file"),
        (["numpy", "--output", "a" * 300], "cannot write"),
        (["numpy", "--output", ""], "the name of a folder"),
        (["numpy", "--timeout", "1e300"], "a timeout is a number of seconds"),
        (["numpy", "--timeout", "nan"], "a timeout is a number of seconds"),
        (["numpy", "--dtypes", " ,"], "unknown dtypes ' ,'"),
        (["numpy", "--only", ""], "unknown requirement ''"),
        (["numpy", "--device", "cuda"], "--device is only for callables"),
        (["numpy", "--no-gradient", "--claim", "no-weight"], "--no-gradient and --claim are only for callables"),
        (["numpy:a.f", "--convention", "mean_divisors=all_rows"], "did you mean 'mean_divisor'"),
        (["numpy:a.f", "--convention", "mean-divisor=rows"], "unknown 'rows' for mean_divisor"),
        (["numpy:a.f", "--convention", "mean_divisor"], "mean_divisor needs a value"),
        (["numpy:a.f", "--claim", "no-wait"], "did you mean 'no-weight'"),
        (["numpy:a.f", "--claim", "weight=3"], "is made as weight or as no-weight"),
        (
            ["numpy:a.f", "--claim", "max-classes=many"],
            "the claim max-classes needs a number, max-classes=N, not 'many'",
        ),
        (["numpy:a.f", "--precision", "form=C"], "unknown 'C' for form"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(xent, output, arguments, message):
    done = xent("run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("catalogue", "command", "code", "message"),
    [
        ("1 / 0", "mutants", 3, "ZeroDivisionError"),
        ("1 / 0", "campaign", 3, "ZeroDivisionError"),
        ("", "mutants", 2, "has no all_mutants()"),
        ("", "campaign", 2, "has no all_correct()"),
        ("def all_mutants(): return []", "mutants --profile fast", 2, "unknown profile 'fast'"),
        ("def all_mutants(): raise SystemExit", "mutants --output nowhere/file", 2, "cannot write nowhere/file"),
        ("def all_correct(): raise SystemExit", "campaign --output .", 2, "cannot write ."),
        ("def all_mutants(): raise SystemExit", "mutants", 3, "SystemExit"),
    ],
)
def test_a_catalogue_that_does_not_work_is_one_clear_line(xent, tmp_path, catalogue, command, code, message):
    (tmp_path / "listed").mkdir()
    (tmp_path / "listed" / "catalogue.py").write_text(catalogue)
    verb, *more = command.split()
    done = xent(verb, "listed", *more)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["listed"]


def test_a_folder_that_cannot_be_written_is_said_before_records_are_merged(xent, adapter, output):
    assert xent("run", adapter(), "--profile", "quick", "--only", "identities.softplus").returncode == 0
    done = xent("merge", output / "record.jsonl", "--output", "nowhere/merged.jsonl")
    assert done.returncode == 2
    assert "cannot write nowhere/merged.jsonl" in done.stderr


def test_a_file_is_python_whatever_its_name_ends_with(xent, tmp_path):
    assert "try: xent run ./mine" in xent("new", "mine").stdout
    (tmp_path / "mine").write_text((tmp_path / "mine").read_text() + "\nimport sys\ndel sys.path[0]\n")
    assert xent("run", "./mine", "--profile", "quick", "--only", "identities.softplus").returncode == 0


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
    both = xent("run", "numpy", "torch-cuda", "--profile", "quick", "--only", "purity", "--dtypes", "float32")
    assert both.returncode == 3
    assert "not available" in (output / "index.html").read_text("utf-8")


@pytest.mark.parametrize("command", ["run", "coverage", "bench", "campaign listed"])
def test_a_missing_framework_is_one_clear_line_of_every_command(xent, tmp_path, command):
    (tmp_path / "listed").mkdir()
    (tmp_path / "listed" / "catalogue.py").write_text("def all_correct(): return []")
    missing = "from xent_conformance.interface import BackendUnavailableError\n"
    (tmp_path / "away.py").write_text(f'{missing}raise BackendUnavailableError("install it with: pip install away")\n')
    done = xent(*command.split(), "./away.py")
    assert done.returncode == 3
    assert "install it with: pip install away" in done.stderr
    assert "Traceback" not in done.stderr


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
