"""Empty and degenerate batches: no rows, no positions, no class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import forward
from xent_conformance.judging.findings import Finding, Held, NumberAccepted
from xent_conformance.judging.subject import CHECKS_LABELS, GRADIENT, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import convention_finding, phrases
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import in_every_reduction, problem_of, row_shape_of
from xent_conformance.strategies.sources import listed


@listed("empty batches")
def empty_batches(subject: Subject) -> Iterable[Problem]:
    """No rows: an empty batch, or an empty spatial dimension, for every kind of target and every reduction."""
    claims = subject.capabilities
    shapes: list[tuple[int, ...]] = [(0, 3)]
    if not claims.static_shapes:
        shapes.append((0, 1))
        shapes += [(0, 3, 2), (2, 3, 0), (2, 3, 4, 0)] if claims.spatial else []
    first = claims.reductions[0]
    for shape in shapes:
        logits = np.zeros(shape)
        made = [problem_of(subject, logits, np.zeros(row_shape_of(shape), dtype=np.int64), first)]
        if claims.weight:
            made.append(problem_of(subject, logits, made[0].target, first, weight=np.ones(shape[1])))
        if claims.label_smoothing:
            made.append(problem_of(subject, logits, made[0].target, first, label_smoothing=0.1))
        if claims.probability_targets:
            made.append(problem_of(subject, logits, np.zeros(shape), first))
        yield from in_every_reduction(subject, made)


@requirement(
    "edges.empty-batch",
    "a batch without rows",
    source=empty_batches,
    references=[
        "https://github.com/pytorch/pytorch/issues/15870",
        "https://github.com/pytorch/pytorch/pull/31491",
        "https://github.com/pytorch/pytorch/pull/64572",
        "https://github.com/tensorflow/tensorflow/pull/16051",
        "https://github.com/PaddlePaddle/Paddle/pull/73880",
    ],
)
def test_a_batch_without_rows(trial: Trial) -> Iterator[Finding]:
    """For a batch without rows, the losses are empty, their sum is 0, and their mean is nan or 0, according to the
    declared convention; the gradient has the empty shape of the logits.
    """
    problem = trial.problem
    if problem.rows:
        return
    convention = "empty_batch_loss" if problem.reduction == "mean" else None
    yield convention_finding(trial, "loss", trial.loss(), convention, forward(problem), "the batch has no rows")
    if GRADIENT.met_by(trial.subject):
        trial.gradients()
        yield Held(quantity="grad_logits")


@listed("labels without classes", rejected=True)
def labels_without_classes(subject: Subject) -> Iterable[Problem]:
    """Rows with labels and logits without classes, in every rank and reduction."""
    claims = subject.capabilities
    first = claims.reductions[0]
    made = [problem_of(subject, np.zeros((2, 0)), np.zeros(2, dtype=np.int64), first)]
    if not claims.static_shapes:
        made += [problem_of(subject, np.zeros(0), np.array(0), first)] if claims.unbatched else []
        made += (
            [problem_of(subject, np.zeros((2, 0, 3)), np.zeros((2, 3), dtype=np.int64), first)]
            if claims.spatial
            else []
        )
    yield from in_every_reduction(subject, made)


@requirement(
    "edges.labels-without-classes",
    "labels for no classes give no number",
    source=labels_without_classes,
    needs=[CHECKS_LABELS],
    references=["https://github.com/pytorch/pytorch/issues/73165"],
)
def test_labels_for_no_classes_give_no_number(trial: Trial) -> Iterator[Finding]:
    """With rows and no classes every label is out of range: the call raises or returns nan, never a number."""
    if trial.problem.classes:
        return
    call = forward(trial.problem)
    if trial.outcome(call).raised is not None or np.isnan(trial.loss()).all():
        yield Held(quantity="loss")
    else:
        yield NumberAccepted(
            quantity="loss",
            calls=(call,),
            expected="nan",
            got=str(trial.loss().tolist()),
            because="there is no class that its labels could name",
        )


@listed("without classes")
def without_classes(subject: Subject) -> Iterable[Problem]:
    """Logits without classes, with the only possible targets: empty probabilities, or no rows."""
    claims = subject.capabilities
    made = [problem_of(subject, np.zeros((0, 0)), np.zeros(0, dtype=np.int64), claims.reductions[0])]
    if claims.probability_targets:
        made.append(problem_of(subject, np.zeros((2, 0)), np.zeros((2, 0)), claims.reductions[0]))
    yield from in_every_reduction(subject, made)


@requirement(
    "edges.no-classes",
    "logits without classes",
    level=Level.OBSERVED,
    source=without_classes,
    observe=phrases,
    references=["https://github.com/pytorch/pytorch/issues/73165"],
)
def test_logits_without_classes(trial: Trial) -> Iterator[Finding]:
    """Logits without any class may be rejected or give an empty or undefined loss; the report shows which."""
    problem = trial.problem
    outcome = trial.outcome(forward(problem))
    if outcome.raised is not None:
        seen = "an error"
    else:
        seen = outcome.trouble or str(np.asarray(outcome.arrays["loss"], dtype=np.float64).tolist())
    yield Held(quantity=f"{problem.rows} rows, {problem.reduction}: {seen}")
