"""Which names of a dtype count where an error must name the one that it rejects."""

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.interface import Capabilities
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load


class Narrowed(NumpyBackend):
    """Makes 32-bit arrays of 64-bit ones before its call sees them, as JAX does without jax_enable_x64."""

    name = "narrowed"

    def cross_entropy(self, logits, target, **options):
        narrow = {"int64": "int32", "uint64": "uint32", "uint16": "uint8"}
        raise TypeError(f"logits are {narrow.get(logits.dtype.name, logits.dtype.name)}")


@pytest.mark.parametrize(
    ("dtypes", "logits", "named"),
    [
        (("float32",), "uint64", True),
        (("float32",), "int64", True),
        (("float32", "float64"), "uint64", False),
        (("float32",), "uint16", False),
    ],
)
def test_the_name_of_the_narrower_dtype_counts_where_there_are_no_64_bits(dtypes, logits, named):
    backend = Narrowed(capabilities=Capabilities(logits_dtypes=dtypes))
    problem = Problem(np.zeros((1, 2), logits), np.array([0]), reduction="sum", cotangent=np.float32(1))
    (found,) = findings(load()["dtypes.error-names-the-logits-dtype"], Trial(Subject.of(backend, "float32"), problem))
    assert found.failed == (not named)
