"""The reducer: any failing problem ends as one that a person can read."""

import random
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import pytest

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.calling.calls import forward
from xent_conformance.calling.text import to_text
from xent_conformance.judging.findings import Accepted, Held
from xent_conformance.judging.judge import findings, judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load
from xent_conformance.strategies import EVERYTHING
from xent_conformance.strategies.layouts import LAYOUTS, REPEATED, laid_out
from xent_conformance.strategies.streams import JOINT, Draw, recipes_of
from xent_conformance.subproblems import keep_classes, keep_rows
from xent_conformance.verdicts.tally import Failing
from xent_conformance.witnesses import reduction, time_left
from xent_conformance.witnesses.reducer import LIMIT, Reducer
from xent_conformance.witnesses.reduction import AGAIN


def reduced(problem, fails, limit=LIMIT):
    reducer = Reducer(problem, fails, limit)
    return reducer.run(), reducer.tries


def failing(fails, seed=0):
    return [p for r in recipes_of(JOINT, "float32", Draw(seed, 300)) if fails(p := r.build("float32", EVERYTHING))]


def test_a_bug_beyond_32_classes_keeps_33_and_nothing_else():
    def fails(problem):
        return problem.classes > 32

    for problem in failing(fails)[:6]:
        small, _ = reduced(problem, fails)
        assert small.logits.shape == (1, 33)
        assert not small.logits.astype(float).any()
        assert small.weight is None
        assert small.label_smoothing == 0


@pytest.mark.parametrize("needed", [True, False], ids=("int32", "any dtype"))
def test_labels_become_int64_unless_a_failure_needs_their_dtype(needed):
    def fails(problem):
        return problem.target.dtype.name in (("int32",) if needed else ("int32", "int16", "int64"))

    for problem in failing(lambda problem: problem.target.dtype == np.int32)[:6]:
        assert reduced(problem, fails)[0].target.dtype.name == ("int32" if needed else "int64")


def test_a_candidate_that_the_claims_turn_back_into_the_problem_is_not_tried():
    """Labels become int64 and, where only int32 is claimed, int32 again: that must not use up the tries."""

    def with_int32(problem):
        return problem.with_(target=problem.target.astype(np.int32))

    def narrow(problem):
        assert problem.target.dtype == np.int32
        return problem.classes > 4

    for problem in map(with_int32, failing(lambda problem: problem.classes > 4 and not problem.has_probabilities)[:6]):
        reducer = Reducer(problem, narrow, within=with_int32)
        assert reducer.run().logits.shape == (1, 5)
        assert reducer.tries < 60


def test_where_many_rows_are_needed_their_number_is_come_to_in_few_tries():
    problem = Problem(np.zeros((4097, 3), np.float32), np.zeros(4097, np.int64), reduction="sum")
    small, tries = reduced(problem, lambda problem: problem.rows >= 1000)
    assert small.rows == 1000
    assert tries < 120


def test_where_failures_are_costly_the_smallest_problems_are_tried_first():
    failures = []

    def crashes(problem):
        failures.extend([problem] * (problem.rows % 7 == 3))
        return problem.rows % 7 == 3

    for problem in failing(lambda problem: problem.rows % 7 == 3)[:6]:
        failures.clear()
        small = Reducer(problem, crashes, costly=True).run()
        assert small.logits.shape == (3, 1)
        assert not small.logits.astype(float).any()
        # The first, and what else there is to simplify in it.
        assert len(failures) <= 3


@pytest.mark.parametrize("option", ["label_smoothing", "weight"])
def test_where_a_failure_costs_a_process_all_but_the_option_that_it_needs_is_taken_away_at_once(option):
    def needed(problem):
        return bool(getattr(problem, option) is not None and np.any(getattr(problem, option) != 0))

    for problem in failing(needed)[:6]:
        failures = []

        def crashes(candidate, failures=failures):
            failures.extend([candidate] * needed(candidate))
            return needed(candidate)

        small = Reducer(problem, crashes, lost=True).run()
        assert small.logits.shape == (1, 1)
        assert not small.logits.astype(float).any()
        assert len(failures) <= 4


