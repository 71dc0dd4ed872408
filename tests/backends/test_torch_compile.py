"""Losses compiled by torch: the closed form, one program for all shapes, nothing uncompiled, no side effects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")

SCRIPT = Path(__file__).with_name("compile_calls.py")


def process(*names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What functions of the script print."""
    command = [sys.executable, str(SCRIPT), *names]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=500
    )


def printed(*names: str) -> list[str]:
    """The lines that functions of the script print."""
    done = process(*names)
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


def test_losses_are_the_closed_form_by_one_program_for_all_shapes_and_every_call_is_compiled() -> None:
    assert printed("left_alone", "closed_form", "compiled") == [
        "True",
        "1 True",
        "0 True",
        "True",
        "False",
        "UncompiledError: torch runs the function without compiling it",
    ]


def test_a_loss_is_compiled_in_the_mode_of_this_name() -> None:
    assert printed("mode") == ["True True"]


def test_scripts_give_bitwise_what_the_adapter_gives() -> None:
    assert [line.rpartition(" ")[2] for line in printed("script")] == ["True"] * 8


def test_without_a_cpp_compiler_the_backend_is_unavailable_and_says_so() -> None:
    done = process("left_alone", CXX="/nowhere/g++")
    assert "BackendUnavailableError: torch.compile does not work here: InvalidCxxCompiler" in done.stderr
