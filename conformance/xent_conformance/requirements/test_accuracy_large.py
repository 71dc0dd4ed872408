"""Losses of millions of logits, for which kernels split their work differently than for fewer."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.calling.calls import forward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.checks import loss_finding
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
    "accuracy.large-call",
    "the losses of millions of logits",
    source=large_batches,
    needs=[FREE_SHAPES, NARROW, so_many(FEWEST), MANY_CLASSES, ROWS],
    references=["https://github.com/PaddlePaddle/Paddle/pull/74061"],
    reducible=False,
    cheaper=lambda trial: [loss_finding(trial)],
)
def test_each_row_of_a_large_call_has_its_loss(trial: Trial) -> Iterator[Finding]:
    """In one call of 4101 rows and 1031 classes each row, ignored or not, has its own loss; with float32, or the first
    dtype without it, also in one of 16411 rows: more than 2^24 logits.
    """
    batch, exact, bounds = repeated(trial.problem), trial.answer.loss, trial.bounds
    loss, call = trial.related(batch).loss(), forward(batch)
    yield worst_compared(trial, batch, "loss", loss, exact, bounds.loss, call=call, **bounds.loss_excuses)