def test_as_many_rows_as_classes_become_two_of_each():
    problem = Problem(np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32), np.arange(9), reduction="none")
    small, _ = reduced(problem, lambda p: p.rows == p.classes > 1)
    assert small.logits.shape == (2, 2)


def test_numbers_that_do_not_matter_are_plain_even_where_tries_are_few():
    problem = Problem(np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32), np.arange(40))
    small, _ = reduced(problem, lambda p: p.classes > 40, limit=10)
    assert not small.logits.any()


def test_the_number_of_classes_that_a_failure_needs_is_come_to_from_many():
    problem = Problem(np.zeros((1, 5000), np.float32), np.zeros(1, int), reduction="sum")
    small, tries = reduced(problem, lambda p: p.classes > 1234)
    assert small.logits.shape == (1, 1235)
    assert tries < LIMIT


def test_values_become_small_round_numbers():
    def fails(problem):
        x = problem.logits.astype(np.float64)
        return bool((x[np.isfinite(x)] > 50).any())

    for problem in failing(fails)[:6]:
        small, _ = reduced(problem, fails)
        values = small.logits.astype(np.float64)
        assert values.size == 1
        assert 50 < values.max() <= 120


@pytest.mark.parametrize("share", [5.6e-6, -0.0031, 0.3, -0.7])
def test_a_number_below_1_becomes_1(share):
    """Where the failure does not need it, and keeps its sign where it needs that."""
    problem = Problem(np.zeros((1, 2)), np.array([[0.0, share]]), reduction="sum")
    small, _ = reduced(problem, lambda p: p.target.any())
    assert abs(small.target).max() == 1
    small, _ = reduced(problem, lambda p: bool((p.target < 0).any()) == (share < 0) and p.target.any())
    assert abs(small.target).max() == 1
    small, _ = reduced(problem, lambda p: 0 < abs(p.target).max() < 1)
    assert abs(small.target).max() < 1


def test_an_interaction_keeps_both_options_and_drops_the_rest():
    def fails(problem):
        return problem.weight is not None and problem.label_smoothing > 0 and bool(problem.ignored().any())

    for problem in failing(fails)[:6]:
        small, _ = reduced(problem, fails)
        assert small.rows == 1
        assert small.classes == 1
        assert small.label_smoothing in (0.5, 1.0)
        assert (small.weight.astype(float) == 1).all()
        assert small.ignore_index is None
        assert small.logits.flags.c_contiguous


def test_the_number_of_tries_is_limited():
    calls = []

    def fails(problem):
        calls.append(problem)
        return problem.rows > 3

    _, tries = reduced(failing(lambda p: p.rows > 10)[0], fails, limit=20)
    assert tries == len(calls) <= 20


