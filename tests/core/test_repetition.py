"""A failure comes by chance if the same calls fail in some new processes only; kept state does the same in each."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load
from xent_conformance.witnesses.repetition import PROCESSES, TIMES_OF_LARGER, repeated, times
from xent_conformance.witnesses.time_left import TimeLeft

WRONG = object()
SMALL = Problem(np.zeros((2, 3), "float32"), np.array([0, 1]))
JUDGED = load()
OFTEN = 24
LARGE = Problem(np.zeros((1, (1 << 18) + 1), "float32"), np.array([0]))


@dataclass
class Processes:
    """A caller that counts its processes and the calls made in each; ``wrong`` says which calls fail."""

    wrong: object
    number: int = 0
    calls: int = 0
    recent: list = field(default_factory=list)

    @property
    def executor(self):
        return self

    def renewed(self):
        self.number, self.calls = self.number + 1, 0
        self.recent.clear()
        return True

    def perform(self, call):
        self.calls += 1
        self.recent.append(call)

    def judged(self, _):
        self.perform("judged")
        return WRONG if self.wrong(self.number, self.calls) else None


def tried(wrong, before=(), often=OFTEN):
    processes = Processes(wrong)
    return repeated(processes, SMALL, processes.judged, TimeLeft(100.0), often, before), processes


def test_what_fails_every_time_costs_one_process():
    done, processes = tried(lambda *_: True)
    assert not done.by_chance
    assert done.first is WRONG
    assert (processes.number, done.tries, len(done.failed)) == (1, OFTEN, OFTEN)


@pytest.mark.parametrize(
    "wrong",
    [lambda _, call: call > 1, lambda _, call: call == 1, lambda _, call: call % 2 == 0, lambda *_: False],
    ids=["after the first call", "in the first call", "every other call", "never"],
)
def test_what_fails_in_the_same_calls_of_each_process_does_not_come_by_chance(wrong):
    done, processes = tried(wrong)
    assert not done.by_chance
    assert processes.number == PROCESSES
    assert (done.first is WRONG) == wrong(1, 1)


@pytest.mark.parametrize(
    "wrong",
    [lambda process, call: (process * 31 + call) % 7 == 0, lambda process, _: process == 2],
    ids=["some calls", "all calls of a process"],
)
def test_what_fails_in_other_calls_of_another_process_comes_by_chance(wrong):
    done, processes = tried(wrong)
    assert done.by_chance
    assert processes.number == 2
    assert 0 < len(done.failed) < done.tries


def test_earlier_calls_are_made_in_each_process_and_the_calls_until_the_first_judgment_are_known():
    done, processes = tried(lambda _, call: call == 5, before=("one", "two"))
    assert not done.by_chance
    assert done.made == ("one", "two", "judged")
    assert processes.calls == 2 + OFTEN


def test_a_large_problem_is_judged_less_often_and_once_where_effects_of_earlier_calls_are_judged():
    assert times(JUDGED["accuracy.loss"], SMALL) == OFTEN
    assert times(JUDGED["accuracy.loss"], LARGE) == TIMES_OF_LARGER
    assert times(JUDGED["purity.surroundings"], SMALL) == 1


def test_what_is_judged_once_costs_one_process():
    done, processes = tried(lambda *_: False, often=1)
    assert (done.first, done.tries, processes.number) == (None, 1, 1)


def test_when_the_time_is_over_no_other_process_is_started():
    processes = Processes(lambda *_: False)
    assert len(repeated(processes, SMALL, processes.judged, TimeLeft(0.0), OFTEN).runs) == 1
