"""Situations that failing problems share, and the facts they are put together from."""

import numpy as np

from mutants.numpy_twin import NumpyTwin
from xent_conformance.causes.factors import factors
from xent_conformance.causes.rules import situations
from xent_conformance.judging.profiles import Settings, problems
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.strategies.streams import JOINT


def _drawn():
    subject = Subject.of(NumpyTwin(), "float32")
    return [factors(problem) for problem, _ in problems(subject, JOINT, Settings())]


def _split(wrong):
    drawn = _drawn()
    return [f for f in drawn if wrong(f)], [f for f in drawn if not wrong(f)]


def test_one_fault_is_one_situation():
    failing, passing = _split(lambda f: {"reduction mean", "every row ignored"} <= f)
    (only,) = situations(failing, passing)
    assert set(only.facts) == {"reduction mean", "every row ignored"}
    assert len(only.failing) == len(failing)


def test_two_faults_are_two_situations():
    failing, passing = _split(lambda f: {"smoothing", "ignored rows"} <= f or {"spatial", "class weights"} <= f)
    found = situations(failing, passing)
    assert {frozenset(s.facts) for s in found} == {
        frozenset({"smoothing", "ignored rows"}),
        frozenset({"spatial", "class weights"}),
    }
    assert sorted(place for s in found for place in s.failing) == list(range(len(failing)))


def test_a_fault_that_shows_in_half_of_its_situation_is_still_one():
    drawn = _drawn()
    smoothed = [f for f in drawn if "smoothing" in f]
    failing = smoothed[::2]
    passing = smoothed[1::2] + [f for f in drawn if "smoothing" not in f]
    assert [s.facts for s in situations(failing, passing)] == [("smoothing",)]


def test_without_failures_there_is_no_situation():
    assert situations([], _drawn()) == []


def test_facts_name_options_sizes_and_layouts():
    problem = Problem(
        np.zeros((3, 40), np.float32)[::-1], np.array([-100, -100, -100]), label_smoothing=1.0, sentinel=-100
    )
    assert {
        "reduction mean",
        "full smoothing",
        "no class weights",
        "every row ignored",
        "more than 32 classes",
        "at most 63 classes",
        "reversed logits",
        "int64 labels",
    } <= factors(problem)
