"""Gradients of millions of elements, for which kernels split their work differently than for fewer."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.agreement import effect_of
from xent_conformance.requirements.checks import gradient_finding
from xent_conformance.requirements.large_batches import FEWEST, MANY_CLASSES, NARROW, batches, large_batches
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import FREE_SHAPES


@requirement(
    "gradients.large-call",
    "a gradient of millions of elements",
    source=large_batches,
    needs=[FREE_SHAPES, GRADIENT, NARROW, so_many(FEWEST), MANY_CLASSES],
    references=[
        "https://github.com/pytorch/pytorch/issues/190139",
        "https://github.com/PaddlePaddle/Paddle/pull/73533",
    ],
    reducible=False,
    cheaper=lambda trial: [gradient_finding(trial)],
)
def test_each_element_of_a_large_gradient_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """In a call of 4101 rows and 1031 classes each row, ignored or not, gets its own gradient, of its loss and of the
    mean; with float32, or the first dtype without it, also in one of 16411 rows, and of the sum: more than 2^24 logits.
    """
    for batch in batches(trial):
        gradient = batch.trial.gradient_as_returned("grad_logits")
        assert gradient is not None
        exact, bound, call = batch.first.answer.grad_logits, batch.first.grad_logits, backward(batch.problem)
        yield batch.compare("grad_logits", gradient, exact, bound, effect=effect_of(exact.value), call=call)
