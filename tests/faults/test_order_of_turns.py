"""Tasks take turns in one order, whenever the end of a process is noticed."""

import time
from functools import partial

import numpy as np
import pytest

from faults.catalogue import Fault
from xent_conformance.calling.calls import CRASH, forward
from xent_conformance.calling.turns import by_turns
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.imported import Narrowing
from xent_conformance.problem import Problem


@pytest.fixture
def executor(tmp_path):
    path = tmp_path / "hostile.py"
    path.write_text(Fault("", "", "os.abort()", when="target.tolist() == [2]").source(), "utf-8")
    made = IsolatedExecutor(str(path), Narrowing(), Limits())
    made.open()
    yield made
    made.close()


def call(label):
    return forward(Problem(np.array([[1.0, 0.0, 3.0]], np.float32), np.array([label])))


def order(executor, pause):
    """The tasks in the order in which their calls come back; the second waits before its first call."""
    events = []

    def task(name, labels, pause):
        time.sleep(pause)
        events.extend((name, executor.perform(call(label)).fate) for label in labels)

    by_turns([partial(task, "first", (2, 0, 1), 0.0), partial(task, "second", (0, 1, 0), pause)])
    return events


def test_the_order_is_the_same_whether_a_process_ends_before_or_after_the_next_call_is_sent(executor):
    soon, late = order(executor, 0.0), order(executor, 0.5)
    assert soon == late
    assert [fate for _, fate in soon] == [CRASH, *5 * [None]]
