"""Losses over ranks: the closed form; ranks that disagree, die or wait; the end of all ranks with their process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

SCRIPT = Path(__file__).with_name("parallel_calls.py")


def printed(name: str) -> list[str]:
    """The lines that a function of the script prints."""
    done = subprocess.run([sys.executable, SCRIPT, name], capture_output=True, text=True, check=False, timeout=120)
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def test_losses_and_gradients_are_those_of_one_process_however_classes_are_divided() -> None:
    assert printed("closed_form") == ["2 True", "3 True"]


def test_scripts_give_bitwise_what_the_adapter_gives() -> None:
    assert printed("script") == [
        "cross_entropy cross_entropy_vjp log_softmax log_softmax_vjp",
        "cross_entropy_vjp True",
        "log_softmax_vjp True",
    ]


def test_ranks_that_do_not_do_the_same_are_an_error_that_names_them_and_are_replaced() -> None:
    assert printed("failures") == [
        "RanksError: ranks disagree: rank 0 returned [0.0], rank 1 returned [1.0]",
        "RanksError: rank 1 of 3 raised KeyError: 'no'; ranks 0, 2 did not return",
        "IndexError: on rank 0",
        "RanksError: rank 1 of 3 died of signal 9",
        "[[0.0, 4.0, 8.0], [2.0, 6.0, 10.0]] [2, 4]",
    ]


def test_ranks_that_hang_end_with_a_process_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, SCRIPT, "hang"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        numbers = process.stdout.readline().split()
        assert len(numbers) == 2
        process.kill()
    deadline = time.monotonic() + 60
    while any(alive(number) for number in numbers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(number) for number in numbers)


def alive(number: str) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
