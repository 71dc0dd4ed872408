"""The number of classes or rows at which a failure begins is measured, and said."""

import numpy as np
import pytest
from cause_lines import failure, grouped, verdict

from mutants.batches import GradientRowsPast128
from mutants.numpy_twin import NumpyTwin
from xent_conformance.causes.diagnosis import Shown
from xent_conformance.causes.edges import edges
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.records.situations import ALWAYS, described
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.tally import Tally
from xent_conformance.witnesses.behind import causes

WIDE = Problem(np.eye(3, 65, 64, dtype=np.float32), np.array([64, 0, -100]), sentinel=-100)


def failing(fails):
    return lambda problem: Shown.FAILS if fails(problem) else Shown.PASSES


@pytest.mark.parametrize(
    ("fails", "situation", "said"),
    [
        (lambda p: p.classes > 64, ["more than 4 classes"], ("more than 64 classes",)),
        (lambda p: p.classes == 65, ["more than 4 classes"], ("just 65 classes",)),
        (lambda p: p.classes > 32, ["more than 4 classes"], ()),
        (lambda p: p.classes > 64, ["smoothing"], ()),
        (lambda p: p.classes == 65, ["as many rows as classes"], ()),
        (lambda p: p.rows > 2, ["several rows"], ("more than 2 rows",)),
        (lambda p: p.rows % 2, ["several rows"], ("just 3 rows",)),
        (lambda p: p.rows > 1, ["several rows"], ()),
        (lambda p: p.classes > 64, ["more than 4 classes", "more than 64 classes"], ()),
    ],
)
def test_an_edge_is_said_where_one_less_passes(fails, situation, said):
    assert edges(WIDE, situation, failing(fails)) == said


def test_a_size_that_shows_only_with_the_logits_of_the_witness_is_no_edge():
    """Labels from 128 on wrap around: that is seen where the class that they become has another logit."""
    logits = np.zeros((1, 132), np.float32)
    logits[0, 4] = -1

    def fails(problem):
        row, labels = problem.logits[0], problem.target
        return bool((row[labels] != row[labels.astype(np.int8).astype(int) % problem.classes]).any())

    assert fails(Problem(logits, np.array([128])))
    assert edges(Problem(logits, np.array([128])), ["more than 4 classes"], failing(fails)) == ()


def test_what_cannot_be_judged_is_no_edge():
    assert edges(WIDE, ["more than 4 classes"], lambda _: Shown.UNCLEAR) == ()


def test_a_measured_size_is_said_instead_of_the_fixed_ones():
    assert described(("more than 4 classes", "more than 100 classes", "more than 128 classes")) == (
        "with more than 128 classes"
    )
    assert described(("more than 4 classes", "more than 4 classes")) == "with more than 4 classes"
    assert described(("several rows", "just 9 rows")) == "with 9 rows (8 and 10 pass)"


def test_where_nothing_is_known_to_be_needed_any_input_is_not_claimed():
    assert described((), ("spatial",)) == "perhaps only with spatial logits (N, C, d...)"
    assert described((), ("no smoothing", "tied largest logits")) == "perhaps only with tied largest logits"
    assert described((), ("no smoothing", "reduction none")) == described(()) == ALWAYS


class SumOf128(NumpyTwin):
    """The sum over the classes ends after 128."""

    def class_sum(self, exponentials):
        return exponentials[:, :128].sum(axis=1, keepdims=True)


def test_a_block_of_classes_is_named_by_its_length():
    subject, requirement = Subject.of(SumOf128(), "float32"), load()["accuracy.loss"]
    logits = np.random.default_rng(0).normal(size=(2, 700)).astype(np.float32)
    trial, tally = Trial(subject, Problem(logits, np.array([5, 600]), reduction="none")), Tally()
    tally.count(trial, list(requirement.check(trial)), excused=False)
    (cause,) = causes(requirement, subject, tally.failing)
    assert cause.witness.problem.logits.shape == (1, 129)
    assert cause.needs.sizes == ("more than 128 classes",)


class GradientHalved(NumpyTwin):
    """Where there are class indices gradients are half of what they should be."""

    def scale(self, call, cotangents):
        return super().scale(call, cotangents) / 2


def cause_of_a_large_gradient(backend):
    subject, requirement = Subject.of(backend, "float32"), load()["gradients.large-call"]
    problem, *_ = requirement.source(subject)
    trial, tally = Trial(subject, problem), Tally()
    tally.count(trial, list(requirement.check(trial)), excused=False)
    (cause,) = causes(requirement, subject, tally.failing)
    return cause


def test_what_is_wrong_with_a_large_call_and_with_a_small_one_is_shown_on_a_small_one():
    cause = cause_of_a_large_gradient(GradientHalved())
    assert cause.witness.problem.logits.size <= 2
    assert cause.needs.situation == ()


def test_what_is_wrong_with_a_large_call_alone_needs_its_size():
    """It is said, and makes it a fault of many rows where there is one, but not of any other."""
    cause = cause_of_a_large_gradient(GradientRowsPast128())
    assert described(cause.needs.situation) == "with more than 100 rows and more than a million logits"
    large = verdict("large", failure(*cause.needs.situation, undecided=cause.needs.undecided, quantity="grad_logits"))
    rows = "several rows", "more than 100 rows"
    assert grouped(large, verdict("rows", failure(*rows, "more than 128 rows", size=258))) == [{"large", "rows"}]
    assert len(grouped(large, verdict("classes", failure("labels", "more than 4 classes", "just 34 classes")))) == 2
