"""Inputs that are written to after the call has returned."""

import numpy as np
import pytest

from xent_conformance.calling import late
from xent_conformance.calling.guarded import Guarded
from xent_conformance.calling.late import AFTER, EVERY, LARGEST, MOST, Held


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that a test sets."""

    class Clock:
        now = 100.0
        slept = 0.0

        @classmethod
        def sleep(cls, seconds):
            cls.now, cls.slept = cls.now + seconds, cls.slept + seconds

    monkeypatch.setattr(late, "monotonic", lambda: Clock.now)
    monkeypatch.setattr(late, "sleep", Clock.sleep)
    return Clock


def inputs(size=3):
    return {"logits": Guarded(np.zeros(size)), "target": Guarded(np.zeros(2, np.int64))}


def test_a_write_after_the_call_is_seen_by_waiting_once(clock):
    held, given = Held(), inputs()
    held.add(given)
    given["logits"].view[1] = 1
    assert held.changed() == ("logits of an earlier call",)
    assert clock.slept == pytest.approx(AFTER)
    clock.now += EVERY
    held.add(inputs())
    assert held.changed() == ("logits of an earlier call",)
    assert clock.slept == pytest.approx(AFTER)


def test_a_write_is_seen_by_looking_between_calls_and_remembered(clock):
    held, given = Held(), inputs()
    held.add(given)
    given["logits"].view[1] = 1
    clock.now += AFTER
    held.look()
    assert held.changed() == ("logits of an earlier call",)
    assert not clock.slept


def test_a_write_beside_an_input_is_seen_too():
    held, given = Held(), inputs()
    held.add(given)
    given["target"].memory[0] ^= 1
    assert held.changed() == ("target of an earlier call",)


def test_what_is_left_alone_is_not_blamed():
    held = Held()
    held.add(inputs())
    assert held.changed() == ()


def test_few_small_inputs_are_held(clock):
    held = Held()
    for _ in range(3 * MOST):
        held.add(inputs())
    assert len(held._inputs) == 1
    for _ in range(3 * MOST):
        clock.now += EVERY
        held.add(inputs())
    assert len(held._inputs) == MOST
    clock.now += AFTER
    held.look()
    held.add(inputs(LARGEST))
    assert not held._inputs
