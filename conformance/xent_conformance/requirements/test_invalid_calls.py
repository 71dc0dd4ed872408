"""Invalid calls: a label that is no class never gives a plausible number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calls import Outcome
from xent_conformance.judge import Finding, broken, held
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import requirement
from xent_conformance.strategies.menu import SHAPES
from xent_conformance.strategies.streams import Stream
from xent_conformance.subject import GRADIENT, Need
from xent_conformance.trial import Trial

#: Index targets of moderate size in every reduction, rank and option: the wrong label is put in afterwards.
LABELLED = Stream(
    "labelled",
    only={
        "shape": {k: v for k, v in SHAPES.items() if k not in ("many classes", "many rows")},
        "target": {"random": ["random"], "extreme class": ["first", "last"]},
        "ignore": {"none": ["none"], "default": ["default"], "passed": ["outside"]},
        "regime": {"plain": ["normal", "grid"]},
    },
    budget=0.1,
)

CHECKS_LABELS = Need(
    "a way to answer invalid labels that a search survives (its convention is abort or undefined)",
    lambda s: s.conventions.invalid_label in ("error", "nan"),
)


def _with_invalid_label(problem: Problem) -> Iterable[Problem]:
    """The problem with one label just or far outside the range, in its first, middle or last row."""
    if not problem.rows or problem.has_probabilities:
        return
    classes = problem.classes
    wrong = [-1, classes, classes + 1, 2**31, 2**40, -(2**40), -classes]
    for i, label in enumerate(v for v in wrong if v != problem.ignored_label):
        target = problem.target.copy()
        flat = target.reshape(-1)
        row = (0, problem.rows // 2, problem.rows - 1)[i % 3]
        flat[row] = label
        yield problem.with_(target=flat.reshape(target.shape))


def _rejected(outcome: Outcome, label: int, classes: int, call: str) -> Finding:
    """Whether a call with a wrong label raised an error."""
    if outcome.raised is not None:
        return held("invalid label", call=call)
    got = outcome.trouble or f"returned {np.asarray(outcome.arrays['loss'], dtype=np.float64).tolist()}"
    message = f"label {label} of {classes} classes accepted by {call}: {got}"
    return broken("invalid label", message, call=call, got=got, expected="an error")


@requirement(
    "invalid_calls.labels-out-of-range",
    "labels out of range follow the convention",
    needs=[CHECKS_LABELS],
    source=LABELLED,
    derive=_with_invalid_label,
    references=[
        "https://github.com/pytorch/pytorch/issues/39769",
        "https://github.com/pytorch/pytorch/issues/49882",
        "https://github.com/tensorflow/tensorflow/issues/3739",
        "https://github.com/keras-team/keras/issues/23664",
    ],
)
def test_labels_out_of_range_follow_the_convention(trial: Trial) -> Iterator[Finding]:
    """A label outside [0, C) that is not ignore_index raises an error, or gives nan where that is the declared
    convention: never a plausible number, in any reduction or rank.
    """
    problem = trial.problem
    labels = problem.labels()
    outside = (labels < 0) | (labels >= problem.classes)
    outside &= ~problem.ignored()
    if not outside.any():
        return
    wrong = int(labels[outside][0])
    if trial.subject.conventions.invalid_label == "error":
        yield _rejected(trial.outcome("cross_entropy", problem), wrong, problem.classes, "cross_entropy")
        if GRADIENT.met_by(trial.subject):
            yield _rejected(trial.outcome("vjp", problem), wrong, problem.classes, "cross_entropy_vjp")
        return
    loss = trial.loss()
    poisoned = loss[outside] if problem.reduction == "none" else loss
    if np.isnan(poisoned).all():
        yield held("invalid label")
    else:
        got = str(poisoned.tolist())
        yield broken("invalid label", f"label {wrong} gives {got}, expected nan", got=got, expected="nan")
