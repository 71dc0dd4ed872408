"""Traits of a problem: each has a problem with it, a plain problem has hardly any, and an invalid call has some."""

import numpy as np
import pytest

from xent_conformance.problem_data import from_literals
from xent_conformance.problem_traits import TRAITS, traits

PLAIN = {"logits": [[0.0, 1.0], [2.0, 0.5]], "target": [0, 1], "reduction": "sum"}
SHARES = {"target": [[0.5, 0.5], [0.0, 1.0]]}
#: What gives a problem the trait.
WITH = {
    "probability-targets": SHARES,
    "smoothing": {"label_smoothing": 0.1},
    "full-smoothing": {"label_smoothing": 1.0},
    "smoothing-below-zero": {"label_smoothing": -0.1},
    "smoothing-nan": {"label_smoothing": float("nan")},
    "weight": {"weight": [1.0, 2.0]},
    "zero-weight": {"weight": [0.0, 2.0]},
    "negative-weight": {"weight": [-1.0, 2.0]},
    "ignored-rows": {"ignore_index": 1},
    "every-row-ignored": {"ignore_index": 1, "target": [1, 1]},
    "not-finite-in-ignored-row": {"ignore_index": 1, "logits": [[0.0, 1.0], [2.0, np.inf]]},
    "masked-logits": {"logits": [[0.0, -np.inf], [2.0, 1.0]]},
    "shared-logits": {"logits": {"shape": [2, 2], "value": [1.0, 0.0], "strides": [0, 1]}},
    "strided-logits": {"logits": {"shape": [2, 2], "value": 0.0, "strides": [1, 2]}},
    "large-logits": {"logits": [[0.0, 20000.0], [2.0, 1.0]]},
    "vanishing-shares": {"logits": [[0.0, 100.0], [2.0, 1.0]]},
    "large-cotangent": {"cotangent": 3e38},
    **{f"labels-{name}": {"target_dtype": name} for name in ("int8", "int16", "int32", "int64")},
    **{f"labels-u{name}": {"target_dtype": f"u{name}"} for name in ("int8", "int16", "int32", "int64")},
    **{f"weight-{name}": {"weight": [1.0, 2.0], "weight_dtype": name} for name in ("float16", "bfloat16", "float64")},
    **{f"probability-{name}": {**SHARES, "target_dtype": name} for name in ("float16", "bfloat16", "float64")},
    "unbatched": {"logits": [0.0, 1.0], "target": 0},
    "spatial": {"logits": {"shape": [1, 2, 3], "value": 0.0}, "target": [[0, 1, 1]]},
    "one-class": {"logits": [[0.0], [1.0]], "target": [0, 0]},
    "many-classes": {"logits": {"shape": [2, 65505], "value": 0.0}},
    "many-rows": {"logits": {"shape": [65505, 1], "value": 0.0}, "target": {"shape": [65505], "value": 0}},
    "empty-batch": {"logits": {"shape": [0, 2], "value": 0.0}, "target": {"shape": [0], "value": 0}},
    "divisor": {"divisor": 3.0, "reduction": "mean"},
    "z-loss": {"lse_square_scale": 0.1},
    "logit-scale": {"logit_scale": 2.0},
    "softcap": {"softcap": 5.0},
    "reduction-none": {"reduction": "none"},
    "reduction-sum": {},
    "reduction-mean": {"reduction": "mean"},
}


def of(**changes):
    return traits(from_literals({**PLAIN, **changes}, "float32", None))


@pytest.mark.parametrize("trait", WITH)
def test_a_problem_has_a_trait(trait):
    assert trait in of(**WITH[trait])


def test_every_trait_is_shown_but_those_of_the_dtype_of_the_logits():
    assert {*TRAITS} - {*WITH} == {"weight-float32", "probability-float32"}


def test_a_plain_problem_has_hardly_any():
    assert of() == {"labels-int64", "reduction-sum"}


def test_a_large_cotangent_is_one_that_overflows_when_added_for_each_class():
    assert "large-cotangent" not in of(cotangent=1.6e38)
    assert "large-cotangent" in of(cotangent=-1.8e38)
    assert "large-cotangent" not in of(cotangent=np.inf)


def test_a_gap_that_overflows_is_one_of_vanishing_shares():
    logits = [[1.7e308, -1.7e308], [0.0, 0.0]]
    assert "vanishing-shares" in traits(from_literals({**PLAIN, "logits": logits}, "float64", None))


@pytest.mark.parametrize(
    "changes",
    [
        {"reduction": "SUM", "cotangent": [1.0, 2.0]},
        {"logits": [[0, 1], [1, 0]], "logits_dtype": "int8"},
        {"target": [0]},
        {"weight": [1.0]},
    ],
    ids=str,
)
def test_a_call_that_must_be_rejected_has_traits_too(changes):
    assert of(**changes) <= {*TRAITS}
