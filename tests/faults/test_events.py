"""Faults that need more than an adapter: somebody else's doing, a limit that is reached, a run of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from faults.catalogue import WORKED, Fault
from xent_conformance.calling.calls import CRASH, TIMEOUT, backward, differing, forward
from xent_conformance.calling.turns import by_turns
from xent_conformance.isolation.channel import LARGE
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.isolation.requests import PARDONS
from xent_conformance.loading.errors import BrokenBackendError
from xent_conformance.loading.imported import Narrowing
from xent_conformance.problem import Problem
from xent_conformance.records.record import read
from xent_conformance.records.status import Status
from xent_conformance.session import Request, Session
from xent_conformance.witnesses import judged_variants, lost
from xent_conformance.witnesses.witness import verdict_line

CALL = forward(Problem(np.array([[1.0, 0.0, 3.0]], dtype=np.float32), np.array([2])))


@pytest.fixture
def hostile(tmp_path):
    """Write a fault as an adapter; gives the path."""

    def write(**changes):
        path = tmp_path / "hostile.py"
        path.write_text(Fault("", "", **changes).source(), "utf-8")
        return str(path)

    return write


@pytest.fixture
def opened(hostile):
    """An executor with a worker that has answered a call."""
    executor = IsolatedExecutor(hostile(when="False"), Narrowing(), Limits())
    executor.open()
    assert executor.perform(CALL).trouble is None
    yield executor
    executor.close()


def kill(executor, number):
    """Somebody sends the worker a signal between two calls."""
    process = executor._worker._process
    os.kill(process.pid, number)
    while not executor._worker.gone():
        time.sleep(0.001)


def test_a_worker_killed_by_others_between_two_calls_changes_no_outcome(opened):
    before = opened.perform(CALL).arrays["loss"]
    for number in (signal.SIGKILL, signal.SIGTERM):
        kill(opened, number)
        assert opened.perform(CALL).arrays["loss"] == before
    assert opened.restarts == 2


def test_a_backend_whose_workers_are_killed_again_and_again_is_held_to_do_it(opened):
    for _ in range(PARDONS):
        kill(opened, signal.SIGKILL)
        assert opened.perform(CALL).trouble is None
    kill(opened, signal.SIGKILL)
    assert opened.perform(CALL).trouble == "died of SIGKILL after its last call had returned"


def test_a_process_that_dies_of_itself_between_two_calls_is_a_crash(opened):
    kill(opened, signal.SIGSEGV)
    outcome = opened.perform(CALL)
    assert (outcome.fate, outcome.trouble) == (CRASH, "died of SIGSEGV after its last call had returned")
    assert opened.perform(CALL).trouble is None


def together(executor, calls):
    """What calls come to of which two are under way at any time."""
    found = {}

    def perform(number):
        found[number] = executor.perform(calls[number])

    by_turns(partial(perform, number) for number in range(len(calls)))
    return [found[number] for number in range(len(calls))]


@pytest.mark.parametrize(("code", "fate"), [("os.abort()", CRASH), ("time.sleep(3600)", TIMEOUT)])
def test_a_call_that_is_lost_with_another_is_made_again(hostile, code, fate):
    labels = [0, 1, 0, 0, 2, 2, 0, 1]
    calls = [forward(Problem(np.array([[1.0, 0.0, 3.0]], dtype=np.float32), np.array([k]))) for k in labels]
    executor = IsolatedExecutor(hostile(code=code, when="target.tolist() == [2]"), Narrowing(), Limits(call=0.5))
    executor.open()
    found = together(executor, calls)
    assert [outcome.fate for outcome in found] == [fate if k == 2 else None for k in labels]
    losses = [float(outcome.arrays["loss"]) for outcome in found if outcome.fate is None]
    assert losses == pytest.approx([{0: 2.1698, 1: 3.1698}[k] for k in labels if k < 2], abs=1e-4)
    # A call that hangs is made twice before it is believed.
    assert executor.restarts == labels.count(2) * (2 if fate == TIMEOUT else 1)
    executor.close()


def test_two_calls_under_way_share_no_memory(opened):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(6, 3000, 7)).astype(np.float32)
    one = np.ones((), dtype=np.float32)
    calls = [backward(Problem(rows, rng.integers(0, 7, size=3000), cotangent=one)) for rows in logits]
    assert logits[0].nbytes > LARGE
    for once, again in zip(map(opened.perform, calls), together(opened, calls), strict=True):
        assert once.trouble is None
        assert differing(once, again) is None


def test_an_import_that_hangs_is_an_adapter_that_cannot_be_loaded(hostile):
    executor = IsolatedExecutor(hostile(before="import time\ntime.sleep(3600)"), Narrowing(), Limits(load=1.0))
    with pytest.raises(BrokenBackendError, match="importing it or trying a first call did not return within 1 s"):
        executor.open()


def test_a_name_that_hangs_is_an_adapter_that_cannot_be_loaded(hostile):
    path = hostile(methods="@property\ndef name(self): time.sleep(3600)")
    with pytest.raises(BrokenBackendError, match="did not return"):
        IsolatedExecutor(path, Narrowing(), Limits(load=2.0)).open()


def test_reducing_a_crash_uses_up_so_many_workers(hostile, monkeypatch):
    monkeypatch.setitem(lost.RESTARTS, CRASH, 5)
    line, restarts, said = crashing(hostile)
    assert line.status == Status.CRASH
    assert line.failures[0].message == "cross_entropy died of SIGABRT"
    # For each cause: one or two for the crashes that judging has met, and those that reducing and variants may use up.
    assert 5 <= restarts <= len(line.failures) * (5 + 2 + judged_variants.RESTARTS[CRASH])
    judging = "my-backend float32 accuracy.loss"
    assert said == [judging, *len(line.failures) * [f"{judging}: reducing the failing problem"]]


def test_reducing_a_crash_has_its_time_after_which_the_smallest_so_far_stands(hostile, monkeypatch):
    monkeypatch.setattr(lost, "SECONDS", 0.0)
    line, restarts, _ = crashing(hostile)
    assert line.status == Status.CRASH
    assert line.failures[0].message == "cross_entropy died of SIGABRT (reducing stopped after 20 s)"
    assert line.failures[0].found.logits_shape == line.failures[0].problem.logits.shape
    assert restarts <= len(line.failures) * (3 + judged_variants.RESTARTS[CRASH])


def crashing(hostile):
    """The verdict on a backend whose calls crash where logits are large, its restarts, and what takes long."""
    large = "target.tolist() != [2, 0] and np.abs(logits.astype(float)).sum() > 50"
    path, said = hostile(code="os.abort()", when=large), []
    session = Session.open(Request((path,), profile="quick", dtypes=("float32",), only=("accuracy.loss",)))
    session.notice = said.append
    ((line,),) = (list(session.judged(group)) for group in session.groups())
    session.close()
    return line, session.opened[0].executor.restarts, said


def test_after_a_hang_others_have_less_time_and_in_a_hurry_they_are_believed_at_once(hostile, monkeypatch):
    # On a busy machine a call that comes back may take long.
    monkeypatch.setattr("xent_conformance.isolation.time_limits.LIMIT_AFTER_HANG", 1)
    monkeypatch.setattr("xent_conformance.isolation.time_limits.LONGER_TO_COMPILE", 1e9)
    path = hostile(code="time.sleep(3600)", when="target.tolist() == [1]")
    executor = IsolatedExecutor(path, Narrowing(), Limits(call=1.0))
    executor.open()
    assert executor.perform(CALL).trouble is None
    hanging = forward(Problem(np.array([[1.0, 0.0, 3.0]], dtype=np.float32), np.array([1])))
    first, second = executor.perform(hanging), executor.perform(hanging)
    assert first.malformed == "did not return within 4 s"
    assert second.malformed == "did not return within 2 s"
    assert executor.restarts == 4
    with executor.hurried():
        assert executor.perform(hanging).fate == TIMEOUT
    assert executor.restarts == 5
    executor.close()


def test_a_call_that_hangs_because_of_an_earlier_one_is_not_believed_even_in_a_hurry(hostile):
    path = hostile(
        code="seen.append(1)\nif len(seen) == 2: time.sleep(3600)", before="seen = []", when="target.tolist() == [2]"
    )
    executor = IsolatedExecutor(path, Narrowing(), Limits(call=1.0))
    executor.open()
    with executor.hurried():
        assert [executor.perform(CALL).fate for _ in range(4)] == [None] * 4
    # The second call and the third, which is the second of its process, have been made again.
    assert executor.restarts == 3
    executor.close()


def test_a_backend_that_can_be_loaded_once_alone_loses_its_calls_but_not_the_run(hostile, tmp_path):
    used = str(tmp_path / "used")
    once = f"if os.path.exists({used!r}): 1 / 0\nopen({used!r}, 'w')"
    # A process with a thread is not forked: each new one imports the adapter again.
    path = hostile(code="os.abort()", before=f"threading.Thread(target=time.sleep, args=(600,)).start()\n{once}")
    only = ("identities.worked-example", "purity.repeatable")
    session = Session.open(Request((path,), profile="quick", dtypes=("float32",), only=only))
    found = {
        r.id: verdict_line(session.verdict(r, cell), session.settings)
        for r in session.requirements()
        for cell in session.cells(r)
    }
    session.close()
    assert {line.status for line in found.values()} == {Status.CRASH}
    message = found["purity.repeatable"].failures[0].message
    assert "it cannot be started again" in message
    assert "ZeroDivisionError" in message


@pytest.fixture
def xent(tmp_path):
    """Start `xent run` on a file in a folder of its own."""

    def start(path, *more):
        command = [sys.executable, "-m", "xent_conformance.cli", "run", path, "--profile", "quick"]
        command += ["--dtypes", "float32", "--only", "identities", *more]
        return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    return start


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [("os.abort()", "crash", "died of SIGABRT"), ("time.sleep(3600)", "timeout", "did not return")],
)
def test_the_command_reports_the_call_in_flight_and_finishes(hostile, xent, tmp_path, code, status, message):
    out, err = (process := xent(hostile(code=code, when=WORKED), "--timeout", "0.25")).communicate(timeout=120)
    assert process.returncode == 1, err
    assert f"{status} my-backend float32 identities.worked-example: cross_entropy {message}" in err
    assert "2.888" in err
    record = read(tmp_path / "xent-report" / "record.jsonl")
    assert record.footer.exit == 1
    (failing,) = (v for v in record.verdicts if v.status == status)
    assert failing.failures[0].problem
    assert (tmp_path / "xent-report" / "index.html").stat().st_size
    assert "Traceback" not in out + err


def test_a_run_that_is_killed_takes_its_workers_along_and_its_record_says_so(hostile, xent, tmp_path):
    note = tmp_path / "worker"
    process = xent(hostile(code=f"open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(3600)", when=WORKED))
    while not (note.exists() and note.read_text("ascii")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    assert gone(int(note.read_text("ascii")))
    record = tmp_path / "xent-report" / "record.jsonl"
    assert "header" in json.loads(record.read_text("utf-8").splitlines()[0])["kind"]
    assert read(record).footer is None


def gone(pid):
    """Whether a process ends (or has, and nobody has asked yet); waits for it as long as a test may take."""
    for _ in range(3000):
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text("ascii").rsplit(")", 1)[1].split()[0] in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_what_a_worker_has_started_ends_with_it_though_it_is_a_session_of_its_own(hostile, tmp_path):
    note = tmp_path / "daemon"
    code = f"""import subprocess
