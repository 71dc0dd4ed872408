"""What is enumerated because a random draw meets it too seldom: combinations of options, long offsets, sentinels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, LABEL_SMOOTHING, PRIMITIVES, SECOND_ORDER, WEIGHT
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.checks import (
    gradient_finding,
    loss_finding,
    nll_finding,
    second_order_finding,
    target_gradient_finding,
)
from xent_conformance.requirements.grids import (
    every_amount,
    every_combination,
    every_offset,
    every_scale,
    every_share,
    exact_sentinels,
)
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.twins import CHOSEN_SENTINEL, FREE_SHAPES

_OPTIONS = [
    "https://github.com/pytorch/pytorch/issues/69339",
    "https://github.com/pytorch/pytorch/issues/72056",
    "https://github.com/tracel-ai/burn/issues/5568",
]
_SHARES = ["https://github.com/linkedin/Liger-Kernel/pull/420", "https://github.com/PFCCLab/PaddleAPITest/pull/478"]
_OFFSETS = [
    "https://github.com/pytorch/pytorch/issues/190139",
    "https://github.com/Dao-AILab/flash-attention/issues/714",
    "https://github.com/pytorch/pytorch/issues/84144",
]


@requirement(
    "accuracy.every-combination",
    "every combination of options: the loss",
    source=every_combination,
    needs=[FREE_SHAPES],
    references=_OPTIONS,
)
def test_every_combination_of_options_gives_its_loss(trial: Trial) -> Iterator[Finding]:
    """In every combination of rank, kind of target, class weights, ignored rows, reduction and smoothing the loss is
    within its bound: also for a single row, and for all five options at once.
    """
    yield loss_finding(trial)


@requirement(
    "gradients.every-combination",
    "every combination of options: the gradients",
    source=every_combination,
    needs=[FREE_SHAPES, GRADIENT],
    references=_OPTIONS,
)
def test_every_combination_of_options_gives_its_gradients(trial: Trial) -> Iterator[Finding]:
    """In every combination of rank, kind of target, class weights, ignored rows, reduction and smoothing the gradient
    of the logits is within its bound, and so is that of probability targets where there is one.
    """
    yield from _gradients(trial)


def _gradients(trial: Trial) -> Iterator[Finding]:
    """The gradients of the logits and, where there is one, of probability targets."""
    yield gradient_finding(trial)
    if trial.problem.has_probabilities and (found := target_gradient_finding(trial)) is not None:
        yield found


def _for_nll_loss(problem: Problem) -> Iterable[Problem]:
    """nll_loss has no smoothing and no probability targets."""
    if not problem.has_probabilities and not problem.label_smoothing:
        yield problem


@requirement(
    "accuracy.nll-every-combination",
    "every combination of options: nll_loss",
    source=every_combination,
    derive=_for_nll_loss,
    needs=[FREE_SHAPES, PRIMITIVES],
    references=_OPTIONS,
)
def test_every_combination_of_options_gives_its_nll_loss(trial: Trial) -> Iterator[Finding]:
    """In every combination of rank, class weights, ignored rows and reduction nll_loss of log_softmax is the loss."""
    yield nll_finding(trial)


@requirement(
    "gradients.second-order-every-combination",
    "every combination of options: second derivatives",
    source=every_combination,
    needs=[FREE_SHAPES, SECOND_ORDER],
    references=["https://github.com/tensorflow/tensorflow/issues/7403"],
)
def test_every_combination_of_options_gives_its_second_derivative(trial: Trial) -> Iterator[Finding]:
    """In every combination of rank, kind of target, class weights, ignored rows, reduction and smoothing the second
    derivative times a vector is within its bound.
    """
    yield second_order_finding(trial)


@requirement(
    "accuracy.every-share",
    "every class's share at every block edge: the loss",
    source=every_share,
    needs=[FREE_SHAPES],
    references=_SHARES,
)
def test_every_share_counts_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class adds its
    share to a loss with smoothing and weights, or with a target distribution.
    """
    yield loss_finding(trial)


@requirement(
    "gradients.every-share",
    "every class's share at every block edge: the gradients",
    source=every_share,
    needs=[FREE_SHAPES, GRADIENT],
    references=_SHARES,
)
def test_every_share_has_its_gradient_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class gets its
    own gradient where it has a share of the target, and so does the share where that is differentiated.
    """
    yield from _gradients(trial)


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
    """Loss and gradients are within their bounds for amounts of smoothing from 1e-6 to 0.9999: none is too small to
    count, none is rounded to a rounder one.
    """
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject):
        yield from _gradients(trial)


@requirement(
    "weights.every-scale",
    "small and large weights",
    source=every_scale,
    needs=[WEIGHT],
    references=["https://github.com/PaddlePaddle/Paddle/pull/24352"],
)
def test_weights_of_every_scale_give_their_loss_and_gradient(trial: Trial) -> Iterator[Finding]:
    """Loss and gradient are within their bounds for class weights from 1e-13 to 1e12, as far as the dtype holds them:
    nothing that is added against a division by zero shows in the mean.
    """
    yield loss_finding(trial)
    if GRADIENT.met_by(trial.subject):
        yield gradient_finding(trial)


@requirement(
    "accuracy.every-offset",
    "every element of large arrays: the loss",
    source=every_offset,
    needs=[FREE_SHAPES],
    references=_OFFSETS,
)
def test_every_element_of_large_arrays_counts(trial: Trial) -> Iterator[Finding]:
    """With more than 65536 elements in logits or probability targets, or so many labels, with spatial dimensions and
    without, each row has its own loss: no offset wraps around in 15 or 16 bits.
    """
    yield loss_finding(trial)


@requirement(
    "gradients.every-offset",
    "every element of large arrays: the gradients",
    source=every_offset,
    needs=[FREE_SHAPES, GRADIENT],
    references=_OFFSETS,
)
def test_every_element_of_large_arrays_has_its_gradient(trial: Trial) -> Iterator[Finding]:
    """With more than 65536 elements in logits or probability targets, or so many labels, with spatial dimensions and
    without, each element has its own gradient.
    """
    yield from _gradients(trial)


@requirement(
    "ignore_index.sentinel-is-exact",
    "the sentinel is not rounded or wrapped",
    source=exact_sentinels,
    needs=[CHOSEN_SENTINEL],
    references=["https://github.com/keras-team/keras/pull/15015", "https://github.com/pytorch/pytorch/pull/60650"],
)
def test_the_sentinel_is_not_rounded_or_wrapped(trial: Trial) -> Iterator[Finding]:
    """Only labels that are ignore_index itself are ignored: not those next to it around 2^8 and 2^11, which a narrow
    float takes for it, nor those that differ from it by 2^8, 2^16 or 2^32, which a narrow integer does.
    """
    yield loss_finding(trial)
