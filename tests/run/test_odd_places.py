"""Odd terminals, interpreters and folders: the same verdicts, or one line that says what is the matter."""

import os
import subprocess
import sys

import pytest

CHOSEN = ("--profile", "quick", "--only", "identities.softplus", "--dtypes", "float32")
XENT = "from xent_conformance.cli import main; import sys; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def started(tmp_path):
    """Run the command as its script does, without the working directory on the path."""

    def run(*arguments, python=(), shell="", **environment):
        command = [sys.executable, "-P", *python, "-c", XENT, *arguments]
        if shell:
            command = ["sh", "-c", f'"$@" {shell}', "sh", *command]
        environment = {**os.environ, **environment}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, timeout=300, check=False, encoding="latin-1"
        )

    return run


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"TERM": "dumb", "HOME": "/nowhere", "TMPDIR": "/nowhere"},
        {"PYTHONWARNINGS": "error"},
        {"PYTHONOPTIMIZE": "1"},
        {"PYTEST_ADDOPTS": "--no-such", "PYTEST_PLUGINS": "nowhere", "HYPOTHESIS_PROFILE": "nowhere", "CI": "true"},
    ],
    ids="-".join,
)
def test_no_setting_of_the_environment_changes_a_verdict(started, verdicts, environment):
    done = started("run", "numpy", *CHOSEN, **environment)
    assert done.returncode == 0, done.stderr
    assert "1 pass" in done.stdout
    assert not done.stderr
    assert [v["status"] for v in verdicts()] == ["pass"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_gets_nothing_and_stops_nothing(started, verdicts, output, closed):
    assert started("run", "numpy", *CHOSEN, shell=closed).returncode == 0
    assert [v["status"] for v in verdicts()] == ["pass"]
    assert (output / "index.html").stat().st_size


def test_warnings_as_errors_are_for_others(started):
    done = started("run", "numpy", *CHOSEN, python=("-W", "error"))
    assert (done.returncode, done.stderr) == (0, "")


def test_modules_of_the_folder_pass_for_none_of_pythons_own(started, tmp_path):
    for name in ("socket", "random", "json", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not mine')")
    assert started("run", "numpy", *CHOSEN).returncode == 0


def test_a_callable_is_importable_from_the_folder_that_the_run_is_in(started, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        "def loss(input, target):\n"
        "    x = input.astype(np.float64)\n"
        "    return np.mean(np.log(np.exp(x).sum(1)) - x[range(len(target)), target]).astype(input.dtype)\n"
    )
    done = started("run", "numpy:mine.loss", "--profile", "quick", "--only", "identities.equal-logits")
    assert "1 requirement" in done.stdout, done.stderr


def test_an_interpreter_without_docstrings_is_refused(started):
    done = started("list", python=("-OO",))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "-OO" in done.stderr


def test_a_folder_that_is_gone_is_named(tmp_path):
    script = f'mkdir gone; cd gone; rmdir ../gone; "{sys.executable}" -P -c "{XENT}" run numpy'
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "xent: the working directory: No such file or directory\n")
