"""Class weights: their effect on losses and gradients, and on the mean's divisor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from xent_conformance.calling.calls import forward
from xent_conformance.formats import rounded
from xent_conformance.judging.findings import Finding, Held, WrongConvention
from xent_conformance.judging.subject import DIVIDES_BY_WEIGHT, GRADIENT, WEIGHT
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.agreement import agree, both_agree, loss_of
from xent_conformance.requirements.checks import chosen, gradient_finding, loss_finding
from xent_conformance.requirements.grids import every_scale
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import CHOSEN_SENTINEL, MEAN, relabelled, weighted_by, without_weight
from xent_conformance.strategies.situations import WEIGHTED
from xent_conformance.strategies.streams import Stream

ZERO_WEIGHTS = Stream(
    "zero weights",
    fixed={"weight": "all zero", "reduction": "mean"},
    only={"target": {"index": ["random", "first", "last"]}},
    budget=0.1,
)

#: Factors that scale results without any rounding: 1 for the mean, and the inverses of 1/4 and 8.
EXACT_SCALES = (1.0, 4.0, 0.125)


def _rows_left(problem: Problem) -> Iterable[Problem]:
    if problem.reduction == "mean" and not problem.ignored().all():
        yield problem


@requirement(
    "weights.total-weight-zero",
    "mean with a total weight of zero",
    needs=[WEIGHT, MEAN, DIVIDES_BY_WEIGHT],
    source=ZERO_WEIGHTS,
    derive=_rows_left,
    references=["https://github.com/pytorch/pytorch/issues/70348"],
)
def test_mean_with_total_weight_zero_follows_the_convention(trial: Trial) -> Iterator[Finding]:
    """If the weights of the rows that are not ignored sum to zero, the mean is not finite (0/0), or 0 if that is the
    declared convention.
    """
    problem = trial.problem
    if problem.reduction != "mean" or problem.ignored().all() or trial.answer.form.divisor != 0:
        return
    loss = float(trial.loss())
    convention = trial.subject.conventions.zero_weight_loss
    right = loss == 0 if convention == "zero" else not np.isfinite(loss)
    if right:
        yield Held(quantity="loss")
    else:
        yield WrongConvention(
            quantity="loss",
            calls=(forward(problem),),
            expected="zero" if convention == "zero" else "not finite",
            got=repr(loss),
            because="the weights of its rows sum to zero",
            convention=chosen(trial, "zero_weight_loss"),
        )


_WEIGHTS = ["https://github.com/PaddlePaddle/Paddle/pull/24352", "https://github.com/pytorch/pytorch/pull/69511"]


@requirement("weights.loss", "weighted loss within its bound", source=WEIGHTED, needs=[WEIGHT], references=_WEIGHTS)
def test_weighted_loss_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """With class weights, including zero and negative ones, the loss is within its bound in every reduction and with
    every other option.
    """
    if trial.problem.weight is not None:
        yield loss_finding(trial)


@requirement(
    "weights.gradient",
    "weighted gradient within its bound",
    source=WEIGHTED,
    needs=[WEIGHT, GRADIENT],
    references=["https://github.com/kulinseth/pytorch/pull/233", *_WEIGHTS],
)
def test_weighted_gradient_is_within_its_bound(trial: Trial) -> Iterator[Finding]:
    """With class weights, including zero and negative ones, the gradient is within its bound in every reduction and
    with every other option.
    """
    if trial.problem.weight is not None:
        yield gradient_finding(trial)


def _constant(problem: Problem) -> Iterable[Problem]:
    for number in (1.0, 3.0):
        yield weighted_by(problem, np.full(problem.classes, number))


@requirement(
    "weights.constant",
    "equal weights scale the loss",
    source=WEIGHTED,
    derive=_constant,
    needs=[WEIGHT],
    references=["https://github.com/pytorch/pytorch/issues/14289", "https://github.com/pytorch/pytorch/issues/25571"],
)
def test_equal_weights_are_no_weights(trial: Trial) -> Iterator[Finding]:
    """The same weight c for all classes, also c = 1, multiplies the losses and their sum by c and leaves the mean
    unchanged if its divisor is the sum of weights.
    """
    weight = trial.problem.class_weights()
    if trial.problem.weight is None or not weight.size or (weight != weight[0]).any() or not weight[0]:
        return
    plain = trial.related(weighted_by(trial.problem, None))
    factor = float(weight[0])
    if trial.problem.reduction == "mean":
        divisor = float(trial.answer.form.divisor)
        factor = factor * float(plain.answer.form.divisor) / divisor if divisor else 1.0
    otherwise = f"without weights, times {factor:.9g}"
    yield agree(trial, "loss", loss_of(trial), loss_of(plain).times(factor), otherwise)


@requirement(
    "weights.scale",
    "the scale of the weights",
    source=WEIGHTED,
    needs=[WEIGHT],
    references=["https://github.com/pytorch/pytorch/issues/25571", *_WEIGHTS],
)
def test_the_scale_of_the_weights(trial: Trial) -> Iterator[Finding]:
    """Multiplying all weights by k multiplies the losses and their sum by k and leaves a mean that divides by weights
    unchanged: bitwise for powers of two on deterministic backends, if no value is near the ends of the format's range.
    """
    problem = trial.problem
    if problem.weight is None:
        return
    weights, loss = problem.class_weights(), loss_of(trial)
    for factor, is_power_of_two in ((0.25, True), (8.0, True), (3.0, False)):
        if not np.array_equal(rounded(weights * factor, problem.dtype), weights * factor):
            continue
        scaled = trial.related(weighted_by(problem, weights * factor))
        otherwise = f"with the weights times {factor:g}"
        other = loss_of(scaled)
        back = 1 / factor
        if problem.reduction == "mean" and trial.answer.form.divisor:
            back = float(scaled.answer.form.divisor) / float(trial.answer.form.divisor) / factor
        expected = other.times(back)
        if is_power_of_two and back in EXACT_SCALES and _far_from_the_ends(trial):
            yield agree(trial, "loss", loss.exactly(where=True), expected.exactly(where=True), otherwise)
        else:
            yield agree(trial, "loss", loss, expected, otherwise)


def _far_from_the_ends(trial: Trial) -> bool:
    """Whether every product and sum that an implementation may form stays normal when scaled by 2**-2 or 2**3."""
    if not trial.subject.capabilities.deterministic:
        return False
    fmt, problem, form = trial.problem.format, trial.problem, trial.answer.form
    weight, nlp = np.abs(problem.class_weights()), trial.bounds.nlp
    shares = np.abs(np.asarray(form.q).astype(np.float64))
    smallest_share = problem.label_smoothing / max(problem.classes, 1)
    parts = [weight, shares, shares * nlp, weight * np.where(trial.answer.read, nlp, 0.0)]
    parts += [weight * smallest_share, smallest_share * weight * nlp]
    parts += [np.abs(np.asarray(form.divisor_terms).astype(np.float64))]
    sizes = np.concatenate([part.reshape(-1) for part in parts])
    sizes = sizes[sizes != 0]
    low, high = fmt.smallest_normal * 2.0**8, fmt.max_finite * 2.0**-8
    return bool((sizes >= low).all() and sizes.sum() <= high and np.isfinite(trial.bounds.loss).all())


def _a_class_of_weight_zero(problem: Problem) -> Iterable[Problem]:
    """Give weight zero to the class of the first row that is not ignored."""
    kept = np.flatnonzero(~problem.ignored())
    if not problem.has_probabilities and problem.weight is not None and kept.size:
        yield without_weight(problem, kept[0]).with_(label_smoothing=0.0)


@requirement(
    "weights.zero-weight-is-ignored",
    "rows of a class with weight zero are ignored",
    source=WEIGHTED,
    derive=_a_class_of_weight_zero,
    needs=[WEIGHT, CHOSEN_SENTINEL],
    references=["https://github.com/pytorch/pytorch/issues/63004", "https://github.com/pytorch/pytorch/issues/3973"],
)
def test_a_weight_of_zero_takes_the_rows_of_its_class_out(trial: Trial) -> Iterator[Finding]:
    """For class indices without smoothing, rows whose class has weight zero are treated as if they were ignored; the
    class itself remains in every softmax.
    """
    problem = trial.problem
    if problem.has_probabilities or problem.weight is None or problem.label_smoothing:
        return
    ignored, labels = problem.ignored(), problem.labels()
    weight = problem.class_weights()
    without = ~ignored & (weight[np.where(ignored, 0, labels)] == 0)
    divides_by_weight = trial.subject.conventions.mean_divisor == "target_weight"
    if not without.any() or (problem.reduction == "mean" and (not divides_by_weight or (without | ignored).all())):
        return
    sentinel = -100 if problem.ignored_label is None else problem.ignored_label
    changes = {} if problem.ignored_label is not None else {"ignore_index": sentinel}
    twin = trial.related(relabelled(problem, np.where(without, sentinel, labels), **changes))
    yield from both_agree(trial, twin, "with the rows of weight zero ignored")


@requirement(
    "weights.every-scale",
    "small and large weights",
    source=every_scale,
    needs=[WEIGHT],
    references=["https://github.com/PaddlePaddle/Paddle/pull/24352"],
)
def test_weights_of_every_scale_give_their_loss_and_gradient(trial: Trial) -> Iterator[Finding]:
    """Loss and gradient are within their bounds for class weights from 1e-13 to 1e12, as far as the dtype can represent
    them: an epsilon against division by zero does not change the mean.
    """
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject):
        yield gradient_finding(trial)
