"""Symmetries: a common shift, the order of classes and rows, other rows, and impossible classes have no effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, NON_FINITE_LOGITS
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem, array_of, by_row
from xent_conformance.requirements.agreement import agree, both_agree, gradient_of, gradients_agree, loss_of
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import (
    FREE_SHAPES,
    ROWS,
    chosen_rows,
    reordered_classes,
    reordered_rows,
    with_logits,
)
from xent_conformance.strategies.situations import RELATIONS, SHIFTED


def _far_away(problem: Problem) -> Iterable[Problem]:
    """Integer logits, shifted by powers of two up to the largest for which the sums are exact.

    With p significand bits, sums of 2**k and smaller multiples of 2**max(0, k - p + 1) are exact.
    """
    bits = problem.format.precision
    grid = problem.logits_by_row()
    for exponent, sign in ((bits - 4, 1), (bits - 1, -1), (bits + 3, 1)):
        step = 2.0 ** max(0, exponent - bits + 1)
        yield with_logits(problem, rounded(grid * step + sign * 2.0**exponent, problem.dtype))


@requirement(
    "identities.shift",
    "a common offset changes nothing",
    source=SHIFTED,
    derive=_far_away,
    references=[
        "https://github.com/ml-explore/mlx/pull/4188",
        "https://github.com/pytorch/pytorch/issues/11752",
        "https://github.com/pytorch/pytorch/pull/62897",
    ],
)
def test_a_common_offset_changes_nothing(trial: Trial) -> Iterator[Finding]:
    """Adding the same number to all logits of a row changes neither loss nor gradient, if the sums are exact: for
    offsets up to 16384 in float16, 1.3e8 in float32.

    |f(x + a) - f(x)| <= B(x + a) + B(x). The bound of form B contains the spacing of numbers at a.
    """
    x = trial.problem.logits_by_row()
    with np.errstate(all="ignore"):
        top = x.max(axis=1, keepdims=True)
        centred = x - top
        exact = np.array_equal(centred + top, x) and np.array_equal(rounded(centred, trial.problem.dtype), centred)
    if not exact or not top.any():
        return
    yield from both_agree(trial, trial.related(with_logits(trial.problem, centred)), "with the offset taken off")


@requirement(
    "identities.class-permutation",
    "the order of the classes does not matter",
    source=RELATIONS,
    references=["https://github.com/kulinseth/pytorch/pull/233", "https://github.com/pytorch/pytorch/pull/62897"],
)
def test_the_order_of_the_classes_does_not_matter(trial: Trial) -> Iterator[Finding]:
    """Permuting logits, labels (or probabilities) and weights together leaves the loss unchanged and permutes the
    gradient.

    Within 2 B: the bounds hold for any order of summation.
    """
    problem = trial.problem
    order = np.random.default_rng(problem.classes).permutation(problem.classes)
    twin = reordered_classes(problem, order)
    if twin is None or problem.classes == 1:
        return
    permuted, otherwise = trial.related(twin), "with the classes permuted"
    loss = loss_of(trial)
    yield agree(trial, "loss", loss, loss_of(permuted).bounded_as(loss), otherwise)
    if GRADIENT.met_by(trial.subject):
        gradient = gradient_of(trial)
        back = gradient_of(permuted)[:, np.argsort(order)]
        yield gradients_agree(trial, gradient, back.bounded_as(gradient), otherwise)


@requirement(
    "identities.batch-permutation",
    "the order of the rows does not matter",
    source=RELATIONS,
    references=["https://github.com/linkedin/Liger-Kernel/issues/968"],
)
def test_the_order_of_the_rows_does_not_matter(trial: Trial) -> Iterator[Finding]:
    """Permuting the rows permutes their losses and gradients and leaves sum and mean unchanged, within 2 B."""
    problem = trial.problem
    if problem.rows < 2:  # noqa: PLR2004 - nothing to permute
        return
    order = np.random.default_rng(problem.rows).permutation(problem.rows)
    back = np.argsort(order)
    permuted, otherwise = trial.related(reordered_rows(problem, order)), "with the rows permuted"
    loss, other = loss_of(trial), loss_of(permuted)
    other = other[back] if problem.reduction == "none" else other
    yield agree(trial, "loss", loss, other.bounded_as(loss), otherwise)
    if GRADIENT.met_by(trial.subject):
        gradient = gradient_of(trial)
        yield gradients_agree(trial, gradient, gradient_of(permuted)[back].bounded_as(gradient), otherwise)


def _one_row_among_others(problem: Problem) -> Iterable[Problem]:
    if problem.reduction == "none" and problem.rows > 1:
        yield problem


@requirement(
    "identities.row-independence",
    "a row's loss does not depend on other rows",
    source=RELATIONS,
    derive=_one_row_among_others,
    needs=[ROWS],
    references=[
        "https://github.com/pytorch/pytorch/issues/111484",
        "https://github.com/linkedin/Liger-Kernel/pull/680",
    ],
)
def test_a_row_does_not_depend_on_the_others(trial: Trial) -> Iterator[Finding]:
    """The loss and the gradient of the first and of the last row are the same with other numbers in all other rows, and
    without these rows.

    Within 2 B, since a batch of one may be summed in another order.
    """
    problem = trial.problem
    if problem.rows < 2 or problem.reduction != "none":  # noqa: PLR2004 - it has no others
        return
    for row in (0, problem.rows - 1):
        others = problem.logits_by_row()
        others[np.arange(problem.rows) != row] = np.where(np.arange(problem.classes) % 2, 30.0, 0.0)
        twins = [(trial.related(with_logits(problem, others)), row, f"with other logits in the rows beside {row}")]
        if FREE_SHAPES.met_by(trial.subject):
            twins.append((trial.related(chosen_rows(problem, np.array([row]))), 0, f"with row {row} alone"))
        for twin, place, otherwise in twins:
            yield from _row_agrees(trial, row, twin, place, otherwise)


def _row_agrees(trial: Trial, row: int, twin: Trial, place: int, otherwise: str) -> Iterator[Finding]:
    """Whether a row of one problem has the same results as a row of another."""

    def among_all(index: tuple[int, ...]) -> tuple[int, ...]:
        return (row, *index[1:])

    loss = loss_of(trial)[[row]]
    other = loss_of(twin)[[place]].bounded_as(loss)
    yield agree(trial, "loss", loss, other, otherwise, place=among_all)
    if GRADIENT.met_by(trial.subject):
        gradient = gradient_of(trial)[[row]]
        other = gradient_of(twin)[[place]].bounded_as(gradient)
        yield gradients_agree(trial, gradient, other, otherwise, place=among_all)


def _with_impossible_class(problem: Problem) -> Iterable[Problem]:
    """Append a class with logits of -inf; for class indices without smoothing, where it has no effect."""
    if problem.has_probabilities or problem.ignored_label == problem.classes:
        return
    rows = np.hstack([problem.logits_by_row(), np.full((problem.rows, 1), -np.inf)])
    moved_shape = (*problem.row_shape, problem.classes + 1)
    logits = np.moveaxis(array_of(rows, problem.dtype).reshape(moved_shape), -1, problem.class_axis)
    weight = None if problem.weight is None else np.append(problem.weight, np.ones(1, problem.weight.dtype))
    yield problem.with_(logits=np.ascontiguousarray(logits), weight=weight, label_smoothing=0.0)


@requirement(
    "identities.impossible-class",
    "appending a class of -inf changes nothing",
    source=RELATIONS,
    derive=_with_impossible_class,
    needs=[FREE_SHAPES, NON_FINITE_LOGITS],
    references=[
        "https://github.com/verl-project/verl/issues/2899",
        "https://github.com/apple/ml-cross-entropy/pull/59",
        "https://github.com/pytorch/xla/issues/2553",
    ],
)
def test_appending_an_impossible_class_changes_nothing(trial: Trial) -> Iterator[Finding]:
    """For class indices without smoothing, appending a class with logits of -inf leaves loss and gradient unchanged,
    and its own gradient is zero.
    """
    problem = trial.problem
    last = problem.classes - 1
    limit = trial.subject.capabilities.max_classes
    named = (problem.labels() == last) & ~problem.ignored() if not problem.has_probabilities else np.ones(1, bool)
    impossible = np.isneginf(by_row(problem.logits, problem.class_axis)[:, -1].astype(np.float64)).all()
    if not last or named.any() or not impossible or problem.label_smoothing or (limit and problem.classes > limit):
        return
    without = problem.with_(
        logits=np.ascontiguousarray(np.delete(problem.logits, last, axis=problem.class_axis)),
        weight=None if problem.weight is None else problem.weight[:last],
    )
    twin, otherwise = trial.related(without), "without the last class, whose logits are -inf"
    yield agree(trial, "loss", loss_of(trial), loss_of(twin), otherwise)
    if GRADIENT.met_by(trial.subject):
        gradient = gradient_of(trial)
        yield gradients_agree(trial, gradient[:, :last], gradient_of(twin), otherwise)
        own = gradient[:, last:]
        nothing = own.times(0.0).exactly(where=True)
        yield gradients_agree(trial, own.exactly(where=True), nothing, "for an impossible class")
