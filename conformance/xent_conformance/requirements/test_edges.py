"""Empty and degenerate batches: no rows, no positions, no row that counts, no class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import Invocation, backward, forward
from xent_conformance.judging.findings import Finding, Held, WrongConvention
from xent_conformance.judging.subject import CHECKS_LABELS, GRADIENT, IGNORING, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import F64Array, Problem
from xent_conformance.requirements.checks import phrases
from xent_conformance.requirements.registry import Level, requirement
from xent_conformance.requirements.twins import in_every_reduction, problem_of
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
        made = [problem_of(subject, logits, np.zeros(shape[:1] + shape[2:], dtype=np.int64), first)]
        if claims.weight:
            made.append(problem_of(subject, logits, made[0].target, first, weight=np.ones(shape[1])))
        if claims.label_smoothing:
            made.append(problem_of(subject, logits, made[0].target, first, label_smoothing=0.1))
        if claims.probability_targets:
            made.append(problem_of(subject, logits, np.zeros(shape), first))
        yield from in_every_reduction(subject, made)


def _is(what: str, value: F64Array, convention: str, call: Invocation, because: str) -> Finding:
    """Whether all numbers are what a convention says: nan or zero."""
    right = np.isnan(value) if convention == "nan" else value == 0
    if right.all():
        return Held(quantity=what)
    place = tuple(int(i) for i in np.argwhere(~right)[0])
    return WrongConvention(
        quantity=what,
        calls=(call,),
        index=place,
        expected="nan" if convention == "nan" else "zero",
        got=f"{float(value[place]):.9g}",
        because=because,
    )


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
    """Without rows there are no losses, their sum is 0 and their mean the declared convention, nan or 0; the gradient
    has the empty shape of the logits.
    """
    problem = trial.problem
    if problem.rows:
        return
    loss = trial.loss()
    convention = trial.subject.conventions.empty_batch_loss if problem.reduction == "mean" else "zero"
    yield _is("loss", loss, convention, forward(problem), "the batch has no rows")
    if GRADIENT.met_by(trial.subject):
        trial.gradients()
        yield Held(quantity="grad_logits")


@listed("all ignored")
def all_ignored(subject: Subject) -> Iterable[Problem]:
    """Every row ignored, by default and by a chosen sentinel, in every rank, reduction and option."""
    claims = subject.capabilities
    shapes: list[tuple[int, ...]] = [(2, 3)]
    if not claims.static_shapes:
        shapes += [(1, 1), (3, 4)]
        shapes += [(4,)] if claims.unbatched else []
        shapes += [(2, 3, 2)] if claims.spatial else []
    options: list[dict[str, object]] = [{}]
    options += [{"weight": True}] if claims.weight else []
    options += [{"label_smoothing": 0.25}] if claims.label_smoothing else []
    sentinels = [claims.default_ignore_index] if claims.default_ignore_index is not None else []
    sentinels += [-1, 0] if claims.ignore_index else []
    for shape in shapes:
        axis = 0 if len(shape) == 1 else 1
        logits = np.resize(np.array([1.0, -2.0, 0.5, 3.0, -0.25]), shape)
        for sentinel in sentinels:
            target = np.full(shape[:axis] + shape[axis + 1 :], sentinel)
            for option in options:
                more = dict(option)
                if "weight" in more:
                    more["weight"] = np.arange(1.0, shape[axis] + 1)
                if sentinel != claims.default_ignore_index:
                    more["ignore_index"] = sentinel
                problem = problem_of(subject, logits, target, claims.reductions[0], **more)
                yield from in_every_reduction(subject, [problem])


_NOTHING_LEFT = [
    "https://github.com/pytorch/pytorch/issues/70348",
    "https://github.com/pytorch/pytorch/pull/64572",
    "https://github.com/karpathy/nanochat/pull/610",
    "https://github.com/keras-team/tf-keras/issues/734",
]


@requirement(
    "conventions.all-ignored-loss",
    "every row ignored: the loss",
    source=all_ignored,
    needs=[IGNORING],
    references=_NOTHING_LEFT,
)
def test_loss_with_every_row_ignored(trial: Trial) -> Iterator[Finding]:
    """With every row ignored each loss and their sum are 0, and the mean is the declared convention, nan or 0, in every
    rank and with every option.
    """
    problem = trial.problem
    if problem.ignored().all() and problem.rows:
        mean = problem.reduction == "mean"
        convention = trial.subject.conventions.all_ignored_loss if mean else "zero"
        yield _is("loss", trial.loss(), convention, forward(problem), "every row is ignored")


@requirement(
    "conventions.all-ignored-gradient",
    "every row ignored: the gradient",
    source=all_ignored,
    needs=[IGNORING, GRADIENT],
    references=_NOTHING_LEFT,
)
def test_gradient_with_every_row_ignored(trial: Trial) -> Iterator[Finding]:
    """With every row ignored the gradient is 0; that of the mean is the declared convention, nan or 0, in every rank
    and with every option.
    """
    problem = trial.problem
    if problem.ignored().all() and problem.rows:
        mean = problem.reduction == "mean"
        convention = trial.subject.conventions.all_ignored_gradient if mean else "zero"
        yield _is("grad_logits", trial.gradients().logits, convention, backward(problem), "every row is ignored")


@listed("labels without classes")
def labels_without_classes(subject: Subject) -> Iterable[Problem]:
    """Rows with labels, and no class that could be meant, in every rank and reduction."""
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
    """Where there are rows and no class, every label is out of range: an error, or nan, and never a number."""
    call = forward(trial.problem)
    if trial.outcome(call).raised is not None or np.isnan(trial.loss()).all():
        yield Held(quantity="loss")
    else:
        yield WrongConvention(
            quantity="loss",
            calls=(call,),
            expected="nan",
            got=str(trial.loss().tolist()),
            because="there is no class that its labels could name",
            or_error=True,
        )


@listed("without classes")
def without_classes(subject: Subject) -> Iterable[Problem]:
    """Rows without classes, with the only targets that can be: probabilities of none, or no rows."""
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
    """Logits with no class at all may be rejected or give an empty or undefined loss; the report names what happens."""
    problem = trial.problem
    outcome = trial.outcome(forward(problem))
    if outcome.raised is not None:
        seen = "an error"
    else:
        seen = outcome.trouble or str(np.asarray(outcome.arrays["loss"], dtype=np.float64).tolist())
    yield Held(quantity=f"{problem.rows} rows, {problem.reduction}: {seen}")
