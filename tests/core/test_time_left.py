"""The time for reducing and explaining the failures of a verdict is one, and a witness says that it ran out."""

from dataclasses import replace
from itertools import islice

import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.calling.compilations import Compilations, NotCompiledError
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.tally import Tally
from xent_conformance.witnesses import behind, time_left
from xent_conformance.witnesses.calls_before import calls_before
from xent_conformance.witnesses.time_left import TimeLeft


class TwoFaults(NumpyTwin):
    """Losses of spatial logits, and of smoothed ones, are wrong in different ways."""

    def row_losses(self, call):
        losses = super().row_losses(call) * (0.5 if call.eps else 1)
        if call.logits.ndim > 2:
            losses[-1:] = 7
        return losses


@pytest.fixture
def clock(monkeypatch):
    """A list with the time."""
    now = [0.0]
    monkeypatch.setattr(time_left, "monotonic", lambda: now[0])
    return now


def causes():
    subject, tally, judged = Subject.of(TwoFaults(), "float32"), Tally(), load()["accuracy.loss"]
    for trial in islice(trials(subject, judged.source, Settings()), 60):
        for derived, found in judge(judged, trial):
            tally.count(derived, found, excused=False)
    return behind.causes(judged, subject, tally.failing)


def test_time_is_over_after_its_seconds_and_stays_so(clock):
    time = TimeLeft(5.0)
    assert not time.is_over()
    assert not time.ran_out
    clock[0] = 5.0
    assert time.is_over()
    clock[0] = 0.0
    assert time.is_over()
    assert time.ran_out


def test_half_of_the_time_that_is_left_begins_now(clock):
    time = TimeLeft(8.0)
    clock[0] = 2.0
    half = time.half()
    clock[0] = 4.9
    assert not half.is_over()
    clock[0] = 5.0
    assert half.is_over()
    assert not time.is_over()


def test_what_takes_long_is_made_once_and_then_until_the_time_is_over(clock):
    def made():
        for number in range(9):
            clock[0] += 2
            yield number

    assert list(TimeLeft(5.0).within(made())) == [0, 1, 2]
    assert list(TimeLeft(1.0).within(made())) == [0]
    assert list(TimeLeft(99.0).within(made())) == [*range(9)]


def test_a_quick_run_reduces_for_a_shorter_time_unless_it_is_compilations_that_take_long():
    subject = Subject.of(TwoFaults(), "float32")
    compiled = replace(subject, compilations=Compilations(40))
    assert Settings("quick").reducing(subject) < Settings().reducing(subject) < Settings("quick").reducing(compiled)


def test_where_the_time_is_over_after_reducing_nothing_is_explained_and_no_other_failure_is_reduced(clock, monkeypatch):
    assert len(causes()) > 1
    assert all(cause.needs.situation for cause in causes())
    reduce = behind.reduce

    def slow(*arguments):
        witness = reduce(*arguments)
        clock[0] += 1000
        return witness

    monkeypatch.setattr(behind, "reduce", slow)
    (cause,) = causes()
    assert cause.needs.situation == ()
    assert cause.witness.problem.logits.size < 4
    assert cause.witness.message.endswith("(reducing stopped after 90 s)")


def test_the_calls_before_a_failure_are_reduced_no_further_when_the_time_is_over(clock):
    class Caller:
        """Calls nothing; its new processes are counted."""

        executor = property(lambda self: self)
        processes = 0

        def renewed(self):
            self.processes += 1

        def perform(self, _):
            clock[0] += 1

    caller = Caller()
    calls = calls_before(caller, list("abcdefgh"), lambda: True, TimeLeft(1.0))
    assert (calls, caller.processes) == (tuple("abcdefgh"), 1)
    assert calls_before(caller, list("abcdefgh"), lambda: True, TimeLeft(1000.0)) == ()


def test_of_the_calls_before_a_failure_those_are_left_out_that_would_be_compiled_once_too_often():
    class Caller:
        """Refuses every call; its new processes cost nothing."""

        executor = property(lambda self: self)
        renewed = staticmethod(lambda: True)

        def perform(self, _):
            raise NotCompiledError

    assert calls_before(Caller(), ["a", "b"], lambda: True, TimeLeft(9.0)) == ()
