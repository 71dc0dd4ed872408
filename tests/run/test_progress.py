"""How far a long command is: told now and then in a pipe, in one line on a terminal, and never between lines."""

import io

import pytest

from xent_conformance.cli import main
from xent_conformance.progress import Progress


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
