"""Closed forms, for which the loss is known without an oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import backward
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import REDUCTIONS, F64Array, Problem
from xent_conformance.requirements import references
from xent_conformance.requirements.agreement import ROUNDING
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.sweeps import equal_logits
from xent_conformance.requirements.twins import in_every_reduction, in_portions, problem_of, row_shape_of
from xent_conformance.strategies.sources import listed


@listed("single class")
def single_class(subject: Subject) -> Iterable[Problem]:
    """One class, with every reduction and option."""
    values = np.array([0.0, 5.0, -1000.0, 30.0, 1e-3])
    options: list[dict[str, object]] = [{}]
    if subject.capabilities.weight:
        options.append({"weight": [2.0]})
    if subject.capabilities.label_smoothing:
        options.append({"label_smoothing": 0.1})
    shapes: list[F64Array] = [values[:1, None], values[:, None]]
    if subject.capabilities.unbatched:
        shapes.append(values[1:2])
    if subject.capabilities.spatial:
        shapes.append(np.resize(values, (2, 1, 3)))
    for logits in shapes[:1] if subject.capabilities.static_shapes else shapes:
        labels = np.zeros(row_shape_of(logits.shape), dtype=np.int64)
        yield from in_every_reduction(
            subject, [problem_of(subject, logits, labels, subject.capabilities.reductions[0], **o) for o in options]
        )


@requirement(
    "identities.single-class",
    "one class: loss 0, gradient 0",
    source=single_class,
    references=[
        "https://github.com/Dao-AILab/flash-attention/issues/1461",
        "https://github.com/tensorflow/tensorflow/pull/49178",
    ],
)
def test_a_single_class_costs_nothing(trial: Trial) -> Iterator[Finding]:
    """With one class the loss is zero within its bound, and the gradient is zero: exactly, unless smoothing splits the
    target's share into two terms.
    """
    problem = trial.problem
    # With 0 as the default sentinel every row is ignored.
    if problem.classes != 1 or problem.ignored().any():
        return
    loss = trial.loss()
    yield trial.compare("loss", loss, Exact(np.zeros(loss.shape)), trial.bounds.loss)
    if GRADIENT.met_by(trial.subject):
        gradient = trial.gradients().logits
        bound = trial.bounds.grad_logits if problem.label_smoothing else np.zeros(gradient.shape)
        zero = Exact(np.zeros(gradient.shape))
        yield trial.compare("grad_logits", gradient, zero, bound, call=backward(problem))


@requirement(
    "identities.equal-logits", "equal logits give log C", source=equal_logits, references=references.EQUAL_LOGITS
)
def test_equal_logits_give_the_logarithm_of_the_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """If all logits of a row are equal, its loss is log C: for C up to 65, around powers of two, and up to 151936."""
    problem, finite = trial.problem, trial.problem.logits_by_row()
    if problem.has_probabilities or problem.ignored().any() or not np.isfinite(finite).all() or not finite.size:
        return
    if problem.weight is not None or not (finite == finite[:, :1]).all():
        return
    row = np.log(problem.classes)
    expected = {"none": np.full(problem.rows, row), "sum": np.asarray(problem.rows * row)}
    exact = expected.get(problem.reduction, np.asarray(row))
    bounds = trial.bounds
    tolerance = bounds.loss + 4 * ROUNDING * exact
    yield trial.compare("loss", trial.loss(), Exact(exact), tolerance, overflows=bounds.overflows)


@listed("two classes")
def two_classes(subject: Subject) -> Iterable[Problem]:
    """Two classes whose logits are 0 and z, for gaps z from one end of the format to the other."""
    gaps = np.array([2.0**-8, 0.125, 0.5, 1.0, 2.0, 3.5, 5.0, 6.5, 8.0, 9.5, 10.5, 12.0, 14.0, 16.0, 20.0, 40.0])
    gaps = np.concatenate([gaps, [64.0, 96.0, 1000.0]])
    # Each class is ahead by each gap: code that truncates softplus past a threshold loses the loss of one of them.
    gaps = np.concatenate([[0.0], gaps, gaps, -gaps, -gaps])
    labels = np.concatenate([[0], np.arange(len(gaps) - 1) // (len(gaps) // 4) % 2])
    logits = np.where(labels[:, None] == np.arange(2), 0.0, gaps[:, None])
    reduction = "none" if "none" in subject.capabilities.reductions else subject.capabilities.reductions[0]
    for offset in (0.0, 64.0):
        moved = logits + np.where(np.abs(gaps) >= 1, offset, 0.0)[:, None]
        for rows in in_portions(subject, len(gaps)):
            yield problem_of(subject, moved[rows], labels[rows], reduction)


def _softplus(z: npt.NDArray[np.longdouble]) -> npt.NDArray[np.longdouble]:
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


@requirement(
    "identities.softplus",
    "two classes are softplus",
    source=two_classes,
    references=["https://github.com/tensorflow/tensorflow/issues/126634"],
)
def test_two_classes_are_softplus(trial: Trial) -> Iterator[Finding]:
    """With two classes the loss is log(1 + exp(x_other - x_target))."""
    problem = trial.problem
    if problem.classes != 2 or problem.has_probabilities or problem.ignored().any():  # noqa: PLR2004
        return
    if problem.weight is not None or problem.label_smoothing or problem.reduction not in REDUCTIONS:
        return
    x, rows, labels = problem.logits_by_row().astype(np.longdouble), np.arange(problem.rows), problem.labels()
    losses = _softplus(x[rows, 1 - labels] - x[rows, labels])
    exact = {"none": losses, "sum": losses.sum(), "mean": losses.sum() / problem.rows}[problem.reduction]
    value = np.asarray(exact, dtype=np.float64)
    # Where longdouble is no wider than float64 this closed form has an error of its own.
    own = 8 * ROUNDING * value if np.finfo(np.longdouble).nmant < 63 else 0.0  # noqa: PLR2004 - bits of x87
    residual = np.asarray(exact - value, dtype=np.float64)
    bounds = trial.bounds
    tolerance = bounds.loss + own
    observed = trial.loss()
    yield trial.compare("loss", observed, Exact(value, residual), tolerance, overflows=bounds.overflows)
