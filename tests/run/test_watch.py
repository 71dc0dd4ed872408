"""`xent watch` judges again after each change, and says what changed."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from xent_conformance.commands.watching import beside

WRONG = {"return Vjp(": "return Vjp(2 * "}
CHOSEN = ("--profile", "quick", "--only", "gradients.loss-unchanged,gradients.sign,edges", "--dtypes", "float32")
#: What is printed once it waits for a change.
WAITS = "; Ctrl-C ends\n"


@pytest.fixture
def watched(tmp_path):
    """Start `xent watch` in an empty folder; gives the process and a function that waits until it waits once more."""
    started = []

    def start(*arguments):
        output = (tmp_path / "printed.txt").open("w+", encoding="utf-8")
        command = [sys.executable, "-m", "xent_conformance.cli", "watch", *map(str, arguments)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT, env=environment)
        started.append((process, output))
        seen = 0

        def text():
            """What was printed since the last time, up to where it waits."""
            nonlocal seen
            end = time.monotonic() + 240
            while (printed := (tmp_path / "printed.txt").read_text("utf-8")).find(WAITS, seen) < 0:
                assert process.poll() is None, printed
                assert time.monotonic() < end, printed
                time.sleep(0.05)
            before, seen = seen, printed.find(WAITS, seen) + len(WAITS)
            return printed[before:seen]

        return process, text

    yield start
    for process, output in started:
        process.kill()
        process.wait()
        output.close()


def test_each_change_is_judged_and_what_it_changed_is_said(watched, adapter, verdicts, tmp_path):
    path = adapter()
    process, text = watched(path, *CHOSEN)
    first = text()
    assert "No unexpected failure" in first
    assert "watching my_backend.py; Ctrl-C ends" in first

    adapter(changes=WRONG)
    broken = text()
    assert broken.startswith("changed: my_backend.py\n")
    assert re.search(r"^new: my-backend gradients\.\S+ \(float32\)$", broken, re.MULTILINE)
    assert "fixed" not in broken
    count = len(re.findall("^new: ", broken, re.MULTILINE))

    with (tmp_path / path).open("a", encoding="utf-8") as file:
        file.write("# A comment\n")
    again = text()
    assert f"still failing: {count}\n" in again
    assert not re.search("^(new|fixed): ", again, re.MULTILINE)
    # Nothing but what has failed.
    assert len(verdicts()) == count

    adapter()
    right = text()
    assert right.index("everything that failed passes now") < right.index("fixed: ")
    assert len(verdicts()) > count
    assert len(re.findall(r"^fixed: my-backend gradients\.\S+ \(float32\)$", right, re.MULTILINE)) == count
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_modules_beside_the_file_are_watched_and_one_that_does_not_work_is_no_end(watched, adapter, tmp_path):
    (tmp_path / "helper.py").write_text("FACTOR = 1\n", "utf-8")
    path = adapter(
        changes={
            "import numpy as np\n": "import numpy as np\nimport helper\n",
            "return Vjp(": "return Vjp(helper.FACTOR * ",
        }
    )
    process, text = watched(path, *CHOSEN)
    assert "watching helper.py, my_backend.py" in text()
    (tmp_path / "helper.py").write_text("FACTOR = \n", "utf-8")
    assert "SyntaxError" in text()
    (tmp_path / "helper.py").write_text("FACTOR = 2\n", "utf-8")
    assert "new: my-backend gradients." in text()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 1


def test_a_file_that_is_not_there_and_an_import_in_this_process_are_wrong_use(xent, adapter):
    assert re.fullmatch(r"xent: no file .*/nothing\.py\n", (done := xent("watch", "nothing.py")).stderr)
    assert done.returncode == 2
    assert "no file" in (done := xent("watch", "numpy")).stderr
    assert done.returncode == 2
    assert "unknown requirement" in (done := xent("watch", adapter(), "--only", "nonesuch")).stderr
    assert done.returncode == 2
    assert "--in-process" in (done := xent("watch", adapter(), "--in-process")).stderr
    assert done.returncode == 2


def test_what_a_file_imports_from_its_folder_is_seen_without_importing_it(tmp_path):
    (tmp_path / "package").mkdir()
    texts = {
        "main.py": "import numpy, one\nfrom package import inner\nraise SystemExit\n",
        "one.py": "from two import x\n",
        "two.py": "import one\n",
        "other.py": "",
        "package/__init__.py": "from . import nested\n",
        "package/inner.py": "from .deep import y\n",
        "package/nested.py": "",
        "package/deep.py": "not Python",
        "package/unused.py": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
    found = {path.relative_to(tmp_path).as_posix() for path in beside(tmp_path / "main.py")}
    assert found == texts.keys() - {"other.py", "package/unused.py"}
