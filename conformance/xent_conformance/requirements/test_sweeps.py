"""Sizes at which lanes, tiles, blocks and index types end, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements.checks import gradient_finding, loss_finding
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.sweeps import every_lane, every_row, exact_labels

_CLASSES = [
    "https://github.com/verl-project/verl/issues/2899",
    "https://github.com/verl-project/verl/pull/5349",
    "https://github.com/pytorch/pytorch/issues/147284",
    "https://github.com/apple/ml-cross-entropy/pull/59",
    "https://github.com/pytorch/pytorch/pull/182867",
]
_ROWS = [
    "https://github.com/pytorch/pytorch/issues/111484",
    "https://github.com/pytorch/pytorch/issues/85791",
    "https://github.com/Dao-AILab/flash-attention/issues/714",
]


@requirement("accuracy.every-class-count", "every lane at every block edge", source=every_lane, references=_CLASSES)
def test_every_lane_counts_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class counts
    once: where one dominates and the others are far below, the loss is within its bound.
    """
    yield loss_finding(trial)


@requirement(
    "gradients.every-class-count",
    "gradient of every lane at every block edge",
    source=every_lane,
    needs=[GRADIENT],
    references=_CLASSES,
)
def test_every_lane_has_its_gradient_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class gets its
    own gradient.
    """
    yield gradient_finding(trial)


@requirement("accuracy.every-row-count", "every row at every block edge", source=every_row, references=_ROWS)
def test_every_row_counts_at_every_number_of_rows(trial: Trial) -> Iterator[Finding]:
    """With N rows, for N up to 33, around every power of two up to 4097 and for 65537, each row counts exactly once:
    alone, in a sum or mean that it dominates, and in large batches with ignored rows, class weights and smoothing.
    """
    yield loss_finding(trial)


@requirement(
    "gradients.every-row-count",
    "gradient of every row at every block edge",
    source=every_row,
    needs=[GRADIENT],
    references=_ROWS,
)
def test_every_row_has_its_gradient_at_every_number_of_rows(trial: Trial) -> Iterator[Finding]:
    """With N rows, for N up to 33, around every power of two up to 4097 and for 65537, each row gets its own
    gradient, in large batches also with ignored rows, class weights and smoothing.
    """
    yield gradient_finding(trial)


@requirement(
    "dtypes.labels-are-exact",
    "labels are not rounded to the dtype of the logits",
    source=exact_labels,
    references=[
        "https://github.com/keras-team/keras/issues/15012",
        "https://github.com/keras-team/keras/pull/15015",
        "https://github.com/tensorflow/tensorflow/issues/50964",
    ],
)
def test_labels_are_not_rounded_to_the_dtype_of_the_logits(trial: Trial) -> Iterator[Finding]:
    """Labels around 2^8, 2^11 and 2^16 name their own class: not the one that they round to in the dtype of the logits
    or in 16 bits.
    """
    yield loss_finding(trial)
