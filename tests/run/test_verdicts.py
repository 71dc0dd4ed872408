"""`xent run` on right and wrong implementations: verdicts, witnesses, scripts, exit codes."""

import json
import os
import subprocess
import sys

import pytest

WRONG = {
    "no max shift": (
        {"shifted = x - x.max(axis=1, keepdims=True)": "shifted = x"},
        "accuracy.loss",
    ),
    "mean divided by N with weights": (
        {"losses = losses.sum() / weights.sum()": "losses = losses.sum() / len(losses)"},
        "accuracy.loss",
    ),
    "gradient without its cotangent": (
        {"scale = np.asarray(cotangent) * weights": "scale = 1.0 * weights"},
        "gradients.logits",
    ),
    "only the first cotangent": (
        {"scale = np.asarray(cotangent) * weights": "scale = np.asarray(cotangent).reshape(-1)[:1] * weights"},
        "gradients.logits",
    ),
    "last class of a long row dropped": (
        {
            "np.log(np.exp(shifted).sum(axis=1, keepdims=True))": "np.log("
            "np.exp(shifted[:, : -1 if x.shape[1] > 32 else None]).sum(axis=1, keepdims=True))"
        },
        "accuracy.loss",
    ),
    "integer logits accepted": (
        {"if logits.dtype not in (np.float32, np.float64):": "if logits.dtype == complex:"},
        "dtypes.logits-must-be-floating",
    ),
}


