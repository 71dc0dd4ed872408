"""A run over several processes: one that is lost is an error of the run, and none outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from xent_conformance.records.record import read
from xent_conformance.request import Request
from xent_conformance.running import run
from xent_conformance.session import Session

CHOSEN = ("--profile", "quick", "--only", "identities,purity,edges")


def children_of(pid):
    """Processes that a process has started and that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text("ascii", "replace").rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def ended(pids):
    for _ in range(3000):
        alive = [pid for pid in pids if (s := Path(f"/proc/{pid}/stat")).exists() and " Z " not in s.read_text()]
        if not alive:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def started(tmp_path):
    """A run in two processes that has begun its record, and both of them."""

    def start(*arguments):
        command = [sys.executable, "-m", "xent_conformance.cli", "run", *arguments, "-n", "2"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        record = tmp_path / "xent-report" / "record.jsonl"
        while not record.is_file() or record.read_text("utf-8").count("\n") < 2:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        return process, children_of(process.pid)

    return start


def test_a_process_that_is_killed_is_an_error_of_the_run_which_can_be_resumed(started, xent, verdicts, tmp_path):
    process, workers = started("numpy", "--only", "accuracy,purity")
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "a process of the run was ended by SIGKILL while judging numpy" in err
    assert "--resume" in err
    assert "Traceback" not in err
    assert read(tmp_path / "xent-report" / "record.jsonl").footer is None
    assert ended(workers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_run_that_is_ended(started, number):
    process, workers = started("numpy", "--profile", "thorough")
    assert len(workers) == 2
    servers = [child for worker in workers for child in children_of(worker)]
    everything = [*workers, *servers, *(child for server in servers for child in children_of(server))]
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 3)
    assert "Traceback" not in err
    assert ended(everything)


def test_a_backend_that_ends_its_process_of_the_run_is_said(xent, adapter):
    path = adapter(
        changes={
            "import numpy as np\n": "import os\nimport numpy as np\n\nCALLS = []\n",
            "        log_p, _, weights, label =": "        CALLS.append(1)\n        len(CALLS) < 30 or os._exit(7)\n"
            "        log_p, _, weights, label =",
        }
    )
    done = xent("run", path, *CHOSEN, "--in-process", "-n", "2")
    assert done.returncode == 3
    assert "a process of the run ended with exit code 7 while judging my-backend" in done.stderr


def test_a_backend_that_every_new_process_must_import_again_is_said(xent, adapter):
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    done = xent("run", adapter(changes={"import numpy as np\n": f"{thread}import numpy as np\n"}), *CHOSEN)
    assert done.returncode == 0, done.stderr
    line = "my-backend: every new process imports it again, because importing it starts 1 thread\n"
    assert done.stdout.startswith(line)
    assert "imports it again" not in xent("run", adapter(), *CHOSEN).stdout


def test_modules_of_the_folder_pass_for_none_of_pythons_own_in_any_process(xent, tmp_path, verdicts):
    for name in ("socket", "random", "json", "queue", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not mine')")
    code = "from xent_conformance.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", code, "run", "numpy", *CHOSEN, "-n", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert verdicts()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_takes_long_is_told_however_many_processes_there_are(adapter, monkeypatch, tmp_path, workers):
    monkeypatch.chdir(tmp_path)
    path = adapter(changes={"return Vjp(": "return Vjp(2 * "})
    request = Request((path,), profile="quick", dtypes=("float32",), only=("gradients.loss-unchanged", "edges"))
    told = []
    with Session.open(request) as session:
        session.notice = told.append
        assert len(list(run(session, workers))) > 1
    assert told == ["my-backend float32 gradients.loss-unchanged: reducing what fails"]


def test_a_run_is_an_iterator_of_the_same_verdicts_in_any_number_of_processes():
    def told(workers):
        request = Request(("numpy",), profile="quick", only=("identities", "purity"), dtypes=("float32", "float64"))
        lines = [replace(line, seconds=0) for line in run(request, workers)]
        return sorted(lines, key=lambda line: line.cell)

    assert told(1) == told(2) == told(3)
    assert len(told(1)) > 20
