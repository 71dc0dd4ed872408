"""A run over several processes: one that is lost is an error of the run, and none outlives it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from xent_conformance.calling.calls import forward
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.imported import Narrowing
from xent_conformance.problem import Problem
from xent_conformance.records.record import read
from xent_conformance.records.status import Status
from xent_conformance.request import Request
from xent_conformance.running import run
from xent_conformance.session import Session
from xent_conformance.verdicts.first import FirstFailure

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
        return process, [child for child in children_of(process.pid) if judges(child)]

    return start


def judges(pid):
    """Whether a process is one that judges, not one that backends are forked from."""
    return b"distribution import" in Path(f"/proc/{pid}/cmdline").read_bytes()


def descendants_of(pid):
    children = children_of(pid)
    return children + [one for child in children for one in descendants_of(child)]


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
    everything = descendants_of(process.pid)
    assert {*workers} < {*everything}
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


def test_loops_of_openmp_have_two_threads_which_race_unless_the_user_limits_them(xent, adapter, verdicts, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    name = "f\"my-backend-{os.environ['OMP_NUM_THREADS']}\""
    path = adapter(changes={"import numpy as np\n": "import os\nimport numpy as np\n", '"my-backend"': name})
    run = ("run", path, "--profile", "quick", "--only", "identities.single-class")
    for number, limits in (("2", {}), ("1", {"OMP_NUM_THREADS": "1"})):
        done = xent(*run, **limits)
        assert done.returncode == 0, done.stderr
        assert {verdict["backend"] for verdict in verdicts()} == {f"my-backend-{number}"}


def test_modules_of_the_folder_pass_for_none_of_pythons_own_in_any_process(xent, tmp_path, verdicts):
    for name in ("socket", "random", "json", "queue", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('not mine')")
    code = "from xent_conformance.cli import main; import sys; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", code, "run", "numpy", *CHOSEN, "-n", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert verdicts()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_fails_first_and_what_takes_long_is_said_however_many_processes_there_are(
    adapter, monkeypatch, tmp_path, workers
):
    monkeypatch.chdir(tmp_path)
    path = adapter(changes={"return Vjp(": "return Vjp(2 * "})
    request = Request((path,), profile="quick", dtypes=("float32",), only=("gradients.loss-unchanged", "edges"))
    said = []
    with Session.open(request) as session:
        session.notice = session.announce = said.append
        verdicts = list(run(session, workers))
    (first,) = (what for what in said if isinstance(what, FirstFailure))
    reducing = "my-backend float32 gradients.loss-unchanged: reducing the failing problem"
    assert said.count(reducing) == 1
    assert said.index(first) < said.index(reducing)
    (line,) = (line for line in verdicts if line.status == Status.FAIL)
    assert (first.requirement, first.dtype, first.status) == (line.requirement, line.dtype, line.status)
    assert first.message != line.failures[0].message


def test_a_record_is_the_same_for_any_number_of_processes_but_for_times(xent, adapter, tmp_path):
    wrong = adapter(changes={"return Vjp(": "return Vjp(2 * "})
    chosen = "--profile", "quick", "--only", "gradients.loss-unchanged,identities,purity"
    texts = []
    for workers in ("1", "2"):
        done = xent("run", "numpy", wrong, *chosen, "--dtypes", "float32,float64", "-n", workers, "--output", workers)
        assert done.returncode == 1, done.stderr
        text = (tmp_path / workers / "record.jsonl").read_text("utf-8")
        texts.append(re.sub(r'"(seconds|started)":("[^"]*"|[0-9.e-]+)', "", text).splitlines())
    assert texts[0] == texts[1]
    assert len(texts[0]) > 40


def test_a_framework_is_imported_once_for_all_processes(adapter, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    note = f"with open({str(tmp_path / 'imports')!r}, 'a') as file: file.write('x')\n"
    path = adapter(changes={"import numpy as np\n": f"import numpy as np\n{note}"})
    request = Request((path,), profile="quick", only=("identities", "edges"), dtypes=("float32", "float64"))
    assert len(list(run(request, 3))) > 20
    assert (tmp_path / "imports").read_text("utf-8") == "x"


def test_the_processes_of_a_backend_are_ended_with_those_of_their_own_judge_only(adapter, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    executor = IsolatedExecutor(adapter(), Narrowing(), Limits())
    try:
        executor.open()
        copies = [IsolatedExecutor(adapter(), Narrowing(), Limits(), executor.handed_over()) for _ in range(2)]
        call = forward(Problem(np.zeros((2, 3), np.float32), np.array([0, 1])))
        assert all(copy.perform(call).trouble is None for copy in copies)
        before = copies[1]._worker._process.pid
        assert copies[0].renewed()
        copies[0].close()
        assert copies[1].perform(call).trouble is None
        assert copies[1]._worker._process.pid == before
        copies[1].close()
    finally:
        executor.close()


def test_verdicts_are_the_same_where_processes_are_not_forked(adapter, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"

    def told(before):
        path = adapter(changes={"import numpy as np\n": f"{before}import numpy as np\n"})
        lines = list(run(Request((path,), profile="quick", only=("edges",), dtypes=("float32", "float64")), 2))
        return {line.cell: line.status for line in lines}

    assert told(thread) == told("")
    assert len(told("")) > 4


def test_a_run_is_an_iterator_of_the_same_verdicts_in_any_number_of_processes():
    def told(workers):
        request = Request(("numpy", "jax"), profile="quick", only=("edges", "purity"), dtypes=("float32",))
        lines = [replace(line, seconds=0) for line in run(request, workers)]
        return sorted(lines, key=lambda line: line.cell)

    verdicts = told(1)
    assert verdicts == told(3)
    assert len(verdicts) > 20
