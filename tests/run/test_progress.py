"""How far a long command is: told now and then in a pipe, in one line on a terminal, and never between lines."""

import io
from dataclasses import replace

import pytest

from xent_conformance.cli import main
from xent_conformance.console import Console
from xent_conformance.progress import Progress
from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.status import Level, Status
from xent_conformance.verdicts.first import FirstFailure


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    """Seconds that pass when they are waited for; ``waits`` has how long each time."""

    class Clock:
        now, waits = 0.0, []

        def __call__(self):
            return self.now

        def times(self, count):
            self.waits = []

            def waited(seconds):
                self.waits.append(seconds)
                self.now += seconds
                return len(self.waits) > count

            return waited

    return Clock()


def test_a_pipe_gets_a_line_every_ten_seconds_and_nothing_in_between(clock):
    stream = io.StringIO()
    progress = Progress(stream, clock=clock)
    for step in range(30):
        progress.update(f"numpy float32 step-{step}", step, 120)
    assert stream.getvalue() == ""
    progress.repeat(clock.times(2))
    assert clock.waits == [10.0, 10.0, 10.0]
    assert stream.getvalue().splitlines() == [
        "[29/120] 0:00:10, about 0:00:31 left  numpy float32 step-29",
        "[29/120] 0:00:20, about 0:01:03 left  numpy float32 step-29",
    ]


def test_no_time_is_expected_before_enough_is_done_or_without_a_total(clock):
    stream = io.StringIO()
    progress = Progress(stream, clock=clock)
    progress.update("first", 1, 1000)
    progress.repeat(clock.times(1))
    progress.update("10 comparisons")
    progress.repeat(clock.times(1))
    assert stream.getvalue() == "[1/1000] 0:00:10  first\n0:00:30  10 comparisons\n"


def test_a_terminal_has_one_line_that_moves_on_and_makes_room_for_others(clock):
    stream = Terminal()
    progress = Progress(stream, clock=clock)
    progress.update("x" * 200, 1, 2)
    progress.print("fail: something")
    progress.repeat(clock.times(1))
    first, second = stream.getvalue().split("\n")
    assert clock.waits == [1.0, 1.0]
    assert first.startswith("\r\x1b[K[1/2] 0:00:00, about 0:00:00 left  xxx")
    assert first.endswith("\r\x1b[Kfail: something")
    assert second.startswith("\r\x1b[K[1/2] 0:00:01")
    assert len(second) == len("\r\x1b[K") + 78


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_what_is_not_to_be_shown_is_not(stream):
    with Progress(stream, shown=False) as progress:
        progress.update("hidden", 1, 2)
        progress.print("a problem")
    assert stream.getvalue() == "a problem\n"


def test_a_run_says_what_it_is_doing(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    # At the end instead of every ten seconds.
    monkeypatch.setattr(Progress, "repeat", lambda self, waited: (waited(600), self._paint()))
    assert main(["run", "numpy", "--profile", "quick", "--dtypes", "float32", "--only", "identities.softplus"]) == 0
    assert "[1/1] 0:00:0" in capsys.readouterr().err


@pytest.fixture
def shown():
    """A console that nothing was shown on yet, and what it prints."""
    stream = io.StringIO()
    return Console(Progress(stream), 2), stream


FIRST = FirstFailure("mine", "float32", "accuracy.loss", Status.FAIL, "loss[0] is 2, expected 1 within 0.5", 2.0)


def test_a_run_says_that_it_still_tries_a_backend(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("xent_conformance.progress.LINES", 0.05)
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1)\nfrom xent_backends.numpy_backend import backend\n")
    chosen = "--profile", "quick", "--only", "purity.repeatable", "-n", "1"
    spec = str(tmp_path / "slow.py")
    assert main(["run", spec, *chosen, "--output", str(tmp_path / "report")]) == 0
    assert f"  importing and trying {spec}\n" in capsys.readouterr().err


def test_the_first_failure_is_said_before_its_verdict(shown):
    console, stream = shown
    console.announce(FIRST)
    console.announce(replace(FIRST, requirement="edges.overflow"))
    message = "loss[0] is 2, expected 1 within 0.5 (2 times the bound)"
    assert stream.getvalue() == f"✗ fail mine float32 accuracy.loss: {message}; a small problem that shows it follows\n"


def test_a_failure_after_a_verdict_that_fails_waits_for_its_own(shown):
    console, stream = shown
    about = {"backend": "mine", "requirement": "edges.overflow", "dtype": "float32", "device": "cpu"}
    failed = {"level": Level.MUST, "examples": 1, "exercised": 1, "status": Status.ERROR, "reason": "the suite failed"}
    console.show(VerdictLine(**about, **failed))
    console.announce(FIRST)
    assert stream.getvalue() == "! error mine float32 edges.overflow: the suite failed\n"
