"""Gradients in cases that are too rare among random problems: combinations of options, block edges, large offsets."""

from __future__ import annotations

from collections.abc import Iterator

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import GRADIENT, SECOND_ORDER
from xent_conformance.judging.trial import Trial
from xent_conformance.requirements import references
from xent_conformance.requirements.checks import gradient_finding, gradient_findings, second_order_finding
from xent_conformance.requirements.grids import every_combination, every_offset, every_share
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.sweeps import equal_logits, every_lane, every_row
from xent_conformance.requirements.twins import FREE_SHAPES


@requirement(
    "gradients.every-combination",
    "every combination of options: the gradients",
    source=every_combination,
    needs=[FREE_SHAPES, GRADIENT],
    references=references.COMBINATIONS,
)
def test_every_combination_of_options_gives_its_gradients(trial: Trial) -> Iterator[Finding]:
    """In every combination of rank, kind of target, class weights, ignored rows, reduction and smoothing the gradient
    of the logits is within its bound, and so is that of probability targets if there is one.
    """
    yield from gradient_findings(trial)


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
    "gradients.every-share",
    "every class's share at every block edge: the gradients",
    source=every_share,
    needs=[FREE_SHAPES, GRADIENT],
    references=references.SHARES,
)
def test_every_share_has_its_gradient_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class gets its
    own gradient where it has a share of the target, and so does the share where that is differentiated.
    """
    yield from gradient_findings(trial)


@requirement(
    "gradients.every-offset",
    "every element of large arrays: the gradients",
    source=every_offset,
    needs=[FREE_SHAPES, GRADIENT],
    references=references.OFFSETS,
)
def test_every_element_of_large_arrays_has_its_gradient(trial: Trial) -> Iterator[Finding]:
    """With more than 65536 elements in logits or probability targets, or that many labels, with and without spatial
    dimensions, and with a few elements that are as far apart in memory, each element has its own gradient.
    """
    yield from gradient_findings(trial)


@requirement(
    "gradients.every-class-count",
    "gradient of every lane at every block edge",
    source=every_lane,
    needs=[GRADIENT],
    references=references.CLASS_COUNTS,
)
def test_every_lane_has_its_gradient_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class gets its
    own gradient.
    """
    yield gradient_finding(trial)


@requirement(
    "gradients.every-row-count",
    "gradient of every row at every block edge",
    source=every_row,
    needs=[GRADIENT],
    references=references.ROW_COUNTS,
)
def test_every_row_has_its_gradient_at_every_number_of_rows(trial: Trial) -> Iterator[Finding]:
    """With N rows, for N up to 33, around every power of two up to 4097 and for 65537, each row gets its own
    gradient, in large batches also with ignored rows, class weights and smoothing.
    """
    yield gradient_finding(trial)


@requirement(
    "gradients.equal-logits",
    "equal logits give 1/C - [j = t]",
    source=equal_logits,
    needs=[GRADIENT],
    references=references.EQUAL_LOGITS,
)
def test_equal_logits_give_a_uniform_gradient(trial: Trial) -> Iterator[Finding]:
    """If all logits of a row are equal, its gradient is 1/C, minus one at the target."""
    yield gradient_finding(trial)
