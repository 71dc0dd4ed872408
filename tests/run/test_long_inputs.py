"""Records of failures whose inputs are too long to be written out, and what scripts do that cannot judge."""

import os
import subprocess
import sys

import msgspec
import pytest

from mutants.untuned_backward import SecondLaunchOfLargeGradients
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.records.record import MAX_LINE
from xent_conformance.requirements.registry import load
from xent_conformance.session import Request, Session
from xent_conformance.witnesses import witness
from xent_conformance.witnesses.judged_again import file_of, judged_again
from xent_conformance.witnesses.reduction import Witness
from xent_conformance.witnesses.witness import failure, verdict_line

KERNEL = """
import os

import numpy as np

FACTOR = 1.01


def loss(logits, target, weight=None, reduction="mean"):
    shifted = logits - logits.max(axis=1, keepdims=True)
    rows = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(target)), target]
    if weight is not None:
        rows = rows * weight[target]
    if reduction == "none":
        return rows
    divisor = 1 if reduction == "sum" else len(target) if weight is None else weight[target].sum()
    return rows.sum() * (1 if weight is None else FACTOR) / divisor
"""
#: Changes of the kernel, and what a script of it then exits with.
CHANGES = {
    "no change": ("", "", 1),
    "fixed": ("1.01", "1", 0),
    "no weights": ("weight=None, ", "*, other=None, ", 125),
    "a library is missing": ("import os", "import nothing_of_this_name", 125),
    "another name": ("def loss", "def renamed", 125),
}


def test_a_failure_with_millions_of_elements_fits_into_a_line_of_a_record():
    requirement = load()["gradients.large-call"]
    subject = Subject.of(SecondLaunchOfLargeGradients("second-launch", ("float32",)), "float32")
    trial, *_ = trials(subject, requirement.source, Settings())
    finding, *_ = [f for _, found in judge(requirement, trial) for f in found if f.failed]
    line = failure(requirement, subject, Witness(trial.problem, finding), Settings())
    assert len(msgspec.json.encode(line)) < MAX_LINE
    compile(line.reproducer, "script", "exec")
    assert "'--only', 'gradients.large-call'" in line.reproducer


def script_of(kernel, identifier="weights.loss"):
    """The script of a failure of a file in the working directory, in its only dtype."""
    session = Session.open(
        Request((f"numpy:./{kernel}:loss",), profile="quick", dtypes=("float32",), only=(identifier,))
    )
    (requirement,) = session.requirements()
    (cell,) = session.cells(requirement)
    (shown, *_) = verdict_line(session.verdict(requirement, cell), session.settings).failures
    session.close()
    return shown.reproducer


def ran(script, folder, **environment):
    """The completed process of a script, run in a folder."""
    where = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-W", "ignore", script]
    return subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A folder with a kernel, which is the working directory, and an empty one beside it."""
    for name in ("kernels", "elsewhere"):
        (tmp_path / name).mkdir()
    path = tmp_path / "kernels" / "weighted_kernel.py"
    path.write_text(KERNEL, "utf-8")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return path


@pytest.mark.parametrize("long", [False, True])
def test_a_script_shows_the_failure_or_that_it_is_fixed_or_says_that_it_cannot_judge(kernel, monkeypatch, long):
    if long:
        monkeypatch.setattr(witness, "MOST_ELEMENTS", 0)
    text = script_of(kernel.name)
    assert ("xent_conformance" in text) == long
    script = kernel.with_name("script.py")
    script.write_text(text, "utf-8")
    for old, new, code in CHANGES.values():
        kernel.write_text(KERNEL.replace(old, new), "utf-8")
        done = ran(script, kernel.parent)
        # Without weights the call of the script raises; the suite says that the requirement is not applicable.
        assert done.returncode == code, (old, new, done.stdout, done.stderr)
        if code != 125:
            assert done.stdout.splitlines()[-1] == ("WRONG" if code else "NOT REPRODUCED")


def test_a_script_that_runs_the_suite_looks_for_the_file_and_says_which_it_misses(kernel, monkeypatch):
    monkeypatch.setattr(witness, "MOST_ELEMENTS", 0)
    text = script_of(kernel.name)
    assert str(kernel.parent) not in text
    (kernel.parent / "scripts").mkdir()
    elsewhere = kernel.parents[1] / "elsewhere"
    for folder, place, code in ((kernel.parent / "scripts", elsewhere, 1), (elsewhere, kernel.parent, 1)):
        script = folder / "script.py"
        script.write_text(text, "utf-8")
        assert ran(script, place).returncode == code
    done = ran(elsewhere / "script.py", elsewhere)
    assert (done.returncode, done.stdout.startswith("NOT JUDGED: no file ./weighted_kernel.py ")) == (125, True)
    assert [path.name for path in elsewhere.iterdir()] == ["script.py"]


#: A package of the suite's name, which writes a verdict with a status, and exits.
SUITE = """
import os
import pathlib
import sys

status, code = os.environ["STATUS"], int(os.environ["CODE"])
if status:
    line = '{"kind": "verdict", "status": "%s"}\\n' % status
    pathlib.Path(sys.argv[-1], "record.jsonl").write_text('{"kind": "header"}\\n' + line)
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("status", "ended", "code"),
    [
        ("pass", 0, 0),
        ("fail", 1, 1),
        ("crash", 1, 1),
        ("timeout", 1, 1),
        ("weak", 0, 1),
        ("deviation", 0, 1),
        ("vacuous", 0, 125),
        ("not-applicable", 0, 125),
        ("error", 3, 125),
        ("fail", 3, 125),
        ("pass", -9, 125),
        ("", 1, 125),
        ("", 2, 125),
    ],
)
def test_a_script_that_runs_the_suite_is_judged_by_the_verdict(tmp_path, status, ended, code):
    """Python exits with 1 if there is no suite; a SHOULD that fails, and a known deviation, exit with 0."""
    (tmp_path / "xent_conformance").mkdir()
    (tmp_path / "xent_conformance" / "__init__.py").touch()
    (tmp_path / "xent_conformance" / "__main__.py").write_text(
        SUITE.replace("sys.exit(code)", "os.kill(os.getpid(), -code)" if ended < 0 else "sys.exit(code)")
    )
    script = tmp_path / "script.py"
    script.write_text(judged_again("torch", ["run", "torch"]), "utf-8")
    assert ran(script, tmp_path, STATUS=status, CODE=str(ended)).returncode == code


def test_the_file_of_a_specification_is_as_it_was_given():
    assert file_of("./a.py") == file_of("./a.py:Name.of") == file_of("numpy:./a.py:loss") == "./a.py"
    assert file_of("numpy") is file_of("numpy:package.module.loss") is file_of("numpy:package.module:loss") is None


def test_the_script_of_a_crash_that_cannot_make_the_call_does_not_show_it(kernel):
    """The call is made in a process of its own, which a missing library ends as well."""
    crashing = KERNEL.replace("    shifted", "    logits.shape[1] > 8 and os.abort()\n    shifted")
    kernel.write_text(crashing, "utf-8")
    script = kernel.with_name("script.py")
    script.write_text(script_of(kernel.name, "accuracy.any-size"), "utf-8")
    assert ran(script, kernel.parent).returncode == 1
    kernel.write_text(KERNEL, "utf-8")
    assert ran(script, kernel.parent).returncode == 0
    kernel.unlink()
    assert ran(script, kernel.parent).returncode == 125
