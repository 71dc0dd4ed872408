"""Running `xent` as a user does, and wrong implementations written as files."""

import json
import os
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def heeded():
    """Reset SIGINT to its default: tests in a background job ignore it, and so would the processes they start."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def xent(tmp_path):
    """Run the command in an empty folder; returns the completed process."""

    def run(*arguments, timeout=300, **environment):
        return subprocess.run(
            [sys.executable, "-m", "xent_conformance.cli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def adapter(tmp_path):
    """Write the adapter of `xent new` with some of its text replaced; returns the path to give to `xent run`."""

    def write(name="my_backend.py", **replacements):
        text = files("xent_conformance").joinpath("new_backend.py.txt").read_text("utf-8")
        for old, new in replacements.pop("changes", {}).items():
            assert old in text, old
            text = text.replace(old, new)
        (tmp_path / name).write_text(text, "utf-8")
        return f"./{name}"

    return write


@pytest.fixture
def verdicts(tmp_path):
    """The verdict lines of the record in a folder, without what differs from run to run."""

    def read(folder="xent-report"):
        lines = [json.loads(line) for line in (tmp_path / folder / "record.jsonl").read_text("utf-8").splitlines()]
        found = [line for line in lines if line["kind"] == "verdict"]
        for line in found:
            line.pop("seconds", None)
        return sorted(found, key=lambda v: (v["backend"], v["requirement"], v["dtype"]))

    return read


@pytest.fixture
def output(tmp_path):
    """The report folder of a run."""
    return Path(tmp_path) / "xent-report"
