"""A fused linear map whose logits do not fit the dtype of its inputs: loss and gradients must be of the same logits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import FUSED_LINEAR, HALF, LINEAR_GRADIENT, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.precision import RECOMMENDED, Precision
from xent_conformance.problem import Problem
from xent_conformance.requirements.factors import rounding_factors
from xent_conformance.requirements.linear_products import gradients_beside_exact, loss_beside_exact
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.sources import listed

#: Logits beyond the number that all have in common. Where they are rounded, 1 is 0 and 5 is 4.
ROWS = ((1, 0, 0, 0), (0, 1, 1, 5), (5, 4, 1, 0), (4, 5, 5, 4), (0, 0, 1, 1))
_REFERENCES = [
    "https://github.com/marin-community/marin/pull/8217",
    "https://github.com/apple/ml-cross-entropy/issues/14",
]


@listed("long logits")
def long_logits(subject: Subject) -> Iterator[Problem]:
    """A few rows in every reduction, also smoothed and with an ignored row where these are claimed."""
    claims, labels = subject.capabilities, np.array([0, 3, 2, 1, 2])
    for reduction in claims.reductions:
        yield problem_of(subject, ROWS, labels, reduction)
        if claims.label_smoothing:
            yield problem_of(subject, ROWS, labels, reduction, label_smoothing=min(0.25, claims.max_label_smoothing))
        if claims.default_ignore_index is not None:
            yield problem_of(subject, ROWS, np.where(labels == 1, claims.default_ignore_index, labels), reduction)


@requirement(
    "fused_linear.same-logits",
    "loss and gradients of the same logits",
    source=long_logits,
    needs=[FUSED_LINEAR, LINEAR_GRADIENT, HALF],
    references=_REFERENCES,
)
def test_loss_and_gradients_are_of_the_same_logits(trial: Trial) -> Iterator[Finding]:
    """Where hidden @ weight.T does not fit the dtype of the inputs, loss and gradients are within the bounds for the
    same logits: those rounded to that dtype, or those in float32. A backward that recomputes them in the other format
    returns the gradient of another loss.
    """
    yield from same_logits(trial, trial.subject.precision)


@requirement(
    "fused_linear.same-logits-in-float32",
    "loss and gradients of the same logits, computed from them in float32",
    level=Level.SHOULD,
    source=long_logits,
    needs=[FUSED_LINEAR, LINEAR_GRADIENT, HALF],
    references=_REFERENCES,
)
def test_loss_and_gradients_are_computed_in_float32_of_the_same_logits(trial: Trial) -> Iterator[Finding]:
    """Where hidden @ weight.T does not fit the dtype of the inputs, loss and gradients are as accurate as float32
    arithmetic makes them for the same logits, rounded or not, whatever precision is declared.
    """
    if not any(finding.failed for finding in same_logits(trial, trial.subject.precision)):
        yield from same_logits(trial, RECOMMENDED)


def same_logits(trial: Trial, precision: Precision) -> list[Finding]:
    """Loss and gradients compared with those of the rounded or the float32 logits: of these, the loss decides."""
    made = rounding_factors(trial.problem)
    if made is None:
        return []
    factors, *alternatives = made
    if not np.isfinite(trial.answer.grad_logits.value).all():
        return []
    got = trial.linear_gradients(factors)
    found: list[list[Finding]] = []
    for problem in alternatives:
        bounds = trial.related(problem).bounds_under(precision)
        of_loss = loss_beside_exact(trial, factors, bounds)
        found.append([of_loss, *gradients_beside_exact(trial, factors, got, bounds)])
    passing = (one for one in found if not any(finding.failed for finding in one))
    return next(passing, min(found, key=lambda one: one[0].ratio))
