"""Invalid calls: mismatched shapes and unknown options never give a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import forward
from xent_conformance.judging.findings import Finding, Held
from xent_conformance.judging.subject import LABEL_SMOOTHING, WEIGHT, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import REDUCTIONS, Problem, array_of
from xent_conformance.requirements.checks import counted_classes, rejected
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import COTANGENT, problem_of
from xent_conformance.strategies.sources import listed


def _labels(*shape: int) -> npt.NDArray[np.int64]:
    return np.resize(np.array([0, 1, 2]), shape).astype(np.int64)


@listed("wrong shapes", rejected=True)
def wrong_shapes(subject: Subject) -> Iterable[Problem]:
    """Targets whose shape does not match the logits: too long, too short, of another rank or number of classes."""
    claims = subject.capabilities

    def logits(*shape: int) -> npt.NDArray[np.float64]:
        return np.resize(np.array([1.0, -0.5, 2.0, 0.0, 0.25]), shape)

    pairs: list[tuple[npt.NDArray[np.float64], npt.NDArray[Any]]] = [
        (logits(4, 3), _labels(5)),
        (logits(4, 3), _labels(3)),
        (logits(4, 3), _labels(4, 1)),
        (logits(4, 3), _labels(4, 3)),
        (logits(4, 3), _labels(2, 2)),
        (logits(4, 3), _labels(1, 4)),
        (logits(4, 3), _labels(1)),
        (logits(4, 3), _labels()),
    ]
    if claims.unbatched:
        pairs += [(logits(3), _labels(2)), (logits(3), _labels(3))]
    if claims.spatial:
        pairs += [(logits(2, 3, 4), _labels(2)), (logits(2, 3, 4), _labels(2, 3)), (logits(2, 3, 4), _labels(4, 2))]
    if claims.probability_targets:
        pairs += [(logits(4, 3), np.full(s, 0.25)) for s in ((4, 4), (3, 3), (1, 3), (4, 1), (4,), (3,), (12,))]
    for x, target in pairs:
        for reduction in claims.reductions:
            yield problem_of(subject, x, target, reduction)


def _fits(problem: Problem) -> bool:
    """Whether the target has the shape that its kind must have."""
    wanted = problem.logits.shape if problem.has_probabilities else problem.row_shape
    return problem.target.shape == wanted


@requirement(
    "invalid_calls.shapes",
    "targets of a wrong shape rejected",
    source=wrong_shapes,
    references=[
        "https://github.com/pytorch/pytorch/issues/157420",
        "https://github.com/PaddlePaddle/Paddle/issues/17232",
        "https://github.com/keras-team/keras/pull/19838",
    ],
)
def test_targets_of_a_wrong_shape_are_rejected(trial: Trial) -> Iterator[Finding]:
    """A target whose shape does not match that of the logits raises an error and gives no value. Class indices (N, 1)
    may instead be read as (N), with the same losses.
    """
    problem = trial.problem
    if _fits(problem):
        return
    shapes = f"a target of shape {problem.target.shape} for logits of shape {problem.logits.shape}"
    column = not problem.has_probabilities and problem.target.shape == (*problem.row_shape, 1)
    outcome = trial.outcome(forward(problem))
    if column and outcome.trouble is None:
        plain = trial.related(problem.with_(target=problem.target.reshape(problem.row_shape)))
        got = np.asarray(outcome.arrays["loss"], dtype=np.float64).reshape(-1)
        same = plain.loss().reshape(-1)
        if got.shape == same.shape and (np.abs(got - same) <= 2 * np.broadcast_to(plain.bounds.loss, same.shape)).all():
            yield Held(quantity="target")
            return
    yield rejected(trial, "target", shapes)


@listed("wrong weights", rejected=True)
def wrong_weights(subject: Subject) -> Iterable[Problem]:
    """Weights that are not one number for each class."""
    for reduction in subject.capabilities.reductions:
        plain = problem_of(subject, [[1.0, -0.5, 2.0], [0.0, 0.25, 1.0], [3.0, 0.0, 1.0], [0.0, 0.0, 1.0]], _labels(4))
        for shape in ((2,), (4,), (1,), (1, 3), (4, 3), ()):
            wrong = array_of(np.resize(np.array([1.0, 2.0, 0.5]), shape), subject.dtype)
            cotangent = np.resize(np.array(COTANGENT), 4) if reduction == "none" else np.array(1.0)
            yield plain.with_(weight=wrong, reduction=reduction, cotangent=array_of(cotangent, subject.dtype))


@requirement(
    "invalid_calls.weight-shape",
    "weights of a wrong length rejected",
    source=wrong_weights,
    needs=[WEIGHT],
    references=["https://github.com/pytorch/pytorch/issues/134896"],
)
def test_weights_of_a_wrong_length_are_rejected(trial: Trial) -> Iterator[Finding]:
    """A weight that is not one number for each class raises an error, in every reduction."""
    problem = trial.problem
    if problem.weight is not None and problem.weight.shape != (problem.classes,):
        wrong = f"a weight of shape {problem.weight.shape} for {counted_classes(problem.classes)}"
        yield rejected(trial, "weight", wrong)


@listed("unknown reductions", rejected=True)
def unknown_reductions(subject: Subject) -> Iterable[Problem]:
    """Names that are not reductions."""
    plain = problem_of(subject, [[1.0, -0.5, 2.0], [0.0, 0.25, 1.0]], _labels(2), subject.capabilities.reductions[0])
    for name in ("banana", "means", "average", "", "Mean", "SUM", "none "):
        yield plain.with_(reduction=name)
        if subject.capabilities.probability_targets:
            yield plain.with_(reduction=name, target=array_of(np.full((2, 3), 0.25), subject.dtype))


@requirement(
    "invalid_calls.reduction",
    "unknown reductions rejected",
    source=unknown_reductions,
    references=["https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html"],
)
def test_unknown_reductions_are_rejected(trial: Trial) -> Iterator[Finding]:
    """A reduction other than none, sum and mean raises an error."""
    name = trial.problem.reduction
    if name not in REDUCTIONS:
        yield rejected(trial, "reduction", f"reduction={name!r}")


@listed("smoothing out of range", rejected=True)
def smoothing_out_of_range(subject: Subject) -> Iterable[Problem]:
    """Amounts of smoothing outside [0, 1], and nan."""
    for amount in (-0.1, -3.0, 1.5, 1.0000001, float("nan"), float("inf")):
        for reduction in subject.capabilities.reductions:
            rows = np.array([[1.0, -0.5, 2.0], [0.0, 0.25, 1.0]])
            yield problem_of(subject, rows, _labels(2), reduction, label_smoothing=amount)
            if subject.capabilities.probability_targets:
                yield problem_of(subject, rows, np.full((2, 3), 0.25), reduction, label_smoothing=amount)


@requirement(
    "invalid_calls.smoothing-out-of-range",
    "smoothing outside [0, 1] rejected",
    source=smoothing_out_of_range,
    needs=[LABEL_SMOOTHING],
    references=[
        "https://github.com/pytorch/pytorch/issues/134767",
        "https://github.com/keras-team/keras/pull/23504",
        "https://github.com/explosion/thinc/pull/707",
    ],
)
def test_smoothing_out_of_range_is_rejected(trial: Trial) -> Iterator[Finding]:
    """A label_smoothing below 0, above 1 or nan raises an error, for class indices and probabilities."""
    amount = trial.problem.label_smoothing
    if not 0 <= amount <= 1:
        yield rejected(trial, "label_smoothing", f"label_smoothing={amount!r}")
