"""How much a profile judges: shares of fixed lists."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from xent_conformance.interface import Capabilities
from xent_conformance.judging.profiles import PROFILES, Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.problem import Problem
from xent_conformance.requirements.sweeps import class_counts, every_lane
from xent_conformance.strategies import EVERYTHING


@dataclass(frozen=True)
class Named:
    """A backend that is never called."""

    capabilities: Capabilities = EVERYTHING
    name: str = "never called"

    def cross_entropy(self, logits, target, **options):
        raise AssertionError


#: One that compiles every shape.
COMPILING = Named(replace(EVERYTHING, static_shapes=True))
SUBJECT = Subject.of(Named(), "float32")


def numbered(count):
    return [Problem(np.full((1, 2), i, np.float32), np.array([0])) for i in range(count)]


@dataclass(frozen=True)
class Given:
    """A list of problems as a source, which is not registered."""

    problems: list[Problem]
    least: int | None = None

    def __call__(self, subject):
        return self.problems


def taken(profile, count, seed=0, least=None):
    problems = Settings(profile, seed).share(Given(numbered(count), least), SUBJECT)
    return [int(p.logits[0, 0]) for p in problems]


def test_a_source_may_be_judged_on_fewer_problems_than_a_profile_takes_at_least():
    assert [len(taken("quick", 2, least=least)) for least in (None, 1, 2)] == [2, 1, 2]
    assert {taken("quick", 2, seed, least=1)[0] for seed in range(20)} == {0, 1}
    assert len(taken("default", 2, least=1)) == 2


@pytest.mark.parametrize("profile", ["quick", "default"])
def test_a_share_is_one_of_the_problems_with_as_few_rows_as_are_claimed(profile):
    rows = [1, 2, 300] * 40
    listed = [Problem(np.full((n, 2), i, np.float32), np.zeros(n, np.int64)) for i, n in enumerate(rows)]
    claims = replace(EVERYTHING, max_rows=2)
    few = Subject.of(Named(claims), "float32")
    found = [int(p.logits[0, 0]) for p in Settings(profile).share(Given(listed), few)]
    within = [i for i, n in enumerate(rows) if n <= 2]
    assert len(found) == (len(within) if profile == "default" else len(within) // 16)
    assert set(found) <= set(within)


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("most", [1, 3, 64])
def test_every_lane_leads_somewhere_however_few_rows_are_claimed(static, most):
    few = Subject.of(Named(replace(EVERYTHING, static_shapes=static, max_rows=most)), "float32")
    leading: dict[int, set[int]] = {}
    for problem in every_lane(few):
        assert problem.rows <= most
        leading.setdefault(problem.classes, set()).update(np.argmax(problem.logits, axis=1).tolist())
    assert len(leading) == (2 if static else len(class_counts(SUBJECT)))
    assert static or all(lanes == set(range(classes)) for classes, lanes in leading.items() if classes <= 65)


@pytest.mark.parametrize("profile", ["default", "thorough"])
def test_default_and_thorough_take_every_problem_of_a_list(profile):
    assert taken(profile, 100) == list(range(100))


def test_quick_takes_a_share_spread_over_the_whole_list():
    found = taken("quick", 160)
    assert len(found) == 10
    assert [place // 16 for place in found] == list(range(10))


def test_quick_takes_short_lists_whole_and_empty_ones_as_they_are():
    short = PROFILES["quick"].least
    assert taken("quick", short) == list(range(short))
    assert taken("quick", 0) == []


def test_the_seed_decides_which_and_every_problem_has_its_turn():
    assert taken("quick", 60, 1) == taken("quick", 60, 1)
    assert set().union(*(taken("quick", 60, seed) for seed in range(80))) == set(range(60))


def test_quick_keeps_to_one_shape_where_each_is_compiled():
    subject = Subject.of(COMPILING, "float32")
    every, quick = list(every_lane(subject)), list(Settings("quick", 0).share(every_lane, subject))
    assert len({p.logits.shape for p in every}) == 2
    assert {p.logits.shape for p in quick} == {every[0].logits.shape}


def test_every_lane_of_the_first_shape_leads_somewhere_where_each_shape_is_compiled():
    first = next(p.logits.shape for p in every_lane(Subject.of(COMPILING, "float32")))
    problems = [p for p in every_lane(Subject.of(COMPILING, "float32")) if p.logits.shape == first]
    assert {int(lane) for p in problems for lane in p.logits.argmax(axis=1)} == set(range(first[1]))
