"""Callables whose trial calls end their process: they are judged all the same, and what they claim stays true."""

import pytest

from xent_conformance.attempts import may_attempt, watched
from xent_conformance.isolation import trial
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.errors import BrokenBackendError
from xent_conformance.loading.imported import Narrowing
from xent_conformance.records.status import Status
from xent_conformance.session import Request, Session

LOSS = """
import os
import threading
import time

import numpy as np

lock = threading.Lock()


def loss(logits, target, weight=None, reduction="mean", label_smoothing=0.0):
    before(logits, target, weight, reduction, label_smoothing)
    if target.dtype != np.int64 or logits.ndim != 2:
        raise TypeError("labels must be int64")
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    weights = np.ones(logits.shape[1], logits.dtype) if weight is None else weight
    counted = target != -100
    labels = np.where(counted, target, 0)
    hard = -log_probs[np.arange(len(labels)), labels] * weights[labels]
    soft = -(log_probs * weights).mean(axis=1)
    rows = np.where(counted, (1 - label_smoothing) * hard + label_smoothing * soft, 0).astype(logits.dtype)
    if reduction == "none":
        return rows
    total = rows.sum()
    return total if reduction == "sum" else total / (weights[labels] * counted).sum()


def before(logits, target, weight, reduction, label_smoothing):
    {before}
"""


@pytest.fixture
def callable_that(tmp_path):
    """Write a loss that does something first; gives its specification."""

    def write(before):
        path = tmp_path / "losses.py"
        path.write_text(LOSS.replace("{before}", before), "utf-8")
        return f"numpy:{path}:loss"

    return write


def opened(spec, **limits):
    """The claims of a callable, and the numbers of the trial calls that were left out."""
    executor = IsolatedExecutor(spec, Narrowing(("float32",)), Limits(**limits))
    claims = executor.open().capabilities
    left_out = executor._trial.left_out
    executor.close()
    return claims, left_out


def test_a_callable_that_survives_its_trial_is_tried_once(callable_that):
    claims, left_out = opened(callable_that("pass"))
    assert left_out == set()
    assert claims.weight
    assert claims.target_dtypes == ("int64",)


@pytest.mark.parametrize(
    ("before", "claim"),
    [
        ("if weight is not None: os.abort()", "weight"),
        ("if label_smoothing: time.sleep(3600)", "label_smoothing"),
        ("if weight is not None: os._exit(0)", "weight"),
    ],
)
def test_an_option_whose_trial_ends_the_process_is_claimed(callable_that, before, claim):
    spec = callable_that(before)
    claims, left_out = opened(spec, call=1.0)
    assert left_out
    assert getattr(claims, claim)
    plain, _ = opened(callable_that("pass"))
    assert claims.left_out == plain.left_out
    assert claims.target_dtypes == plain.target_dtypes


@pytest.mark.parametrize(
    ("before", "warned"),
    [("if label_smoothing: time.sleep(3600)", True), ("if label_smoothing: os.abort()", False), ("pass", False)],
)
def test_only_calls_that_hang_are_a_warning_which_all_processes_of_the_run_get(callable_that, before, warned):
    spec, limits = callable_that(before), Limits(call=1.0)
    executor = IsolatedExecutor(spec, Narrowing(("float32",)), limits)
    executor.open()
    assert executor._times.is_warned is warned
    other = IsolatedExecutor(spec, Narrowing(("float32",)), limits, executor.handed_over())
    assert other._times.is_warned is warned
    for each in (executor, other):
        each.close()


def test_its_crash_is_a_failure_of_the_run(callable_that):
    spec = callable_that("if weight is not None: os.abort()")
    only = ("accuracy.loss", "weights.loss", "purity.first-call")
    session = Session.open(Request((spec,), profile="quick", dtypes=("float32",), only=only))
    lines = {line.requirement: line for group in session.groups() for line in session.judged(group)}
    session.close()
    assert lines["weights.loss"].status == Status.CRASH
    assert "SIGABRT" in lines["weights.loss"].failures[0].message
    assert lines["purity.first-call"].status == Status.PASS


def test_the_call_that_leaves_a_lock_is_left_out_and_not_those_that_wait_for_it(callable_that):
    """Everything after a call with weights hangs: what the calls after it show of other claims must not be lost."""
    claims, left_out = opened(
        callable_that("lock.acquire()\n    if weight is None: lock.release()"),
        call=1.0,
    )
    plain, _ = opened(callable_that("pass"))
    assert claims.weight
    assert claims.target_dtypes == plain.target_dtypes
    assert claims.unbatched == plain.unbatched is False
    # A call with weights, and not the one after it.
    assert min(left_out) + 1 not in left_out


def test_calls_one_after_another_that_end_the_process_are_all_left_out(callable_that):
    """The call before the first two is suspected, in vain, and made again."""
    claims, left_out = opened(callable_that("if target.dtype.kind in 'iu' and target.dtype != np.int64: os.abort()"))
    assert len(left_out) >= 3
    assert set(claims.target_dtypes) > {"int64"}
    assert claims.weight
    assert claims.unbatched is False


def test_a_callable_that_always_ends_its_process_cannot_be_loaded(callable_that):
    with pytest.raises(BrokenBackendError, match="13 trial calls ended its process, the last of which died of SIGABRT"):
        opened(callable_that("os.abort()"))


def test_so_many_calls_that_end_the_process_are_tolerated_only_where_another_returns(callable_that, monkeypatch):
    only_int64 = callable_that("if target.dtype != np.int64 or weight is not None: os.abort()")
    monkeypatch.setattr(trial, "MOST", 4)
    with pytest.raises(BrokenBackendError, match="5 trial calls ended its process"):
        opened(only_int64)
    monkeypatch.setattr(trial, "MOST", 60)
    monkeypatch.setattr(trial, "MOST_IN_VAIN", 0)
    assert opened(only_int64)[0].target_dtypes


def test_no_other_process_is_started_when_the_time_for_loading_is_over(callable_that):
    with pytest.raises(BrokenBackendError, match="did not return within"):
        opened(callable_that("time.sleep(3600)"), call=1.0, load=2.0)


def test_calls_are_counted_and_announced_only_while_somebody_waits():
    announced = []
    assert may_attempt()
    with watched(announced.append, {2}):
        assert [may_attempt() for _ in range(3)] == [True, False, True]
    assert may_attempt()
    assert announced == [1, 3]
