"""Tasks that take turns: in which order, what ends them, and whose time it is."""

import time

import pytest

from xent_conformance.calling.turns import AT_ONCE, by_turns, clock, yield_turn


@pytest.fixture
def steps():
    """Make a task that notes each of its steps and gives way after it."""
    noted = []

    def task(name, count=3):
        def run():
            for number in range(count):
                noted.append(f"{name}{number}")
                yield_turn()
            noted.append(f"{name}.")

        return run

    task.noted = noted
    return task


def test_two_tasks_take_turns_and_a_third_begins_when_one_has_ended(steps):
    by_turns(steps(name) for name in "abc")
    assert steps.noted == ["a0", "b0", "a1", "b1", "a2", "b2", "a.", "c0", "b.", "c1", "c2", "c."]


def test_one_at_a_time_is_one_after_the_other(steps):
    by_turns([steps("a", 2), steps("b", 1)], at_once=1)
    assert steps.noted == ["a0", "a1", "a.", "b0", "b."]


def test_a_task_is_made_only_when_its_time_has_come(steps):
    made = []

    def tasks():
        for number in range(5):
            made.append(number)
            yield lambda: steps("t", 1)() or made.append("ended")

    by_turns(tasks())
    assert made == [0, 1, "ended", 2, "ended", 3, "ended", 4, "ended", "ended"]


def test_what_a_task_raises_comes_out_and_ends_the_others(steps):
    ended = []

    def endless():
        try:
            while True:
                yield_turn()
        finally:
            ended.append(True)

    with pytest.raises(ZeroDivisionError):
        by_turns([endless, lambda: 1 / 0])
    assert ended == [True]
    with pytest.raises(KeyboardInterrupt):
        by_turns([endless, lambda: (_ for _ in ()).throw(KeyboardInterrupt)])
    assert ended == [True, True]


def test_outside_of_tasks_yielding_does_nothing():
    yield_turn()
    assert AT_ONCE > 1


def test_the_time_of_a_task_is_without_others_turns():
    taken = []

    def idle():
        start = clock()
        yield_turn()
        taken.append(clock() - start)

    by_turns([idle, lambda: time.sleep(0.3)])
    assert taken[0] < 0.3
