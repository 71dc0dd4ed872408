"""Ignored rows: neither their targets nor their logits affect a result."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, IGNORING, NON_FINITE_LOGITS
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.streams import IGNORED

_REFERENCES = [
    "https://github.com/pytorch/pytorch/issues/11551",
    "https://github.com/pytorch/pytorch/pull/192685",
]


@requirement(
    "ignore_index.content-is-irrelevant-to-loss",
    "content of ignored rows does not affect the loss",
    needs=[IGNORING, NON_FINITE_LOGITS],
    source=IGNORED,
    references=_REFERENCES,
)
def test_content_of_ignored_rows_does_not_reach_the_loss(trial: Trial) -> Iterator[Finding]:
    """nan, infinities and masked classes in ignored rows do not change the loss."""
    if not trial.problem.ignored().any():
        return
    yield loss_finding(trial)


@requirement(
    "ignore_index.content-is-irrelevant-to-gradient",
    "content of ignored rows does not affect the gradient",
    needs=[IGNORING, NON_FINITE_LOGITS, GRADIENT],
    source=IGNORED,
    references=_REFERENCES,
)
def test_content_of_ignored_rows_does_not_reach_the_gradient(trial: Trial) -> Iterator[Finding]:
    """With nan, infinities and masked classes in ignored rows every gradient is finite, and theirs exactly zero."""
    if not trial.problem.ignored().any():
        return
    yield gradient_finding(trial)
