"""A new worker is forked from a process that has imported the backend, unless that is not safe; it is a new one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from faults.catalogue import Fault
from xent_conformance.calling.calls import CRASH, TIMEOUT, forward
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.mark import marked
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.imported import Narrowing
from xent_conformance.problem import Problem


def call(label):
    return forward(Problem(np.array([[1.0, 0.0, 3.0]], dtype=np.float32), np.array([label])))


#: A call that is answered, and one in which a fault shows.
HONEST, HOSTILE = call(2), call(1)


@pytest.fixture
def opened(tmp_path):
    """An executor on a fault that shows in one call, and that notes each time that it is imported."""
    executors = []

    def start(code="os.abort()", before="", limits=None):
        path = tmp_path / "hostile.py"
        note = f"with open({str(tmp_path / 'imports')!r}, 'a') as file: file.write('import\\n')"
        fault = Fault("", "", code=code, when="target.tolist() == [1]", before=f"{note}\n{before}")
        path.write_text(fault.source(), "utf-8")
        executors.append(IsolatedExecutor(str(path), Narrowing(), limits or Limits()))
        executors[-1].open()
        return executors[-1]

    yield start
    for executor in executors:
        executor.close()


@pytest.fixture
def imports(tmp_path):
    return lambda: len((tmp_path / "imports").read_text("ascii").splitlines())


def gone(number):
    for _ in range(3000):
        status = Path(f"/proc/{number}/stat")
        if not status.exists() or status.read_text("ascii").rsplit(")", 1)[1].split()[0] in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_new_process_does_not_import_the_backend_again(opened, imports):
    executor = opened()
    processes = {executor._worker._process.pid}
    for _ in range(3):
        assert executor.perform(HOSTILE).fate == CRASH
        assert executor.perform(HONEST).trouble is None
        processes.add(executor._worker._process.pid)
    assert (len(processes), executor.restarts, imports()) == (4, 3, 1)
    assert executor.obstacle is None


#: A thread with a name of its own, as libraries in C start them.
NAMED = """thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
thread.start()
open(f'/proc/self/task/{thread.native_id}/comm', 'w').write('NAME')"""
OBSTACLES = {
    "importing it starts 1 thread": "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "importing it starts 1 thread (a-runtime)": NAMED.replace("NAME", "a-runtime"),
    "importing it starts 1 process": "import subprocess; child = subprocess.Popen(['sleep', '600'])",
    "importing it leaves /dev/full open": "device = open('/dev/full', 'rb')",
    "importing it shares memory: /dev/zero (deleted)": "import mmap; memory = mmap.mmap(-1, 4096)",
    "importing it changes what SIGCHLD does": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
}


@pytest.mark.parametrize(("reason", "before"), OBSTACLES.items(), ids=OBSTACLES)
def test_what_all_workers_would_share_is_imported_by_each_and_said(opened, imports, reason, before):
    executor = opened(before=before)
    assert executor.obstacle == reason
    assert imports() == 1
    for _ in range(2):
        assert executor.perform(HOSTILE).trouble == "died of SIGABRT"
        assert executor.perform(HONEST).trouble is None
    assert imports() == 3


def test_the_thread_of_an_allocator_that_copes_with_forks_is_no_obstacle(opened, imports):
    executor = opened(before=NAMED.replace("NAME", "jemalloc_bg_thd"))
    assert executor.perform(HOSTILE).fate == CRASH
    assert executor.perform(HONEST).trouble is None
    assert (executor.obstacle, imports()) == (None, 1)


def test_nothing_that_a_call_leaves_in_its_process_is_in_the_next(opened):
    executor = opened("seen.append(1); os.environ['LEFT'] = '1'; len(seen) == 2 and os.abort()", before="seen = []")
    for _ in range(2):
        assert executor.perform(HOSTILE).trouble is None
        assert executor.perform(HOSTILE).fate == CRASH


def test_what_a_process_says_last_is_its_own(opened):
    executor = opened(
        "os.write(2, f'{os.getpid()} is lost'.encode()); os._exit(9)", "print('imported', file=sys.stderr)"
    )
    for _ in range(2):
        number = executor._worker._process.pid
        assert executor.perform(HOSTILE).trouble == f"ended its process with exit code 9 ({number} is lost)"
        assert executor.perform(HONEST).trouble is None


def test_what_an_earlier_call_printed_is_not_what_a_process_says_last(opened):
    executor = opened("seen.append(1); os.write(2, b'a warning') if len(seen) == 1 else os.abort()", "seen = []")
    assert executor.perform(HOSTILE).trouble is None
    # It comes another way than the answer.
    time.sleep(0.2)
    assert executor.perform(HOSTILE).trouble == "died of SIGABRT"


def test_what_a_worker_has_forked_ends_with_it_though_it_is_a_session_of_its_own(opened, tmp_path):
    note = tmp_path / "daemon"
    fork = f"""if os.fork() == 0:
    os.setsid()
    open({str(note)!r}, 'w').write(str(os.getpid()))
    time.sleep(600)
