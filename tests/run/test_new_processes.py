"""What a new process of a backend does before its first call: as little as it can, since a failure costs many."""

import numpy as np
import pytest

from xent_conformance.calling.calls import forward
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.judging.judge import findings
from xent_conformance.judging.smoke import first_call, plain_problems
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.loading.imported import Narrowing
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load

CALL = forward(Problem(np.array([[1.0, 0.0, 3.0]], dtype=np.float32), np.array([2]), reduction="none"))

#: Notes each of its calls in a file. ``takes_labels`` as ``F.cross_entropy`` does, ``takes_shares`` distributions only.
MODULE = """
import numpy as np

def note():
    with open({path!r}, "a") as file:
        file.write("call\\n")

def losses(logits, shares):
    shifted = logits - logits.max(1, keepdims=True)
    return -(shares * (shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))).sum(1)

def takes_labels(logits, target, reduction="mean"):
    note()
    each = losses(logits, np.eye(logits.shape[1], dtype=logits.dtype)[target])
    return each if reduction == "none" else np.asarray(getattr(each, reduction)())

def takes_shares(logits, shares):
    note()
    if shares.shape != logits.shape:
        raise ValueError("shares must have the shape of the logits")
    return losses(logits, shares)
"""

#: Wrong in the first call of its process alone.
STARTING = """
import noting

calls = 0

def loss(logits, target, reduction="mean"):
    global calls
    calls += 1
    right = noting.takes_labels(logits, target, reduction)
    return right + (calls == 1)
"""


@pytest.mark.parametrize("name", ["takes_labels", "takes_shares"])
def test_a_callable_is_tried_in_the_first_process_only(tmp_path, monkeypatch, name):
    """Its claims are the same in all others, where its first call is the first that is asked for."""
    path = tmp_path / "calls"
    (tmp_path / "noting.py").write_text(MODULE.format(path=str(path)), "utf-8")
    monkeypatch.chdir(tmp_path)
    executor = IsolatedExecutor(f"numpy:noting.{name}", Narrowing(), Limits())
    try:
        claims = executor.open().capabilities
        tries = len(path.read_text("ascii").splitlines())
        assert tries > 5
        first = executor.perform(CALL)
        assert first.trouble is None
        path.unlink()
        executor.renewed()
        assert executor.open().capabilities == claims
        assert not path.exists()
        again = executor.perform(CALL)
        np.testing.assert_array_equal(again.arrays["loss"], first.arrays["loss"])
        assert len(path.read_text("ascii").splitlines()) == 1
    finally:
        executor.close()


def test_a_first_call_that_is_wrong_is_seen_though_the_callable_was_tried_before(tmp_path, monkeypatch):
    (tmp_path / "noting.py").write_text(MODULE.format(path=str(tmp_path / "calls")), "utf-8")
    (tmp_path / "starting.py").write_text(STARTING, "utf-8")
    monkeypatch.chdir(tmp_path)
    executor = IsolatedExecutor("numpy:starting.loss", Narrowing(), Limits())
    try:
        subject = Subject(executor.open(), executor, "float32")
        first_call(subject.description, executor)
        problem = next(iter(plain_problems(subject.capabilities)))
        (found,) = findings(load()["purity.first-call"], Trial(subject, problem))
        assert found.failed
        assert found.message.startswith("loss[0] is ")
    finally:
        executor.close()
