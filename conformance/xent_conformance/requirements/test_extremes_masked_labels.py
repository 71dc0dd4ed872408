"""Labels of classes whose logit is -inf: an infinite loss, and a gradient like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, NON_FINITE_LOGITS, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import in_every_reduction, problem_of
from xent_conformance.strategies.sources import listed

#: Numbers of classes at and between the edges of blocks, and those with every rank.
CLASSES, FEW = (2, 3, 17, 65, 300, 1025, 4097), 3
_ORDINARY = np.array([1.0, -2.0, 0.5, 3.0, -0.25])


@listed("labels of masked classes")
def labels_of_masked_classes(subject: Subject) -> Iterable[Problem]:
    """One row whose label is a class of -inf, among others: every reduction and rank, with weights and ignored rows."""
    claims = subject.capabilities
    first = claims.reductions[0]
    if claims.static_shapes:
        # Two rows of three classes have been compiled already.
        two = [[-np.inf, 1.0, 0.5], [2.0, -np.inf, -1.0]]
        yield from in_every_reduction(subject, [problem_of(subject, two, np.array([0, 2]), first)])
        return
    made = []
    for number, classes in enumerate(CLASSES):
        masked = (0, classes - 1, classes // 2)[number % 3]
        rows, labels = np.resize(_ORDINARY, (5, classes)), np.array([0, masked, 0, masked, classes - 1])
        rows[1, masked] = -np.inf
        # Another class of that row, or of one with the same label.
        rows[3, (masked + 1) % classes] = -np.inf
        options: dict[str, object] = {}
        if claims.weight and number % 2:
            options["weight"] = np.resize(np.array([1.0, 2.0, 0.5]), classes)
        if claims.default_ignore_index is not None and number % 3:
            labels[2] = claims.default_ignore_index
        made.append(problem_of(subject, rows, labels, first, **options))
        if claims.spatial and classes <= FEW:
            made.append(problem_of(subject, rows.T[None], labels[None], first, **options))
        if claims.unbatched and classes <= FEW:
            made.append(problem_of(subject, rows[1], labels[1], first, **options))
    yield from in_every_reduction(subject, made)


def _infinite(trial: Trial) -> bool:
    """Whether the loss of a row is inf."""
    return bool(np.isposinf(np.asarray(trial.answer.row_losses).astype(np.float64)).any())


@requirement(
    "extremes.label-of-a-masked-class",
    "a label of a class of -inf: its loss",
    source=labels_of_masked_classes,
    needs=[NON_FINITE_LOGITS],
)
def test_loss_of_a_label_whose_class_is_masked(trial: Trial) -> Iterator[Finding]:
    """The loss of a row whose label is a class with a logit of -inf is inf, and so are the sum and the mean of its
    batch. The losses of other rows do not change.
    """
    if _infinite(trial):
        yield loss_finding(trial)


@requirement(
    "extremes.label-of-a-masked-class-gradient",
    "a label of a class of -inf: its gradient",
    source=labels_of_masked_classes,
    needs=[NON_FINITE_LOGITS, GRADIENT],
)
def test_gradient_of_a_label_whose_class_is_masked(trial: Trial) -> Iterator[Finding]:
    """The gradient of a row whose label is a class with a logit of -inf is p - y, as that of any other: finite, with
    p = 0 at the label. So are those of the other rows, in every reduction.
    """
    if not _infinite(trial):
        return
    exact, limits = trial.answer.grad_logits, trial.bounds.grad_logits_of_infinite_losses
    yield trial.compare("grad_logits", trial.gradients().logits, exact, limits, call=backward(trial.problem))
