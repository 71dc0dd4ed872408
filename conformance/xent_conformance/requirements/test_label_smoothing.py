"""Label smoothing: a mixture of the loss of the target and the mean loss of all classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import FULL_SMOOTHING, GRADIENT, LABEL_SMOOTHING, Need
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.agreement import Measured, agree, both_agree, gradient_of, gradients_agree, loss_of
from xent_conformance.requirements.checks import gradient_finding, gradient_findings, loss_finding
from xent_conformance.requirements.grids import every_amount
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import explicit, relabelled
from xent_conformance.strategies.situations import RELATIONS, SMOOTHED

_MIXTURE = [
    "https://github.com/paiml/aprender/pull/2199",
    "https://github.com/TimDettmers/ConvE/issues/55",
    "https://github.com/pytorch/pytorch/issues/73205",
]


@requirement(
    "label_smoothing.loss",
    "smoothed loss within its bound",
    source=SMOOTHED,
    needs=[LABEL_SMOOTHING],
    references=["https://github.com/pytorch/pytorch/issues/69339", *_MIXTURE],
)
def test_smoothed_loss_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """With label smoothing the loss is within its bound in every reduction, with weights, ignored rows and
    probabilities.
    """
    if trial.problem.label_smoothing:
        yield loss_finding(trial)


@requirement(
    "label_smoothing.gradient",
    "smoothed gradient within its bound",
    source=SMOOTHED,
    needs=[LABEL_SMOOTHING, GRADIENT],
    references=["https://github.com/linkedin/Liger-Kernel/pull/420", *_MIXTURE],
)
def test_smoothed_gradient_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """With label smoothing the gradient is within its bound in every reduction, with weights, ignored rows and
    probabilities.
    """
    if trial.problem.label_smoothing:
        yield gradient_finding(trial)


def _mixed(trial: Trial, ends: tuple[float, float], share: float, otherwise: str) -> Iterator[Finding]:
    """Loss and gradient as a mixture of those for two other amounts of smoothing."""
    low, high = (trial.related(trial.problem.with_(label_smoothing=end)) for end in ends)

    def mixture(first: Measured, second: Measured) -> Measured:
        return first.times(1 - share) + second.times(share)

    expected = mixture(loss_of(low), loss_of(high))
    yield agree(trial, "loss", loss_of(trial), expected, otherwise)
    if GRADIENT.met_by(trial.subject):
        expected = mixture(gradient_of(low), gradient_of(high))
        yield gradients_agree(trial, gradient_of(trial), expected, otherwise)


@requirement(
    "label_smoothing.mixture",
    "smoothing mixes the target's loss with all classes'",
    source=SMOOTHED,
    needs=[LABEL_SMOOTHING, FULL_SMOOTHING],
    references=_MIXTURE,
)
def test_smoothing_mixes_the_loss_of_the_target_with_that_of_all_classes(trial: Trial) -> Iterator[Finding]:
    """loss(eps) = (1 - eps) loss(0) + eps loss(1), on the backend's own values; the same for gradients."""
    eps = trial.problem.label_smoothing
    if 0 < eps < 1:
        yield from _mixed(trial, (0.0, 1.0), eps, "as a mixture of the losses for label_smoothing 0 and 1")


@requirement(
    "label_smoothing.linear",
    "smoothing is linear in its amount",
    source=SMOOTHED,
    needs=[LABEL_SMOOTHING],
    references=["https://github.com/pytorch/pytorch/issues/73205"],
)
def test_smoothing_is_linear_in_its_amount(trial: Trial) -> Iterator[Finding]:
    """The loss for eps is twice that for eps/2 minus that for 0; the same for gradients."""
    eps = trial.problem.label_smoothing
    if eps > 0:
        yield from _mixed(trial, (0.0, eps / 2), 2.0, "by linearity from label_smoothing 0 and half as much")


def _fully_smoothed(problem: Problem) -> Iterable[Problem]:
    if not problem.has_probabilities and problem.classes > 1:
        yield problem.with_(label_smoothing=1.0)


@requirement(
    "label_smoothing.full",
    "full smoothing does not depend on the target",
    source=SMOOTHED,
    derive=_fully_smoothed,
    needs=[
        LABEL_SMOOTHING,
        FULL_SMOOTHING,
        Need("smoothing over all classes", lambda s: s.conventions.smoothing_mass == "all_classes"),
    ],
    references=["https://github.com/keras-team/keras/pull/23504", "https://github.com/FluxML/Flux.jl/pull/1427"],
)
def test_full_smoothing_does_not_see_the_target(trial: Trial) -> Iterator[Finding]:
    """With label_smoothing=1 the loss and the gradient are the same for every label, unless the label selects a
    weight.
    """
    problem = trial.problem
    if problem.has_probabilities or problem.label_smoothing != 1:
        return
    chooses = problem.reduction == "mean" or trial.subject.conventions.smoothing_weight == "per_target"
    if problem.weight is not None and chooses:
        return
    ignored, labels = problem.ignored(), problem.labels()
    moved = np.where(ignored, labels, (labels + 1) % problem.classes)
    moved = np.where(~ignored & (moved == problem.ignored_label), labels, moved)
    if np.array_equal(moved, labels):
        return
    yield from both_agree(trial, trial.related(relabelled(problem, moved)), "with other labels")


def _passed_as_zero(problem: Problem) -> Iterable[Problem]:
    yield explicit(problem.with_(label_smoothing=0.0))


@requirement(
    "label_smoothing.zero",
    "smoothing of 0 passed explicitly",
    source=RELATIONS,
    derive=_passed_as_zero,
    needs=[LABEL_SMOOTHING],
    references=["https://github.com/candle-org/MindAct/pull/1633", "https://github.com/allenai/OLMo-core/pull/702"],
)
def test_smoothing_of_zero_is_no_smoothing(trial: Trial) -> Iterator[Finding]:
    """Passing label_smoothing=0.0 changes nothing, not even with logits of -inf, where 0 * inf would be nan."""
    problem = trial.problem
    if problem.label_smoothing:
        return
    named = explicit(problem)
    passing = trial.related(named)
    off = trial.related(Problem(**{name: getattr(problem, name) for name in problem.__dataclass_fields__}))
    otherwise, loss = "without the option", loss_of(passing)
    yield agree(trial, "loss", loss, loss_of(off).bounded_as(loss), otherwise)
    if GRADIENT.met_by(trial.subject):
        gradient = gradient_of(passing)
        yield gradients_agree(trial, gradient, gradient_of(off).bounded_as(gradient), otherwise)


@requirement(
    "label_smoothing.every-amount",
    "every amount of smoothing",
    source=every_amount,
    needs=[LABEL_SMOOTHING],
    references=[
        "https://github.com/TimDettmers/ConvE/issues/55",
        "https://github.com/OpenNMT/OpenNMT/issues/570",
    ],
)
def test_every_amount_of_smoothing_gives_its_loss_and_gradient(trial: Trial) -> Iterator[Finding]:
    """Loss and gradients are within their bounds for amounts of smoothing from 1e-6 to 0.9999: none is treated as 0 or
    rounded to a coarser value.
    """
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject):
        yield from gradient_findings(trial)
