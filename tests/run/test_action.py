"""The GitHub Action: its steps are run by bash as a runner does, with files for its summary and its outputs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="pyyaml is not installed")

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS = [step for step in ACTION["runs"]["steps"] if "run" in step]
#: In the second kernel the mean is wrong, and its line has a fence of Markdown in it.
KERNEL = """
import numpy as np


def loss(logits, target, reduction="mean"):
    shifted = logits - logits.max(axis=1, keepdims=True)
    rows = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(target)), target]
    if reduction == "none":
        return rows
    return rows.sum() if reduction == "sum" else rows.mean()
"""
RIGHT, WRONG = "rows.mean()", "rows.mean() / 2  # ```` a fence"


class Runner:
    """What a runner of GitHub does with a composite action: expressions, outputs, and a stop at the first failure."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {
            "PYTHONPATH": "",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.summary = folder / "summary"

    def run(self, **inputs):
        """The exit code of each step that was run, by name, and the outputs of the action."""
        values = {f"inputs.{name}": str(of.get("default", "")) for name, of in ACTION["inputs"].items()}
        values |= {f"inputs.{name}": value for name, value in inputs.items()}
        values["github.action_path"] = str(ROOT)
        codes = {}
        for step in STEPS:
            if step["id"] == "install":
                continue
            output = self.folder / "output"
            output.write_text("")
            codes[step["id"]] = self._step(step, values, output)
            lines = (line.partition("=") for line in output.read_text("utf-8").splitlines())
            values |= {f"steps.{step['id']}.outputs.{name}": value for name, _, value in lines}
            if codes[step["id"]]:
                break
        return codes, {name: self._filled(of["value"], values) for name, of in ACTION["outputs"].items()}

    def _step(self, step, values, output):
        environment = {name: self._filled(text, values) for name, text in step["env"].items()}
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.summary)}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        environment = self.environment | environment | files
        return subprocess.run(command, cwd=self.folder, env=environment, timeout=300, check=False).returncode

    @staticmethod
    def _filled(text, values):
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda expression: values.get(expression[1], ""), text)


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


CHOSEN = {"backend": "numpy:my_kernel.loss", "arguments": "--only identities.softplus,reduction --dtypes float32"}


def test_a_run_has_a_summary_a_badge_and_a_comment_on_what_changed(runner):
    kernel = runner.folder / "my_kernel.py"
    kernel.write_text(KERNEL, "utf-8")
    codes, outputs = runner.run(**CHOSEN, output="before", baseline="absent.jsonl")
    assert codes == dict.fromkeys(("run", "report", "compare", "verdict"), 0)
    assert outputs == {
        "exit-code": "0",
        "record": "before/record.jsonl",
        "badge": "before/badge.json",
        "comment": "",
        "changed-for-the-worse": "",
    }
    assert runner.summary.read_text("utf-8") == (runner.folder / "before" / "summary.md").read_text("utf-8")

    kernel.write_text(KERNEL.replace(RIGHT, WRONG), "utf-8")
    codes, outputs = runner.run(**CHOSEN, output="after", baseline="before/record.jsonl")
    assert codes == {"run": 0, "report": 0, "compare": 0, "verdict": 1}
    assert (outputs["exit-code"], outputs["changed-for-the-worse"]) == ("1", "true")
    comment = (runner.folder / outputs["comment"]).read_text("utf-8").splitlines()
    assert comment[2] == comment[-1]
    assert set(comment[2]) == {"`"}
    assert any("reduction." in line and "fail" in line for line in comment)


def test_wrong_use_is_the_exit_code_of_the_action_and_text_of_inputs_is_not_run(runner):
    codes, outputs = runner.run(backend="nobody;$(touch/harm)`id`", arguments="")
    assert (codes["verdict"], outputs["exit-code"], outputs["record"]) == (2, "2", "")
    assert not runner.summary.exists()


def test_inputs_are_not_put_into_scripts():
    assert not [step["id"] for step in STEPS if "${{" in step["run"]]


def test_what_is_installed_is_this_repository_with_the_extras_asked_for(runner):
    (install,) = (step for step in STEPS if step["id"] == "install")
    stub = runner.folder / "python"
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > arguments\n')
    stub.chmod(0o755)
    runner.environment["PATH"] = f"{runner.folder}:{runner.environment['PATH']}"
    values = {"github.action_path": str(ROOT), "inputs.extras": "torch,jax", "inputs.requirements": "-e ."}
    assert runner._step(install, values, runner.folder / "output") == 0
    written = (runner.folder / "arguments").read_text().splitlines()
    assert written == ["-m", "pip", "install", "-q", f"{ROOT}[torch,jax]", "-e", "."]


def test_the_how_to_lists_every_input_and_output_and_its_workflow_uses_no_other():
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text("utf-8")
    inputs, _, outputs = page.partition("| input |")[2].partition("| output |")
    rows = re.findall(r"^\| (`\S+`) \|([^|]*)\|", inputs, re.MULTILINE)
    defaults = {name.strip("`"): default.strip(" `") for name, default in rows}
    assert defaults == {name: of.get("default", "") for name, of in ACTION["inputs"].items()}
    names = re.findall(r"^\| (`.*?`) \|", outputs.partition("## tox")[0], re.MULTILINE)
    assert {name for row in names for name in re.findall(r"`(\S+)`", row)} == {*ACTION["outputs"]}
    workflow = yaml.safe_load(re.search(r"```yaml title.*?\n(.*?)```", page, re.DOTALL)[1])
    (used,) = (step for step in workflow["jobs"]["conformance"]["steps"] if "xent-conformance" in step.get("uses", ""))
    assert {*used["with"]} <= {*ACTION["inputs"]}
    needed = {name for name, of in ACTION["inputs"].items() if of.get("required")}
    assert needed <= {*used["with"]}
