"""How one would write this suite first: a property for each requirement, `hnp.arrays`, a float64 oracle, `allclose`.

Frozen: it is what the suite's speed is measured against, on the same machine and in the same run. Do not improve it.
"""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

REQUIREMENTS = 8
EXAMPLES = 100


@st.composite
def calls(draw):
    rows, classes = draw(st.integers(1, 8)), draw(st.integers(2, 16))
    logits = draw(hnp.arrays(np.float32, (rows, classes), elements=st.floats(-10, 10, width=32)))
    target = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)))
    return logits, target, draw(st.sampled_from(["none", "sum", "mean"]))


def oracle(logits, target, reduction):
    x = logits.astype(np.float64)
    m = x.max(axis=1, keepdims=True)
    log_p = x - m - np.log(np.exp(x - m).sum(axis=1, keepdims=True))
    rows = -log_p[np.arange(len(x)), target]
    return {"none": rows, "sum": rows.sum(), "mean": rows.mean()}[reduction]


def run(backend):
    """Row-verdicts: rows judged, summed over all properties."""
    judged = [0]
    for number in range(REQUIREMENTS):

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(calls())
        def prop(call):
            logits, target, reduction = call
            got = backend.cross_entropy(logits, target, reduction=reduction)
            assert np.allclose(got, oracle(logits, target, reduction), rtol=1e-5, atol=1e-6)
            judged[0] += len(logits)

        prop()
    return judged[0]
