"""Questions that no documentation answers: how each backend treats unusual probability targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import forward
from xent_conformance.judging.findings import Finding, Held
from xent_conformance.judging.subject import PROBABILITY_TARGETS, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import loss_finding, phrases
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import CHOSEN_SENTINEL, problem_of
from xent_conformance.strategies.sources import listed

LOGITS = ((1.0, -2.0, 0.5), (0.0, 3.0, -1.0))
#: Targets (rows, C) that are no distributions though their rows sum to 1.
OUTSIDE = {
    "a probability below 0": ((-0.5, 1.25, 0.25), (0.5, 0.25, 0.25)),
    "a probability above 1": ((2.0, -0.5, -0.5), (0.5, 0.25, 0.25)),
}


@listed("with a sentinel")
def with_a_sentinel(subject: Subject) -> Iterable[Problem]:
    """Probability targets with an ignore_index that is a class, and one that is none."""
    shares = np.array([[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]])
    for sentinel in (0, 2, -1):
        yield problem_of(subject, LOGITS, shares, subject.capabilities.reductions[0], ignore_index=sentinel)


@requirement(
    "conventions.soft-ignore-index",
    "ignore_index beside probability targets",
    level=Level.OBSERVED,
    source=with_a_sentinel,
    needs=[PROBABILITY_TARGETS, CHOSEN_SENTINEL],
    observe=phrases,
    references=[
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html",
        "https://github.com/PaddlePaddle/Paddle/pull/13217",
        "https://github.com/apache/mxnet/pull/6199",
    ],
)
def test_ignore_index_beside_probability_targets(trial: Trial) -> Iterator[Finding]:
    """With probability targets, ignore_index may be rejected, have no effect, or exclude a class or rows; the report
    shows which.
    """
    problem = trial.problem
    if problem.has_probabilities and problem.ignore_index is not None:
        yield Held(quantity=f"ignore_index={problem.ignore_index}: {_effect(trial, 'no effect')}")


@listed("outside the unit interval")
def outside_the_unit_interval(subject: Subject) -> Iterable[Problem]:
    """Targets with a negative probability, and with one above 1."""
    for shares in OUTSIDE.values():
        yield problem_of(subject, LOGITS, np.array(shares), subject.capabilities.reductions[0])


@requirement(
    "conventions.improper-probabilities",
    "probabilities below 0 or above 1",
    level=Level.OBSERVED,
    source=outside_the_unit_interval,
    needs=[PROBABILITY_TARGETS],
    observe=phrases,
    references=[
        "https://github.com/pytorch/pytorch/issues/134771",
        "https://github.com/pytorch/pytorch/issues/152437",
        "https://github.com/tensorflow/tensorflow/issues/46672",
    ],
)
def test_probabilities_outside_the_unit_interval(trial: Trial) -> Iterator[Finding]:
    """Targets below 0 or above 1 may be rejected, used unchanged, or changed; the report shows which."""
    shares = trial.problem.target.astype(np.float64)
    names = (name for name, values in OUTSIDE.items() if np.array_equal(shares, values))
    name = next(names, None)
    if name is not None:
        yield Held(quantity=f"{name}: {_effect(trial, 'used as it is')}")


def _effect(trial: Trial, none: str) -> str:
    """The effect on a call: rejected, ``none`` if the loss is that of the formula, or else its value."""
    outcome = trial.outcome(forward(trial.problem))
    if outcome.raised is not None:
        return "rejected"
    if outcome.trouble is not None:
        return outcome.trouble
    finding = loss_finding(trial)
    return finding.message if finding.failed else none