def test_the_example_adapter_passes(xent, adapter, verdicts):
    done = xent("run", adapter(), "--profile", "quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {v["status"] for v in verdicts()} <= {"pass", "observed", "not-applicable", "vacuous"}
    assert "report: " in done.stdout


@pytest.mark.parametrize("idea", WRONG)
def test_a_wrong_implementation_fails_with_a_witness_that_a_person_can_read(xent, adapter, verdicts, idea):
    changes, requirement = WRONG[idea]
    done = xent("run", adapter(changes=changes), "--only", requirement, "--dtypes", "float32")
    assert done.returncode == 1, done.stdout + done.stderr
    (verdict,) = verdicts()
    assert verdict["status"] == "fail"
    for failure in verdict["failures"]:
        logits = failure["problem"]["logits"]
        assert logits["shape"][0] <= 2
        numbers = [v for v in logits["values"] if v not in (0, False)]
        assert len(numbers) <= 4, failure["text"]
        assert all(isinstance(v, str) or abs(v) <= 1000 for v in numbers), failure["text"]
        script = subprocess.run(
            [sys.executable, "-c", failure["reproducer"]], capture_output=True, text=True, check=False, timeout=60
        )
        assert script.returncode == 1, script.stderr
        assert script.stdout.endswith("WRONG\n"), script.stdout


def test_the_same_seed_gives_the_same_verdicts_and_another_one_others(xent, verdicts):
    common = ("run", "numpy", "--profile", "quick", "--only", "accuracy.loss,dtypes", "--dtypes", "float16,float32")
    for seed, folder in (("5", "one"), ("5", "two"), ("6", "three")):
        assert xent(*common, "--seed", seed, "--output", folder).returncode == 0
    assert verdicts("one") == verdicts("two")
    assert [v["ratio"] for v in verdicts("one")] != [v["ratio"] for v in verdicts("three")]


def test_a_bare_callable_claims_what_its_signature_has(xent, tmp_path, verdicts):
    (tmp_path / "losses.py").write_text(
        "import numpy as np\n"
        "def cross_entropy(logits, target, reduction='mean'):\n"
        "    x = logits - logits.max(axis=1, keepdims=True)\n"
        "    rows = np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), target]\n"
        "    return {'mean': rows.mean, 'sum': rows.sum, 'none': lambda: rows}[reduction]()\n"
    )
    arguments = ("run", "numpy:losses.cross_entropy", "--dtypes", "float32", "--only", "accuracy", "--only", "weights")
    done = xent(*arguments, PYTHONPATH=str(tmp_path))
    found = {v["requirement"]: v["status"] for v in verdicts()}
    assert done.returncode in (0, 1), done.stderr
    assert found["accuracy.loss"] == "pass"
    assert found["weights.total-weight-zero"] == "not-applicable"


def test_what_a_callable_refuses_is_said_before_judging_and_on_the_page(xent, tmp_path, output):
    (tmp_path / "losses.py").write_text(
        "import numpy as np\n"
        "def loss(logits, target, **options):\n"
        "    if logits.ndim != 2: raise ValueError('rows, please')\n"
        "    x = logits - logits.max(axis=1, keepdims=True)\n"
        "    return (np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), target]).mean()\n"
    )
    done = xent(
        *("run", "numpy:losses.loss", "--profile", "quick", "--dtypes", "float32"),
        *("--only", "identities.equal-logits,label_smoothing.loss"),
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    refused = "numpy-losses.loss: unbatched: left out, because it raised ValueError: rows, please"
    assert said.index(refused) < said.index(next(line for line in said if "unexpected failure" in line))
    assert "numpy-losses.loss: label_smoothing: left out, because passing it changed nothing" in said
    page = (output / "index.html").read_text("utf-8")
    assert "Left out of the claims" in page
    assert "it raised ValueError: rows, please" in page
    lines = [json.loads(line) for line in (output / "record.jsonl").read_text("utf-8").splitlines()]
    assert ["label_smoothing", "passing it changed nothing"] in lines[0]["backends"][0]["capabilities"]["left_out"]
    reasons = {line["requirement"]: line["reason"] for line in lines if line["kind"] == "verdict"}
    assert reasons["label_smoothing.loss"].endswith("(left out, because passing it changed nothing)")


def test_conventions_of_a_callable_are_tried_and_declared(xent, verdicts, tmp_path):
    (tmp_path / "losses.py").write_text(
        "from xent_backends.numpy_cross_entropy import cross_entropy\n"
        "import numpy as np\n"
        "def loss(logits, target, weight=None, ignore_index=-100):\n"
        "    if target.ndim == logits.ndim: raise ValueError('labels, please')\n"
        "    found = cross_entropy(logits, target, weight=weight, ignore_index=ignore_index, reduction='sum')\n"
        "    return (found / max((target != ignore_index).sum(), 1)).astype(logits.dtype)\n"
    )
    about = "conventions.all-ignored-loss,edges.empty-batch,weights.loss"
    common = ("run", "numpy:losses.loss", "--profile", "quick", "--dtypes", "float32", "--only", about)
    done = xent(*common)
    assert done.returncode == 0, done.stdout
    for choice in (
        "all_ignored_loss is zero, PyTorch's is nan",
        "mean_divisor is valid_rows, PyTorch's is target_weight",
    ):
        assert f"numpy-losses.loss: differs by convention: {choice} (taken from its behaviour)" in done.stdout
    assert "taken from its behaviour" in (tmp_path / "xent-report" / "index.html").read_text("utf-8")
    done = xent(*common, "--convention", "all_ignored_loss=nan", "--claim", "no-weight")
    assert done.returncode == 1
    assert "numpy-losses.loss: weight: left out, because set on the command line" in done.stdout
    found = {line["requirement"]: line for line in verdicts()}
    assert {name: line["status"] for name, line in found.items()} == {
        "conventions.all-ignored-loss": "fail",
        "edges.empty-batch": "pass",
        "weights.loss": "not-applicable",
    }
    command = found["conventions.all-ignored-loss"]["failures"][0]["command"]
    assert "--convention all_ignored_loss=nan --claim no-weight" in command


def test_settings_of_the_surrounding_project_have_no_influence(xent, tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('not ours')\n")
    done = xent("run", "numpy", "--profile", "quick", "--only", "purity.repeatable", PYTEST_ADDOPTS="--also-unknown")
    assert done.returncode == 0, done.stderr


def test_a_mean_of_nothing_is_judged_by_the_declared_convention(xent, adapter, verdicts, tmp_path):
    zero = {
        "losses = losses.sum() / weights.sum()": "losses = losses.sum() / (weights.sum() or 1.0)",
        "class MyBackend:": "from xent_conformance.interface import Conventions\n\n\nclass MyBackend:",
        "default_ignore_index=-100,": "default_ignore_index=-100,\n        conventions=Conventions("
        "all_ignored_loss='zero', zero_weight_loss='zero', empty_batch_loss='zero', documentation=DOCUMENTED),",
    }
    url = "DOCUMENTED = dict.fromkeys(('all_ignored_loss', 'zero_weight_loss', 'empty_batch_loss'), 'https://x.org')"
    documented = {**zero, "import numpy as np\n": f"import numpy as np\n\n{url}\n"}
    undocumented = {**zero, "import numpy as np\n": "import numpy as np\n\nDOCUMENTED = {}\n"}
    # Declared, and not done.
    wrong = {k: v for k, v in documented.items() if "losses.sum" not in k}
    common = ("--only", "weights.total-weight-zero", "--dtypes", "float32", "--profile", "quick")
    choice = "differs by convention: zero_weight_loss is zero, PyTorch's is nan"
    done = xent("run", adapter("a.py", changes=documented), *common)
    assert done.returncode == 0, done.stdout
    assert f"my-backend: {choice} (https://x.org)" in done.stdout.splitlines()
    done = xent("run", adapter("b.py", changes=undocumented), *common)
    assert done.returncode == 0, done.stdout
    explained = "(undocumented: add its URL to Conventions(documentation=...))"
    assert f"my-backend: {choice} {explained}" in done.stdout.splitlines()
    header = json.loads((tmp_path / "xent-report" / "record.jsonl").read_text("utf-8").partition("\n")[0])
    (backend,) = header["backends"]
    assert (backend["conventions"]["zero_weight_loss"], backend["basis"]["zero_weight_loss"]) == (
        "zero",
        "undocumented",
    )
    assert xent("run", adapter("c.py", changes=wrong), *common).returncode == 1
    assert {v["requirement"] for v in verdicts() if v["status"] == "fail"} >= {"weights.total-weight-zero"}


def test_the_printed_command_judges_the_failure_again_and_leaves_the_whole_report_alone(
    xent, adapter, verdicts, tmp_path
):
    path = adapter("a name; with $odd 'characters'.py", changes=WRONG["integer logits accepted"][0])
    assert xent("run", path, "--profile", "quick", "--only", "dtypes", "--dtypes", "float32").returncode == 1
    whole = (tmp_path / "xent-report" / "record.jsonl").read_bytes()
    (failing,) = (v for v in verdicts() if v["status"] == "fail")
    command = failing["failures"][0]["command"].replace("xent", f'"{sys.executable}" -m xent_conformance.cli', 1)
    again = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert again.returncode == 1, again.stderr
    assert (tmp_path / "xent-report" / "record.jsonl").read_bytes() == whole
    (found,) = verdicts(f"xent-{failing['requirement']}")
    assert found["failures"][0]["message"] == failing["failures"][0]["message"]


@pytest.mark.parametrize("environment", [{"PYTHONUNBUFFERED": "1"}, {"PYTHONUNBUFFERED": ""}])
@pytest.mark.parametrize("unread", ["stdout", "stderr"])
def test_a_failure_is_the_exit_code_though_nobody_reads_what_is_printed(adapter, tmp_path, unread, environment):
    command = [sys.executable, "-m", "xent_conformance.cli", "run", adapter(changes=WRONG["no max shift"][0])]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, unread: subprocess.PIPE}
    process = subprocess.Popen(
        [*command, "--profile", "quick", "--only", "extremes.loss", "--dtypes", "float32"],
        cwd=tmp_path,
        env={**os.environ, **environment},
        **streams,
    )
    getattr(process, unread).close()
    assert process.wait(60) == 1
    assert (tmp_path / "xent-report" / "index.html").is_file()
