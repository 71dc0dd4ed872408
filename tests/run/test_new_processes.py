"""What a new process of a backend does before its first call: as little as it can, since a failure costs many."""

import numpy as np
import pytest

from xent_conformance.calling.calls import forward
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.loader import Narrowing
from xent_conformance.problem import Problem

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