def test_the_same_failure_reduces_to_the_same_problem():
    def fails(problem):
        return problem.classes > 5 and problem.rows > 1

    problem = failing(fails)[0]
    texts = {to_text(forward(reduced(problem, fails)[0])) for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize("target", [np.array([0, 3, -100]), np.eye(4)[[0, 3, 1]]])
def test_dropping_rows_and_classes_keeps_the_rest_aligned(target):
    logits = np.arange(12.0).reshape(3, 4)
    problem = Problem(logits, target, np.array([1.0, 2.0, 3.0, 4.0]), reduction="none", sentinel=-100)
    fewer = keep_rows(problem, np.array([1, 2]))
    assert np.array_equal(fewer.logits, logits[1:])
    assert np.array_equal(fewer.target, target[1:])
    narrower = keep_classes(problem, np.array([0, 1, 3]))
    assert np.array_equal(narrower.logits, logits[:, [0, 1, 3]])
    assert np.array_equal(narrower.weight, [1.0, 2.0, 4.0])
    if target.ndim == 1:
        assert narrower.target.tolist() == [0, 2, -100]
        assert keep_classes(problem, np.array([1, 2])).target.tolist() == [0, 0, -100], "lost labels: the first class"


def test_an_ignored_class_moves_with_the_classes():
    problem = Problem(np.zeros((2, 4)), np.array([3, 0]), ignore_index=3)
    narrower = keep_classes(problem, np.array([0, 3]))
    assert (narrower.ignore_index, narrower.target.tolist()) == (1, [1, 0])
    assert keep_classes(problem, np.array([0, 1])) is None, "the ignored class would be lost"


def test_calls_that_must_be_rejected_can_be_reduced_too():
    """A target of the wrong shape, or a weight of the wrong length, goes with no choice of classes."""
    logits = np.zeros((4, 3), np.float32)
    for problem in (
        Problem(logits, np.zeros((4, 1), np.int64)),
        Problem(logits, np.zeros(4, np.int64), np.ones(5, np.float32)),
    ):
        small, _ = reduced(problem, lambda p: p.logits.size > 0)
        assert small.logits.size > 0


@pytest.mark.parametrize("requirement", [r for r in load().values() if r.reducible], ids=lambda r: r.id)
def test_no_step_makes_a_correct_implementation_fail(requirement):
    """A requirement about numbers of a certain kind says nothing about the others that reducing comes to."""
    subject, chance = Subject.of(NumpyBackend(), "float32"), random.Random(0)
    if requirement.not_applicable(subject):
        pytest.skip("not applicable")

    def wandering(candidate):
        assert not [f for f in findings(requirement, Trial(subject, candidate)) if f.failed], candidate
        return chance.random() < 0.4

    for trial in islice(trials(subject, requirement.source, Settings("quick")), 2):
        for derived, _ in islice(judge(requirement, trial), 1):
            within = partial(reduction.within_claims, requirement, subject, derived.problem)
            Reducer(derived.problem, wandering, 30, within).run()


def test_values_become_round_behind_the_strides_that_a_failure_needs():
    values = np.array([0.41, 7.5, 0.53, 7.5, -1.5, 7.5], dtype=np.float32)
    problem = Problem(values[::2], np.array(1), reduction="none", cotangent=np.array(1.0, dtype=np.float32))
    small, _ = reduced(problem, lambda p: not p.logits.flags.c_contiguous)
    assert small.logits.strides == (8,)
    assert small.logits.tolist() == [0, 0]


@pytest.mark.parametrize("layout", [*LAYOUTS[1:], REPEATED])
def test_rows_and_classes_are_left_out_behind_the_strides_that_a_failure_needs(layout):
    """Of 40 rows and 50 classes two each remain, laid out as before."""
    logits = laid_out(np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32), layout)
    problem = Problem(logits, np.arange(40) % 50, reduction="sum", cotangent=np.array(1.0, dtype=np.float32))
    contiguous = logits.flags.c_contiguous
    small, _ = reduced(problem, lambda p: p.logits.flags.c_contiguous == contiguous and min(p.logits.shape) > 1)
    assert small.logits.shape == (2, 2)
    assert [step > 0 for step in small.logits.strides] == [step > 0 for step in logits.strides]
    assert (small.logits.strides[0] < small.logits.strides[1]) == (logits.strides[0] < logits.strides[1])
    assert not small.logits.any()


@pytest.mark.parametrize("array", ["logits", "target", "weight"])
def test_of_several_strided_arrays_only_those_stay_strided_that_a_failure_needs(array):
    problem = Problem(
        np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::2],
        np.arange(4)[::2],
        weight=np.arange(1, 7, dtype=np.float32)[::2],
        reduction="none",
    )
    small, _ = reduced(problem, lambda p: p.weight is not None and not getattr(p, array).flags.c_contiguous)
    assert [name for name, a in small.arrays().items() if not a.flags.c_contiguous] == [array]


def test_places_are_left_out_along_each_axis_of_what_must_be_spatial():
    logits = np.random.default_rng(0).normal(size=(3, 5, 17, 23)).astype(np.float32)
    problem = Problem(logits, np.zeros((3, 17, 23), int), reduction="none", cotangent=np.ones((3, 17, 23), np.float32))
    small, _ = reduced(problem, lambda p: p.logits.ndim == 4 and p.logits.shape[2] != p.logits.shape[3] > 1)
    assert small.logits.shape == (1, 1, 1, 2)
    assert small.target.shape == small.cotangent.shape == (1, 1, 2)


