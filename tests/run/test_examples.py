"""The examples: what their README says is followed word for word, and their planted faults are one cause each."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xent_conformance.records.causes import causes
from xent_conformance.records.record import read

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def lines_of_readme():
    """The commands of the ten lines, as a shell takes them."""
    text = (EXAMPLES / "README.md").read_text("utf-8")
    section = re.search(r"<!-- lines -->\n```console\n(.*?)```\n<!-- /lines -->", text, re.DOTALL)
    assert section
    lines = section[1].splitlines()
    assert len(lines) <= 10
    assert all(line.startswith(("$ ", "> ")) for line in lines)
    return "\n".join(line[2:] for line in lines)


def judged(spec, folder):
    """The exit code of a quick run, its record and what it printed."""
    command = [sys.executable, "-m", "xent_conformance", "run", spec, "--profile", "quick", "--output", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    return done.returncode, read(folder / "record.jsonl"), done.stdout + done.stderr


def test_the_lines_of_the_readme_lead_to_a_report(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    folder = tmp_path / "mine"
    folder.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"WHEEL": str(wheel), "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    done = subprocess.run(
        ["bash", "-euc", lines_of_readme()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert "requirements" in done.stdout, done.stderr
    assert done.returncode in (0, 1)
    record = read(folder / "xent-report" / "record.jsonl")
    assert [backend.name for backend in record.header.backends] == ["numpy-my_kernel.cross_entropy"]
    assert "<h1>" in (folder / "xent-report" / "index.html").read_text("utf-8")


def _spec(example):
    if example == "c_kernel.py" and shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    if example == "numba_kernel.py":
        pytest.importorskip("numba", reason="numba is not installed")
    return str(EXAMPLES / example)


@pytest.mark.parametrize("example", ["c_kernel.py", "numba_kernel.py"])
def test_an_example_passes(example, tmp_path):
    code, _, printed = judged(_spec(example), tmp_path)
    assert code == 0, printed


@pytest.mark.parametrize("example", ["c_kernel.py", "numba_kernel.py"])
def test_a_read_beside_the_logits_is_one_cause_that_names_the_call(example, tmp_path):
    code, record, printed = judged(f"{_spec(example)}:out_of_bounds", tmp_path)
    assert code == 1, printed
    (cause,) = causes(record.verdicts)
    failure = cause.shown.failure
    assert failure.kind == "stray-read"
    # The call with gradients makes the same read, and may be the one whose witness is shown.
    assert failure.call in ("cross_entropy", "cross_entropy_vjp")
    assert failure.message.startswith(f"{failure.call} reads outside the elements of its logits")
    script = subprocess.run([sys.executable, "-c", failure.reproducer], capture_output=True, text=True, check=False)
    assert (script.returncode, script.stdout.splitlines()[-1]) == (1, "WRONG"), script.stderr
    if example == "c_kernel.py":
        # The README shows this run. How many requirements break depends on the memory, of how many does not.
        assert re.search(r" of \d+ requirements broken, by .*\n", printed)[0] in (EXAMPLES / "README.md").read_text(
            "utf-8"
        )
