"""Class weights where their sum is zero: the mean divides by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.judge import Finding, broken, held
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.streams import Stream
from xent_conformance.subject import WEIGHT, Need
from xent_conformance.trial import Trial

ZERO_WEIGHTS = Stream(
    "zero weights",
    fixed={"weight": "all zero", "reduction": "mean"},
    only={"target": {"index": ["random", "first", "last"]}},
    budget=0.1,
)
MEAN = Need("the mean reduction", lambda s: "mean" in s.capabilities.reductions)
DIVIDES_BY_WEIGHT = Need(
    "a mean that divides by the targets' weights",
    lambda s: s.conventions.mean_divisor == "target_weight",
)


def _rows_left(problem: Problem) -> Iterable[Problem]:
    if problem.reduction == "mean" and not problem.ignored().all():
        yield problem


@requirement(
    "weights.total-weight-zero",
    "mean with a total weight of zero",
    needs=[WEIGHT, MEAN, DIVIDES_BY_WEIGHT],
    source=ZERO_WEIGHTS,
    derive=_rows_left,
    references=["https://github.com/pytorch/pytorch/issues/70348"],
)
def test_mean_with_total_weight_zero_follows_the_convention(trial: Trial) -> Iterator[Finding]:
    """With rows left whose weights sum to zero the mean is not a finite number (0/0), or 0 where that is the declared
    convention.
    """
    loss = float(trial.loss())
    convention = trial.subject.conventions.zero_weight_loss
    right = loss == 0 if convention == "zero" else not np.isfinite(loss)
    if right:
        yield held("loss")
    else:
        message = f"the mean of rows whose weights sum to 0 is {loss!r}, expected {convention}"
        yield broken("loss", message, got=loss, expected=convention)
