"""Counting what was found: examples, failures, excuses, and the largest ratio, whatever the order."""

import itertools

import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.formats import format_named
from xent_conformance.judging.findings import Accepted, Declined, Raised, compare
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import Problem
from xent_conformance.verdicts.tally import Tally

F32 = format_named("float32")

SUBJECT = Subject.of(NumpyTwin(), "float32")


def found(ratio, quantity="loss", bound=2.0**-10):
    """A comparison with this ratio; a bound of 1 makes it one that could not have failed."""
    return compare(quantity, np.array([1 + ratio * bound]), Exact(np.array([1.0])), np.array([bound]), F32)


def counted(*trials, excused=()):
    """A tally of trials, each a list of findings; ``excused`` has the numbers of those that a deviation covers."""
    tally = Tally()
    for number, findings in enumerate(trials):
        trial = Trial(SUBJECT, Problem(np.zeros((1, number + 2), np.float32), np.array([0])))
        tally.count(trial, findings, excused=number in excused)
    return tally


@pytest.mark.parametrize("order", list(itertools.permutations([0.5, 3.0, 0.25])))
def test_the_largest_ratio_is_that_of_any_trial_and_any_finding(order):
    assert counted(*([found(ratio)] for ratio in order)).ratio == 3.0
    assert counted([found(ratio) for ratio in order]).ratio == 3.0
    assert counted([found(ratio) for ratio in order]).worst["loss"].ratio == 3.0


def test_a_trial_fails_where_one_of_its_findings_does():
    tally = counted([found(0.5), found(2.0)], [found(2.0), found(0.5)], [found(0.5)], [found(1.0)])
    assert (tally.examples, tally.failed, tally.excused) == (4, 2, 0)
    assert tally.failing[0].finding.ratio == 2.0


def test_the_worst_is_known_of_each_quantity():
    tally = counted([found(0.5, "a"), found(0.25, "b")], [found(0.125, "a"), found(0.75, "b")])
    assert {quantity: finding.ratio for quantity, finding in tally.worst.items()} == {"a": 0.5, "b": 0.75}


def test_what_is_excused_is_counted_and_neither_fails_nor_enters_the_ratio():
    tally = counted([found(9.0)], [found(0.5)], excused=(0,))
    assert (tally.examples, tally.failed, tally.excused, tally.ratio) == (2, 0, 1, 0.5)
    assert not tally.failing


def test_an_example_counts_as_exercised_where_a_finding_could_have_failed():
    idle, telling = found(0.0, bound=1.0), found(0.0)
    assert counted([idle], [idle, idle], []).exercised == 0
    assert counted([idle, telling], [telling], [telling, telling]).exercised == 3


def test_what_was_not_compared_is_not_judged():
    tally = counted([], [Declined(quantity="loss", reason="gives none")])
    assert (tally.examples, tally.exercised, tally.ratio, tally.declined) == (2, 0, None, "gives none")


def test_bins_have_the_largest_ratio_of_their_size():
    bins = counted([found(0.5)], [found(0.75)], [found(0.25)], [found(0.125)]).bins()
    assert [(b["classes"], b["count"], b["ratio"]) for b in bins] == [(2, 2, 0.75), (4, 2, 0.25)]


def test_what_was_raised_is_no_point_of_an_accuracy_chart():
    """It has no error: an infinite one would hide the largest that was measured."""
    raised = Raised(quantity="loss", exception="ValueError", text="no")
    tally = counted([found(0.5)], [raised])
    assert tally.failed == 1
    assert [(b["classes"], b["ratio"]) for b in tally.bins()] == [(2, 0.5)]


def test_an_invalid_call_that_gave_nan_and_one_that_gave_a_number_are_both_stored_the_number_first():
    nan, number = (Accepted(quantity="invalid label", what="label", got=f"returned {x}") for x in ("nan", "0.3"))
    assert [failing.finding for failing in counted([nan], [number]).failing] == [number, nan]
