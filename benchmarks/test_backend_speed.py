"""Value and gradient of each backend by number of classes, in one process and one thread.

``xent report RECORD --speed FILE`` shows what ``--benchmark-json=FILE`` writes.
"""

import numpy as np
import pytest

from xent_conformance.calling.calls import Caller
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.loading.loader import load
from xent_conformance.problem import Problem

QUANTITIES = {"cross_entropy": "loss", "vjp": "loss and gradient"}
SHAPES = {"10 classes": (64, 10), "1000 classes": (64, 1000), "32000 classes": (8, 32000)}


@pytest.fixture(params=["numpy", "torch", "jax"])
def caller(request):
    try:
        return Caller(LocalExecutor(load(request.param)[0]))
    except BackendUnavailableError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("method", ["cross_entropy", "vjp"])
def test_speed(benchmark, caller, size, method):
    rng = np.random.default_rng(0)
    rows, classes = SHAPES[size]
    logits = rng.normal(size=(rows, classes)).astype(np.float32)
    problem = Problem(logits, rng.integers(0, classes, rows), cotangent=np.array(1.0, np.float32))
    benchmark.group = f"{method}, {size}"
    benchmark.extra_info |= {"backend": caller.executor.backend.name, "quantity": QUANTITIES[method]}
    benchmark.extra_info |= {"dtype": logits.dtype.name, "rows": rows, "classes": classes}
    outcome = benchmark(getattr(caller, method), problem)
    assert outcome.trouble is None
