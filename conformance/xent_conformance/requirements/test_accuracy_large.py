"""Losses of millions of logits, for which kernels split their work differently than for fewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xent_conformance.calling.calls import forward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.checks import loss_finding
from xent_conformance.requirements.large_batches import FEWEST, MANY_CLASSES, NARROW, batches, large_batches
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import FREE_SHAPES


@requirement(
    "accuracy.large-call",
    "the loss of millions of logits",
    source=large_batches,
    needs=[FREE_SHAPES, NARROW, so_many(FEWEST), MANY_CLASSES],
    references=["https://github.com/PaddlePaddle/Paddle/pull/74061"],
    reducible=False,
    cheaper=lambda trial: [loss_finding(trial)],
)
def test_a_large_call_has_its_loss(trial: Trial) -> Iterator[Finding]:
    """In a call of 4101 rows and 1031 classes each row, ignored or not, has its own loss, and the mean is theirs; with
    float32, or the first dtype without it, also in one of 16411 rows, and the sum: more than 2^24 logits.
    """
    for batch in batches(trial):
        loss, call = batch.trial.loss(), forward(batch.problem)
        if batch.problem.reduction == "none":
            exact, bounds = batch.first.answer.loss, batch.first
            yield batch.compare("loss", loss, exact, bounds.loss, call=call, **bounds.loss_excuses)
        else:
            bounds = batch.bounds
            found = trial.compare("loss", loss, bounds.answer.loss, bounds.loss, call=call, **bounds.loss_excuses)
            yield replace(found, problem=batch.problem)