open({str(note)!r}, 'w').write(str(subprocess.Popen(['sleep', '600'], start_new_session=True, close_fds=False).pid))"""
    executor = IsolatedExecutor(hostile(code=code, when="True"), Narrowing(), Limits())
    executor.open()
    assert executor.perform(CALL).trouble is None
    executor.close()
    assert gone(int(note.read_text("ascii")))


CALLABLES = {
    "torch": """import torch
def loss(input, target, reduction="mean"):
    {line}
    return torch.nn.functional.cross_entropy(input, target, reduction=reduction)
""",
    "numpy": """import os, numpy as np
def loss(input, target):
    {line}
    return np.mean(np.log(np.exp(input).sum(axis=1)) - input[np.arange(len(target)), target], dtype=input.dtype)
""",
}


@pytest.mark.parametrize(
    ("framework", "line", "what"),
    [
        ("torch", "torch.set_default_dtype(torch.float64)", "torch default dtype"),
        ("torch", "torch.set_default_device('meta')", "torch default device"),
        ("torch", "torch.rand(1)", "torch random state"),
        ("torch", "torch.manual_seed(0)", "torch random state"),
        ("torch", "torch.set_grad_enabled(False)", "torch gradient mode"),
        ("torch", "torch.autocast('cpu').__enter__()", "torch autocast"),
        ("torch", "torch.set_num_threads(2)", "torch threads"),
        ("torch", "torch.set_flush_denormal(True)", "torch flushing of subnormal numbers"),
        ("torch", "torch.autograd.set_detect_anomaly(True)", "torch anomaly detection"),
        ("numpy", "np.random.seed(0)", "numpy random state"),
        ("numpy", "np.seterr(all='raise')", "numpy error state (divide, invalid, over, 1 more)"),
        ("numpy", "os.environ['XENT_HOSTILE'] = '1'", "environment variables (XENT_HOSTILE)"),
        ("numpy", "os.chdir('/')", "working directory"),
    ],
)
def test_what_a_callable_changes_for_all_is_seen_though_trying_it_has_changed_it_before(
    tmp_path, monkeypatch, framework, line, what
):
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    (tmp_path / "hostile_loss.py").write_text(CALLABLES[framework].format(line=line), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    spec = f"{framework}:hostile_loss.loss"
    session = Session.open(Request((spec,), dtypes=("float32",), only=("purity.surroundings",), gradient=False))
    assert not session.left_out
    (requirement,) = session.requirements()
    (cell,) = session.cells(requirement)
    verdict = session.verdict(requirement, cell)
    session.close()
    assert verdict.status is Status.FAIL
    assert what in verdict.failing[0].finding.message