def test_of_many_values_those_remain_that_a_failure_needs():
    logits = np.random.default_rng(0).normal(size=(1, 10000)).astype(np.float32)
    needed = [17, 4242, 9999]
    problem = Problem(logits, np.zeros(1, int), reduction="sum", cotangent=np.array(1.0, dtype=np.float32))
    small, _ = reduced(problem, lambda p: p.classes == 10000 and p.logits[0, needed].all())
    assert np.flatnonzero(small.logits).tolist() == needed


def test_the_finding_shown_is_one_of_the_reduced_problem_where_the_last_call_holds(monkeypatch):
    """Each problem fails as often as it is tried, and not once more."""
    seen = []

    def accepted(problem):
        return Accepted(quantity="rows", calls=(forward(problem),), what=f"{problem.rows} rows", got="")

    def found(requirement, trial, *, examine=True):
        seen.append(trial.problem)
        times = sum(problem is trial.problem for problem in seen)
        return [Held(quantity="rows") if times > AGAIN else accepted(trial.problem)]

    monkeypatch.setattr(reduction, "findings", found)
    subject = Subject.of(NumpyBackend(), "float32")
    large = Problem(np.zeros((5, 3), np.float32), np.zeros(5, np.int64), reduction="sum")
    small = reduction.reduce(load()["accuracy.loss"], subject, Failing(Trial(subject, large), accepted(large)))
    assert small.problem.rows == 1
    assert small.message.startswith("1 rows accepted")


def test_reducing_ends_in_time_where_each_call_is_slow(monkeypatch):
    """What is as small as it became by then is shown, and that the time ran out is said."""
    clock, everything = iter(range(0, 10**6, 10)), []

    def found(requirement, trial, *, examine=True):
        everything.append(trial.problem)
        rows = trial.problem.rows
        return [Accepted(quantity="rows", calls=(forward(trial.problem),), what=f"{rows} rows", got="")]

    monkeypatch.setattr(reduction, "findings", found)
    monkeypatch.setattr(time_left, "monotonic", lambda: next(clock))
    subject = Subject.of(NumpyBackend(), "float32")
    large = Problem(np.ones((64, 9), np.float32), np.zeros(64, np.int64), reduction="sum")
    failing = Failing(Trial(subject, large), *found(None, Trial(subject, large)))
    small = reduction.reduce(load()["accuracy.loss"], subject, failing)
    assert small.message == f"{small.problem.rows} rows accepted by cross_entropy:  (reducing stopped after 40 s)"
    assert small.problem.logits.size < large.logits.size
    assert len(everything) < 40


def test_reducing_stays_within_what_is_claimed():
    """Without the reduction that reducing prefers, and with targets that must be distributions."""
    everything = NumpyBackend().capabilities
    documented = {"unnormalised_targets": "https://example.org"}
    conventions = replace(everything.conventions, unnormalised_targets="undefined", documentation=documented)
    claims = replace(everything, reductions=("none", "mean"), conventions=conventions)
    subject, tried = Subject.of(NumpyBackend(capabilities=claims), "float32"), []
    target = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], np.float32)
    problem = Problem(np.ones((3, 2), np.float32), target, reduction="mean", cotangent=np.float32(1))

    def fails(candidate):
        tried.append(candidate)
        return True

    within = partial(reduction.within_claims, load()["accuracy.loss"], subject, problem)
    Reducer(problem, fails, LIMIT, within).run()
    assert len(tried) > 3
    assert {p.reduction for p in tried} <= {"none", "mean"}
    for p in tried:
        assert p.target.astype(float).sum(axis=-1) == pytest.approx(1, abs=1e-6)


def test_the_largest_numbers_stay_finite():
    """Rounding them, or taking the difference of two, overflows: that is no simpler number."""
    largest = np.finfo(np.float64).max
    problem = Problem(np.array([[largest, -largest / 2]]), np.array([0]), reduction="sum")

    def fails(candidate):
        assert np.isfinite(candidate.logits).all()
        return np.abs(candidate.logits).max() > largest / 4

    assert np.isfinite(Reducer(problem, fails, LIMIT).run().logits).all()
