"""The loss in cases that are too rare among random problems: combinations of options, block edges, large offsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.subject import NLL_LOSS
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements import references
from xent_conformance.requirements.checks import loss_finding, nll_finding
from xent_conformance.requirements.grids import every_combination, every_offset, every_share
from xent_conformance.requirements.registry import requirement
from xent_conformance.requirements.sweeps import every_lane, every_row
from xent_conformance.requirements.twins import FREE_SHAPES


@requirement(
    "accuracy.every-combination",
    "every combination of options: the loss",
    source=every_combination,
    needs=[FREE_SHAPES],
    references=references.COMBINATIONS,
)
def test_every_combination_of_options_gives_its_loss(trial: Trial) -> Iterator[Finding]:
    """In every combination of rank, kind of target, class weights, ignored rows, reduction and smoothing the loss is
    within its bound: also for a single row, and for all five options at once.
    """
    yield loss_finding(trial)


def _for_nll_loss(problem: Problem) -> Iterable[Problem]:
    """nll_loss has no smoothing and no probability targets."""
    if not problem.has_probabilities and not problem.label_smoothing:
        yield problem


@requirement(
    "accuracy.nll-every-combination",
    "every combination of options: nll_loss",
    source=every_combination,
    derive=_for_nll_loss,
    needs=[FREE_SHAPES, NLL_LOSS],
    references=references.COMBINATIONS,
)
def test_every_combination_of_options_gives_its_nll_loss(trial: Trial) -> Iterator[Finding]:
    """In every combination of rank, class weights, ignored rows and reduction nll_loss of log_softmax is the loss."""
    yield nll_finding(trial)


@requirement(
    "accuracy.every-share",
    "every class's share at every block edge: the loss",
    source=every_share,
    needs=[FREE_SHAPES],
    references=references.SHARES,
)
def test_every_share_counts_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class adds its
    share to a loss with smoothing and weights, or with a target distribution.
    """
    yield loss_finding(trial)


@requirement(
    "accuracy.every-offset",
    "every element of large arrays: the loss",
    source=every_offset,
    needs=[FREE_SHAPES],
    references=references.OFFSETS,
)
def test_every_element_of_large_arrays_counts(trial: Trial) -> Iterator[Finding]:
    """With more than 65536 elements in logits or probability targets, or that many labels, with and without spatial
    dimensions, and with a few elements that are as far apart in memory, each row has its own loss: no offset wraps
    around at 15 or 16 bits.
    """
    yield loss_finding(trial)


@requirement(
    "accuracy.every-class-count",
    "every lane at every block edge",
    source=every_lane,
    references=references.CLASS_COUNTS,
)
def test_every_lane_counts_at_every_number_of_classes(trial: Trial) -> Iterator[Finding]:
    """With C classes, for C up to 65, around every power of two and block size, and up to 151936, each class counts
    once: where one dominates and the others are far below, the loss is within its bound.
    """
    yield loss_finding(trial)


@requirement(
    "accuracy.every-row-count", "every row at every block edge", source=every_row, references=references.ROW_COUNTS
)
def test_every_row_counts_at_every_number_of_rows(trial: Trial) -> Iterator[Finding]:
    """With N rows, for N up to 33, around every power of two up to 4097 and for 65537, each row counts exactly once:
    alone, in a sum or mean that it dominates, and in large batches with ignored rows, class weights and smoothing.
    """
    yield loss_finding(trial)


@requirement(
    "accuracy.nll-every-row-count",
    "every row at every block edge: nll_loss",
    source=every_row,
    derive=_for_nll_loss,
    needs=[NLL_LOSS],
    references=references.ROW_COUNTS,
)
def test_every_row_counts_in_nll_loss_at_every_number_of_rows(trial: Trial) -> Iterator[Finding]:
    """With N rows, for N up to 33, around every power of two up to 4097 and for 65537, nll_loss of log_softmax is the
    loss, in large batches also with ignored rows and class weights.
    """
    yield nll_finding(trial)
