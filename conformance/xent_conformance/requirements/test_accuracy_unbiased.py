"""The mean of many signed errors: what no single one shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.bounds.mean_error import mean_loss_error
from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import ROWS, problem_of
from xent_conformance.strategies.sources import listed

#: Rows and classes: as many rows as make the mean about ten times sharper than one of them.
SHAPES = ((1024, 300), (400, 1000), (128, 3000))
#: The chance that a run accuses a correct implementation, and on how many problems that may happen.
CHANCE, PROBLEMS = 1e-9, 32
#: Fewer rows are no mean to speak of, and of fewer classes the bound of one row is as sharp.
FEWEST = (100, 257)


@listed("rows of random logits")
def random_rows(subject: Subject) -> Iterable[Problem]:
    """Many rows of normal logits, no two alike."""
    claims = subject.capabilities
    for rows, classes in SHAPES[1:2] if claims.static_shapes else SHAPES:
        rng = np.random.default_rng((rows, classes))
        logits = rng.normal(size=(rows, classes)) * (1 + rng.random((rows, 1)))
        yield problem_of(subject, rounded(logits, subject.dtype), rng.integers(0, classes, rows))


@requirement(
    "accuracy.unbiased",
    "errors of the loss that cancel over many rows",
    level=Level.SHOULD,
    source=random_rows,
    needs=[ROWS],
    references=["https://doi.org/10.1137/18M1226312"],
    reducible=False,
)
def test_errors_of_the_loss_cancel_over_many_rows(trial: Trial) -> Iterator[Finding]:
    """Over many rows of 257 to 4096 random logits, the mean signed error of the loss is no larger than errors of exp
    and log that all have one sign, and roundings to nearest that cancel, can make it. A correct implementation fails
    this in one run of 10^9.
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
