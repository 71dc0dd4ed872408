"""The calls that a failure may depend on: the latest, and the first of their shapes before."""

import numpy as np

from xent_conformance.calling.calls import REMEMBERED, History, forward
from xent_conformance.problem import Problem


def call(classes, label=0):
    return forward(Problem(np.zeros((1, classes), np.float32), np.array([label])))


def test_all_of_a_few_calls_are_remembered_in_order():
    calls = [call(3), call(4), call(3, 1)]
    history = History()
    history.extend(calls)
    assert list(history) == calls
    history.clear()
    assert list(history) == []


def test_of_many_calls_the_first_of_each_shape_and_the_latest_are_remembered():
    early, latest = [call(5), call(6), call(5, 1), call(6, 1)], [call(7) for _ in range(REMEMBERED)]
    history = History()
    history.extend([*early, *latest])
    assert list(history) == [early[0], early[1], *latest]


def test_shapes_without_end_are_not_remembered_without_end():
    history = History()
    history.extend(call(classes) for classes in range(1, 3 * REMEMBERED))
    assert len(list(history)) == 2 * REMEMBERED
