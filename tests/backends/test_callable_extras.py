"""Options of language models among the parameters of a callable: by which names they are known, and what is tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xent_backends import numpy_cross_entropy
from xent_backends.numpy_backend import from_callable
from xent_conformance.judging.judge import fails
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import EXTRAS, Problem
from xent_conformance.requirements.registry import load

right = numpy_cross_entropy.cross_entropy


def named(logits: Any, target: Any, num_items_in_batch: Any = None, z_loss: float = 0.0, logit_softcapping: float = 0):
    """A mean with options under the names that libraries have for them."""
    extras = {"divisor": num_items_in_batch, "lse_square_scale": z_loss, "softcap": logit_softcapping or None}
    return right(logits, target, **extras)


def test_the_suites_own_names_are_claimed() -> None:
    claims = from_callable(right, spec="numpy:losses.f").capabilities
    assert all(getattr(claims, name) for name in EXTRAS)


def test_names_of_libraries_are_claimed_and_passed() -> None:
    backend = from_callable(named, spec="numpy:losses.named")
    claims = backend.capabilities
    assert (claims.divisor, claims.lse_square_scale, claims.softcap, claims.logit_scale) == (True, True, True, False)
    logits, target = np.array([[1.0, 3.0, -2.0]]), np.array([0])
    options = {"divisor": 4.0, "lse_square_scale": 0.5, "softcap": 2.0}
    assert backend.cross_entropy(logits, target, reduction="mean", **options) == right(logits, target, **options)
    setup, expression = backend.setup, backend.expression
    assert expression == "plugged"
    assert "{'divisor': 'num_items_in_batch', 'lse_square_scale': 'z_loss', 'softcap': 'logit_softcapping'}" in setup


def test_a_wrong_one_is_judged() -> None:
    def forgets(logits: Any, target: Any, softcap: float | None = None) -> Any:
        """Clamps."""
        return right(logits if softcap is None else np.clip(logits, -softcap, softcap), target)

    requirement = load()["language_model.softcap"]
    problem = Problem(np.array([[1.0, 3.0, -2.0]]), np.array([0]), softcap=2.0)
    for function, wrong in ((forgets, True), (named, False)):
        subject = Subject.of(from_callable(function, spec="numpy:losses.f"), "float64")
        assert requirement.not_applicable(subject) is None
        assert fails(requirement, Trial(subject, problem)) is wrong


@pytest.mark.parametrize("default", [30.0, True, "off"])
def test_a_default_that_does_something_is_no_such_option(default: Any) -> None:
    def capped(logits: Any, target: Any, softcap: Any = default) -> Any:
        return right(logits, target)

    assert not from_callable(capped, spec="numpy:losses.f").capabilities.softcap


def test_what_changes_nothing_and_what_is_refused_is_left_out() -> None:
    def idle(logits: Any, target: Any, softcap: Any = None, n_items: Any = None, logit_scale: float = 1.0) -> Any:
        if n_items is not None:
            raise NotImplementedError("n_items")
        if logit_scale != 1:
            raise ValueError("logit_scale")
        return right(logits, target)

    claims = from_callable(idle, spec="numpy:losses.f").capabilities
    assert not any(getattr(claims, name) for name in EXTRAS)
    reasons = dict(claims.left_out)
    assert reasons["softcap"] == "passing it changed nothing"
    assert reasons["divisor"] == "it raised NotImplementedError: n_items"
    assert reasons["logit_scale"] == "it raised ValueError: logit_scale"


def test_what_only_other_keywords_take_is_not_tried() -> None:
    def anything(logits: Any, target: Any, **options: Any) -> Any:
        return right(logits, target, **options)

    claims = from_callable(anything, spec="numpy:losses.f").capabilities
    assert claims.label_smoothing
    assert not any(getattr(claims, name) for name in EXTRAS)
    assert not set(EXTRAS) & set(dict(claims.left_out))
