"""Value and gradient of each backend by number of classes, in one process and one thread.

``xent report RECORD --speed FILE`` shows what ``--benchmark-json=FILE`` writes.
"""

import numpy as np
import pytest

from xent_conformance.calling.calls import Caller, backward, forward
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.loading.loader import load
from xent_conformance.problem import Problem

QUANTITIES = {"cross_entropy": "loss", "cross_entropy_vjp": "loss and gradient"}
SHAPES = {"10 classes": (64, 10), "1000 classes": (64, 1000), "32000 classes": (8, 32000)}


@pytest.fixture(params=["numpy", "torch", "jax"])
def caller(request):
    try:
        return Caller(LocalExecutor(load(request.param)[0]))
    except BackendUnavailableError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("call", [forward, backward], ids=["cross_entropy", "vjp"])
def test_speed(benchmark, caller, size, call):
    rng = np.random.default_rng(0)
    rows, classes = SHAPES[size]
    logits = rng.normal(size=(rows, classes)).astype(np.float32)
    problem = Problem(logits, rng.integers(0, classes, rows), cotangent=np.array(1.0, np.float32))
    invocation = call(problem)
    benchmark.group = f"{invocation.method}, {size}"
    benchmark.extra_info |= {"backend": caller.executor.backend.name, "quantity": QUANTITIES[invocation.method]}
    benchmark.extra_info |= {"dtype": logits.dtype.name, "rows": rows, "classes": classes}
    outcome = benchmark(caller.perform, invocation)
    assert outcome.trouble is None
