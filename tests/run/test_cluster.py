"""Work on a cluster of two processes gives what one process gives, also where one of them dies."""

import os
import signal
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from xent_conformance.cluster import Cluster
from xent_conformance.detection import kill_tasks
from xent_conformance.distribution import Elsewhere
from xent_conformance.loading.errors import UsageError
from xent_conformance.request import Request
from xent_conformance.running import run

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")

#: Dask's own deprecations are not ours, and a worker that is killed says so.
pytestmark = pytest.mark.filterwarnings("ignore")
TESTS = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def two_workers():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.fixture
def cluster(two_workers):
    with Cluster(two_workers.scheduler_address) as connected:
        yield connected


def test_tasks_of_a_worker_that_is_killed_are_carried_out_by_another(cluster, tmp_path):
    def slow(number, folder):
        """A task that never ends when it is tried first, and says in a file in which process that is."""
        mark = Path(folder, str(number))
        if not mark.exists():
            mark.write_text(str(os.getpid()))
            threading.Event().wait(600)
        return number

    def kill():
        while not all((tmp_path / str(n)).exists() and (tmp_path / str(n)).read_text() for n in (0, 1)):
            threading.Event().wait(0.05)
        for number in (0, 1):
            os.kill(int((tmp_path / str(number)).read_text()), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    assert sorted(cluster.done(slow, [(0, str(tmp_path)), (1, str(tmp_path))])) == [0, 1]


def test_what_a_task_raises_is_raised(cluster):
    with pytest.raises(UsageError, match="unknown profile"):
        list(cluster.done(kill_tasks.tasks, [("no such profile", range(1))]))


def test_results_in_the_order_of_their_tasks(cluster):
    assert cluster.in_order(pow, [(2, n) for n in range(20)]) == [2**n for n in range(20)]


def test_where_no_scheduler_answers_it_is_said_in_a_line(monkeypatch):
    monkeypatch.setattr("xent_conformance.cluster.PATIENCE", 1)
    with pytest.raises(UsageError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:1"):
        Cluster("tcp://127.0.0.1:1")


def test_a_kill_matrix_is_the_same(cluster):
    plan = kill_tasks.Plan(str(TESTS / "mutants"), "quick", ("probability-floored",))
    todo = [
        task for task in kill_tasks.tasks("quick", range(1)) if task.source in ("relations", "zero weights", "weighted")
    ]
    alone = list(kill_tasks.carried_out(plan, todo, 1))
    spread = list(kill_tasks.carried_out(plan, todo, cluster))
    assert sorted(spread, key=str) == sorted(alone, key=str)
    assert any(done.kills for done in alone)


def test_a_run_gives_the_same_verdicts(cluster):
    """All but the times that they took."""
    request = Request(("numpy",), "quick", only=("accuracy.*", "reduction.*"), dtypes=("float32",))
    alone, spread = (sorted(map(_untimed, run(request, where)), key=str) for where in (1, Elsewhere(cluster)))
    assert len(alone) > 10
    assert spread == alone


def _untimed(line):
    return replace(line, seconds=0.0)
