"""What an adapter makes of the arrays that it is given."""

from __future__ import annotations

import numpy as np
import pytest

from xent_conformance.calling.calls import forward
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.interface import Capabilities
from xent_conformance.problem import Problem


class Contiguous:
    name = "contiguous"
    capabilities = Capabilities(unbatched=True)

    def asarray(self, array):
        return np.ascontiguousarray(array)

    def asnumpy(self, array):
        return array

    def cross_entropy(self, logits, target, reduction="mean"):
        return np.zeros((), np.float32)


@pytest.mark.parametrize(("logits", "target", "trouble"), [((2, 3), (2,), None), ((3,), (), "of target with shape ()")])
def test_a_scalar_that_becomes_a_row_is_named(logits, target, trouble):
    problem = Problem(np.zeros(logits, np.float32), np.zeros(target, np.int64), reduction="sum")
    found = LocalExecutor(Contiguous()).perform(forward(problem)).trouble
    assert found is None if trouble is None else trouble in found and "ascontiguousarray" in found
