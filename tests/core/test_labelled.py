"""A backend is judged with labels of a dtype that it claims."""

from __future__ import annotations

import numpy as np
import pytest

from xent_conformance.interface import Capabilities
from xent_conformance.problem import Problem
from xent_conformance.subject import labelled

PROBLEM = Problem(np.zeros((3, 4), np.float32), np.array([3, 0, -100]))


@pytest.mark.parametrize(
    ("claimed", "dtype"),
    [
        (("int64",), "int64"),
        (("int32",), "int32"),
        (("int8", "int16", "uint8"), "int16"),
        (("uint32", "int32"), "int32"),
        (("int32", "int64"), "int64"),
    ],
)
def test_labels_are_int64_or_else_the_widest_claimed(claimed, dtype):
    found = labelled(PROBLEM, Capabilities(target_dtypes=claimed))
    assert found is not None
    assert found.target.dtype == dtype
    assert found.labels().tolist() == PROBLEM.labels().tolist()


def test_labels_that_no_claimed_dtype_holds_are_not_posed():
    assert labelled(PROBLEM, Capabilities(target_dtypes=("uint8",))) is None


def test_probabilities_stay_as_they_are():
    shares = Problem(np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32))
    assert labelled(shares, Capabilities(target_dtypes=("int32",))) is shares
