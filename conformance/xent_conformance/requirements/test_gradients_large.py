"""Gradients of millions of elements, for which kernels split their work differently than for fewer."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.agreement import effect_of
from xent_conformance.requirements.checks import gradient_finding
from xent_conformance.requirements.large_batches import (
    FEWEST,
    MANY_CLASSES,
    NARROW,
    large_batches,
    repeated,
    worst_compared,
)
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import FREE_SHAPES, ROWS


@requirement(
    "gradients.large-call",
    "a gradient of millions of elements",
    source=large_batches,
    needs=[FREE_SHAPES, GRADIENT, NARROW, so_many(FEWEST), MANY_CLASSES, ROWS],
    references=[
        "https://github.com/pytorch/pytorch/issues/190139",
        "https://github.com/PaddlePaddle/Paddle/pull/73533",
    ],
    reducible=False,
    cheaper=lambda trial: [gradient_finding(trial)],
)
def test_each_element_of_a_large_gradient_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """In one call of 4101 rows and 1031 classes each row, ignored or not, gets its own gradient;
    with float32, or the first dtype without it, also in one of 16411 rows: more than 2^24 elements.
    """
    batch = repeated(trial.problem)
    gradient = trial.related(batch).gradient_as_returned("grad_logits")
    assert gradient is not None
    exact, bound, effect = trial.answer.grad_logits, trial.bounds.grad_logits, effect_of(trial.answer.grad_logits.value)
    yield worst_compared(trial, batch, "grad_logits", gradient, exact, bound, effect=effect, call=backward(batch))
