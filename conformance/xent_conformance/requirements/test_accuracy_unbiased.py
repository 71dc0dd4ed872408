"""The mean of many signed errors, which reveals faults that are within the bound of every single loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.bounds.mean_error import mean_loss_error
from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import Subject, so_many
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import loss_finding
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import ROWS, problem_of
from xent_conformance.strategies.sources import listed

#: Rows and classes: with this many rows the bound of the mean is at least ten times tighter than that of one loss.
SHAPES = ((1024, 300), (400, 1000), (128, 3000))
#: The probability of a false alarm in a run, and the number of problems that it is divided among.
CHANCE, PROBLEMS = 1e-9, 32
#: Fewest rows and classes: below them the bound of a single loss is as tight as that of the mean.
FEWEST = (100, 257)


@listed("rows of random logits")
def random_rows(subject: Subject) -> Iterable[Problem]:
    """Many different rows of normal logits."""
    claims = subject.capabilities
    for rows, classes in SHAPES[1:2] if claims.static_shapes else SHAPES:
        rng, most = np.random.default_rng((rows, classes)), subject.claimed_rows(rows)
        logits = rng.normal(size=(most, classes)) * (1 + rng.random((most, 1)))
        yield problem_of(subject, rounded(logits, subject.dtype), rng.integers(0, classes, most))


@requirement(
    "accuracy.unbiased",
    "errors of the loss that cancel over many rows",
    level=Level.SHOULD,
    source=random_rows,
    needs=[ROWS, so_many(FEWEST[0])],
    references=["https://doi.org/10.1137/18M1226312"],
    reducible=False,
    cheaper=lambda trial: [loss_finding(trial)],
)
def test_errors_of_the_loss_cancel_over_many_rows(trial: Trial) -> Iterator[Finding]:
    """Over many rows of 257 to 4096 random logits, the mean signed error of the loss is within the bound for errors of
    exp and log that all have the same sign, and roundings to nearest that cancel. A correct implementation fails this
    in one run of 10^9.
    """
    problem = trial.problem
    plain = problem.reduction == "none" and not (problem.has_probabilities or problem.label_smoothing)
    if not plain or problem.weight is not None or problem.rows < FEWEST[0] or problem.classes < FEWEST[1]:
        return
    exact = trial.answer.loss
    error = -exact.minus(trial.loss()).mean()
    yield trial.compare(
        "mean error of the loss",
        np.asarray(error),
        Exact(np.zeros(())),
        mean_loss_error(trial.bounds, CHANCE / PROBLEMS),
        result="loss",
        reading=f"({{}}.mean() - {float(exact.value.mean())!r})",
    )
