"""Ignored rows: neither their targets nor their logits affect a result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, IGNORING, NLL_LOSS, NON_FINITE_LOGITS
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import gradient_finding, loss_finding, nll_finding
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


def _of_nll_loss(problem: Problem) -> Iterable[Problem]:
    """nll_loss has no smoothing and no probability targets."""
    if not problem.has_probabilities:
        yield problem.with_(label_smoothing=0.0)


@requirement(
    "ignore_index.content-is-irrelevant-to-nll",
    "content of ignored rows does not affect nll_loss",
    needs=[IGNORING, NON_FINITE_LOGITS, NLL_LOSS],
    source=IGNORED,
    derive=_of_nll_loss,
    references=_REFERENCES,
)
def test_content_of_ignored_rows_does_not_reach_nll_loss(trial: Trial) -> Iterator[Finding]:
    """Log-probabilities of nan and -inf in ignored rows do not change nll_loss."""
    if not trial.problem.ignored().any():
        return
    yield nll_finding(trial)