while not (os.path.exists({str(note)!r}) and open({str(note)!r}).read()): time.sleep(0.01)
os._exit(9)"""
    executor = opened(fork)
    assert executor.perform(HOSTILE).fate == CRASH
    assert gone(int(note.read_text("ascii")))
    assert executor.perform(HONEST).trouble is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_call_that_ends_or_stops_what_its_process_was_forked_from_is_lost_alone(opened, imports, monkeypatch, number):
    monkeypatch.setattr("xent_conformance.isolation.fork_client.PATIENCE", 0.5)
    executor = opened(f"os.kill(os.getppid(), {number}); time.sleep(3600)", limits=Limits(call=0.25))
    assert executor.perform(HOSTILE).fate in (CRASH, TIMEOUT)
    assert executor.perform(HONEST).trouble is None
    assert imports() > 1


def test_a_worker_holds_no_way_to_what_it_was_forked_from(opened):
    executor = opened(
        "for number in range(3, 64):\n    try: os.write(number, b'r' * 64)\n    except OSError: pass\nos._exit(9)"
    )
    for _ in range(2):
        assert executor.perform(HOSTILE).fate == CRASH
        assert executor.perform(HONEST).trouble is None


def test_no_zombie_is_left_and_nothing_after_the_end(opened):
    executor = opened()
    for _ in range(3):
        executor.perform(HOSTILE)
    assert executor.perform(HONEST).trouble is None
    server = executor._processes._server.pid
    assert children(server) == [executor._worker._process.pid]
    mark = executor._processes._mark
    assert len([*marked(mark)]) == 2
    executor.close()
    assert not [*marked(mark)]


def children(number):
    """All children of a process, zombies too."""
    stats = [path.read_text("ascii", "replace").rsplit(")", 1) for path in Path("/proc").glob("[0-9]*/stat")]
    return [int(head.split()[0]) for head, tail in stats if int(tail.split()[1]) == number]


RUN = """import os, sys, time
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.imported import Narrowing
executor = IsolatedExecutor("numpy", Narrowing(), Limits())
executor.open()
print(executor._processes._server.pid, executor._worker._process.pid, flush=True)
time.sleep(600)
"""


def test_server_and_worker_end_with_a_run_that_is_killed():
    process = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True)
    numbers = [int(word) for word in process.stdout.readline().split()]
    process.kill()
    process.communicate(timeout=60)
    assert len(numbers) == 2
    assert all(map(gone, numbers))


@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_backends_of_this_repository_are_forked(name):
    if name != "numpy":
        pytest.importorskip(name, reason=f"{name} is not installed")
    executor = IsolatedExecutor(name, Narrowing(), Limits())
    description = executor.open()
    assert executor.obstacle is None
    first = executor.perform(HONEST).arrays["loss"]
    os.kill(executor._worker._process.pid, signal.SIGKILL)
    assert executor.perform(HONEST).arrays["loss"] == first
    executor.close()
    # Opened again it is what it was, with the parts of its scripts that are not printed again.
    assert executor.open() == description
    executor.close()
