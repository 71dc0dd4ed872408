"""A backend is judged with labels of a dtype that it claims."""

from __future__ import annotations

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.interface import Capabilities
from xent_conformance.judging.subject import Subject, distributions, labelled
from xent_conformance.problem import Problem

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


def test_targets_are_scaled_to_distributions():
    logits = np.array([[1.0, -np.inf, 2.0], [0.0, 0.0, 1.0]], np.float32)
    shares = np.array([[1.0, 0.0, 3.0], [0.0, 0.0, 0.0]], np.float32)
    assert distributions(Problem(logits, shares)).target.tolist() == [[0.25, 0.0, 0.75], [0.0, 0.0, 1.0]]
    spatial = distributions(Problem(logits.T[None], shares.T[None]))
    assert spatial.target[0].T.tolist() == [[0.25, 0.0, 0.75], [0.0, 0.0, 1.0]]
    unbatched = distributions(Problem(logits[0], shares[0]))
    assert unbatched.target.tolist() == [0.25, 0.0, 0.75]


def test_distributions_and_labels_stay_as_they_are():
    assert distributions(PROBLEM) is PROBLEM
    even = Problem(np.zeros((1, 3), np.float32), np.full((1, 3), 1 / 3, np.float32))
    assert distributions(even) is even


@pytest.mark.parametrize(
    ("claims", "taken"),
    [
        ({"min_classes": 5}, False),
        ({"min_classes": 4}, True),
        ({"max_classes": 3}, False),
        ({"max_classes": 4}, True),
        ({"max_rows": 2}, False),
        ({"max_rows": 3}, True),
        ({"label_smoothing": True, "max_label_smoothing": 0.5}, False),
        ({"label_smoothing": True, "max_label_smoothing": 0.75}, True),
    ],
)
def test_a_problem_with_more_or_less_than_is_claimed_is_not_drawn(claims, taken):
    subject = Subject.of(NumpyBackend(capabilities=Capabilities(**claims)), "float32")
    problem = PROBLEM.with_(label_smoothing=0.75 if "label_smoothing" in claims else 0.0)
    assert (subject.within_claims(problem) is not None) == taken


@pytest.mark.parametrize(("least", "claimed", "taken"), [(-0.5, True, True), (-0.5, False, False), (0.0, False, True)])
def test_a_problem_with_negative_class_weights_is_drawn_where_they_are_claimed(least, claimed, taken):
    claims = Capabilities(weight=True, negative_weights=claimed)
    subject = Subject.of(NumpyBackend(capabilities=claims), "float32")
    weight = np.array([1.0, least, *[2.0] * (PROBLEM.classes - 2)], np.float32)
    assert (subject.within_claims(PROBLEM.with_(weight=weight)) is not None) == taken


def test_invalid_calls_do_not_depend_on_claims():
    """No class, and smoothing above 1, must be rejected by all."""
    plain = Capabilities(label_smoothing=True, max_label_smoothing=0.5, min_classes=2)
    subject = Subject.of(NumpyBackend(capabilities=plain), "float32")
    assert subject.within_claims(PROBLEM.with_(label_smoothing=1.5)) is not None
    assert subject.within_claims(PROBLEM.with_(logits=np.zeros((3, 0), np.float32))) is not None
