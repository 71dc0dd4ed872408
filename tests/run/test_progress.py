"""How far a long command is: told now and then in a pipe, in one line on a terminal, and never between lines."""

import io
from dataclasses import replace

import pytest

from xent_conformance.cli import main
from xent_conformance.console import Console, summary
from xent_conformance.progress import Progress
from xent_conformance.records.lines import ArrayLine, Failure, ProblemLine, VerdictLine
from xent_conformance.records.status import Level, Status
from xent_conformance.verdicts.first import FirstFailure

#: A loss that takes a few milliseconds.
SLOW = """
import time
from xent_backends.numpy_cross_entropy import cross_entropy

def loss(logits, target, reduction="mean"):
    time.sleep(0.005)
    return cross_entropy(logits, target, reduction=reduction)
"""


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


def test_a_run_says_which_requirements_it_is_judging(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("xent_conformance.progress.LINES", 0.05)
    (tmp_path / "slow.py").write_text(SLOW)
    chosen = "--profile", "quick", "--dtypes", "float32", "--only", "accuracy.loss*,fused_linear.loss", "-n", "1"
    assert main(["run", "numpy:./slow.py:loss", *chosen]) == 0
    said = capsys.readouterr().err
    assert "/3] 0:00:0" in said
    assert "  numpy-slow.loss float32 accuracy.loss and 1 more\n" in said
    assert "fused_linear" not in said


def test_the_step_that_is_under_way_is_said_while_verdicts_come(shown):
    console, stream = shown
    console.notice("mine float32 accuracy.loss and 3 more")
    console.show(VerdictLine(**ABOUT, level=Level.MUST, examples=1, exercised=1, status=Status.PASS))
    console._progress._paint()
    assert "[1/2] " in stream.getvalue()
    assert stream.getvalue().endswith("  mine float32 accuracy.loss and 3 more\n")


def test_a_wrong_result_beside_a_crash_is_not_said_to_be_one(shown):
    console, stream = shown
    one = ArrayLine(dtype="float32", shape=(1,), values=[0.0])
    problem = ProblemLine(logits=one, target=one, reduction="sum")
    alike = {"quantity": "loss", "problem": problem, "text": "cross_entropy(logits, target)"}
    lost = Failure(kind="lost", message="cross_entropy died of SIGSEGV", **alike)
    wrong = Failure(kind="accepted", message="label -1 accepted by cross_entropy", **alike)
    counts = {"level": Level.MUST, "examples": 2, "exercised": 2, "status": Status.CRASH}
    console.show(VerdictLine(**ABOUT, **counts, failures=(lost, wrong)))
    first, _, second, _ = stream.getvalue().splitlines()
    assert first.startswith("☠ crash mine float32 edges.overflow: cross_entropy died")
    assert second.startswith("✗ fail mine float32 edges.overflow: label -1 accepted")


def test_the_lines_of_a_message_are_not_taken_for_those_of_the_problem(shown):
    console, stream = shown
    one = ArrayLine(dtype="float32", shape=(1,), values=[0.0])
    problem = ProblemLine(logits=one, target=one, reduction="sum")
    message = "cross_entropy raised ValueError: no such label\n  [Hint: expected 0]\n (at loss.py:30)"
    text = "cross_entropy(logits, target)\nlogits: float32 (1,) = [0]"
    raised = Failure(kind="raised", message=message, quantity="loss", problem=problem, text=text)
    line = VerdictLine(**ABOUT, level=Level.MUST, examples=1, exercised=1, status=Status.FAIL, failures=(raised,))
    console.show(line)
    first, second = stream.getvalue().splitlines()
    assert first.endswith("raised ValueError: no such label [Hint: expected 0] (at loss.py:30)")
    assert second == "    cross_entropy(logits, target); logits: float32 (1,) = [0]"
    assert summary(line).splitlines()[0].startswith("cross_entropy raised ValueError: no such label [Hint")


@pytest.fixture
def shown():
    """A console that nothing was shown on yet, and what it prints."""
    stream = io.StringIO()
    return Console(Progress(stream), 2), stream


FIRST = FirstFailure("mine", "float32", "accuracy.loss", Status.FAIL, "loss[0] is 2, expected 1 within 0.5", 2.0)
ABOUT = {"backend": "mine", "requirement": "edges.overflow", "dtype": "float32", "device": "cpu"}


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
    failed = {"level": Level.MUST, "examples": 1, "exercised": 1, "status": Status.ERROR, "reason": "the suite failed"}
    console.show(VerdictLine(**ABOUT, **failed))
    console.announce(FIRST)
    assert stream.getvalue() == "! error mine float32 edges.overflow: the suite failed\n"
