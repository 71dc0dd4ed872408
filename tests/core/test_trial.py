"""What trials share: answers of the same problem, and the softmax of the same logits."""

import numpy as np

from mutants.numpy_twin import NumpyTwin
from xent_conformance.judging.judge import judge
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load

SUBJECT = Subject.of(NumpyTwin(), "float32")


def trial():
    logits = np.arange(6, dtype=np.float32).reshape(2, 3)
    return Trial(SUBJECT, Problem(logits, np.array([2, 2]), cotangent=np.array(1.5, np.float32)))


def test_the_same_problem_in_another_layout_has_the_same_answer_and_bounds():
    one = trial()
    other = one.laid_out(one.problem.with_(logits=np.asfortranarray(one.problem.logits)))
    assert other.answer is one.answer
    assert other.bounds is one.bounds
    assert np.array_equal(other.loss(), one.loss())


def test_another_problem_shares_the_softmax_of_the_same_array_and_nothing_else():
    one = trial()
    smoothed = one.related(one.problem.with_(label_smoothing=0.5))
    moved = one.related(one.problem.with_(logits=one.problem.logits + 1))
    assert smoothed.answer.parts is one.answer.parts
    assert smoothed.answer is not one.answer
    assert smoothed.answer.loss.value != one.answer.loss.value
    assert moved.answer.parts is not one.answer.parts


def test_problems_that_are_derived_share_the_softmax_of_their_original():
    one = trial()
    views = [derived for derived, _ in judge(load()["layout.loss"], one)]
    same = [view for view in views if view.problem.logits is one.problem.logits]
    assert same
    assert all(view.answer.parts is one.answer.parts for view in same)
    assert len({id(view.answer) for view in views}) == len(views)
