"""The pytest plugin: ordinary items, options with one prefix, nothing heavy in an unrelated run."""

import os
import subprocess
import sys

import pytest


def run_pytest(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_requirements_are_items_of_ones_own_suite(tmp_path):
    done = run_pytest(
        tmp_path,
        "--pyargs",
        "xent_conformance.requirements",
        "--xent-backend=numpy",
        "--xent-profile=quick",
        "-k",
        "labels-out-of-range or purity.repeatable",
        "-v",
    )
    assert done.returncode == 0, done.stdout
    assert "::purity.repeatable[numpy-bfloat16] PASSED" in done.stdout
    assert "::invalid_calls.labels-out-of-range[numpy-float32] PASSED" in done.stdout
    assert "8 passed" in done.stdout


def test_no_backend_is_a_usage_error_that_says_so(tmp_path):
    done = run_pytest(tmp_path, "--pyargs", "xent_conformance.requirements")
    assert "choose a backend: --xent-backend" in done.stdout + done.stderr
    assert "1 error in" in done.stdout
    assert done.returncode in (2, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--xent-backend=nope"], "known: jax"),
        (["--xent-backend=numpy", "--xent-backend=./broken.py"], "ZeroDivisionError"),
        (["--xent-backend=numpy", "--xent-timeout=0"], "a timeout is"),
    ],
)
def test_what_cannot_be_judged_is_said_once_and_nothing_is_collected(tmp_path, arguments, message):
    (tmp_path / "broken.py").write_text("1 / 0")
    done = run_pytest(tmp_path, "--pyargs", "xent_conformance.requirements", *arguments)
    assert (done.stdout + done.stderr).count(message) == 1
    assert done.returncode == 4


def test_every_option_begins_with_the_prefix(pytestconfig):
    parser = pytestconfig._parser
    (group,) = [g for g in parser._groups if g.name == "xent"]
    assert all(name.startswith("--xent-") for option in group.options for name in option.names())


@pytest.mark.parametrize("module", ["xent_conformance", "xent_conformance.plugin"])
def test_importing_pulls_in_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in ('numpy', 'hypothesis', 'torch', 'jax') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
