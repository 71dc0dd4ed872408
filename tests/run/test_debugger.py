"""``--in-process``: a debugger and ``print`` work in an adapter, and quitting the debugger is nobody's answer."""

import os
import pty
import subprocess
import sys

import pytest

CHOSEN = ("--profile", "quick", "--dtypes", "float32", "--only", "identities.softplus,invalid_calls")
METHOD = "        log_p, _, weights, label ="
#: In the thirtieth call, one of those that loading does not make.
STOPS = {
    "import numpy as np\n": "import numpy as np\n\nCALLS = []\n",
    METHOD: f"        CALLS.append(1)\n        if len(CALLS) == 30:\n            {{}}\n{METHOD}",
}


def stops(line):
    return {old: new.replace("{}", line) for old, new in STOPS.items()}


@pytest.fixture
def debugged(tmp_path):
    """Run a module of ours with what is typed into it."""

    def run(module, *arguments, typed):
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=tmp_path,
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_debugger_opens_in_an_adapter_and_changes_no_verdict(xent, debugged, adapter, verdicts):
    command = ("run", adapter(changes=stops("breakpoint()")), *CHOSEN)
    assert xent("run", adapter("plain.py"), *CHOSEN, "--in-process", "--output", "plain").returncode == 0
    done = debugged("xent_conformance.cli", *command, "--in-process", typed="p len(CALLS)\nc\n")
    assert done.returncode == 0, done.stderr
    assert "(Pdb) 30" in done.stdout
    assert verdicts() == verdicts("plain")


def test_a_failure_stays_one_though_a_debugger_stops_in_it(debugged, adapter, verdicts):
    wrong = {"if logits.dtype not in (np.float32, np.float64):": "if logits.dtype == complex:"}
    path = adapter(changes={**stops("breakpoint()"), **wrong})
    only = ("--profile", "quick", "--only", "dtypes.logits-must-be-floating,identities")
    assert debugged("xent_conformance.cli", "run", path, *only, "--in-process", typed="c\n").returncode == 1
    assert "dtypes.logits-must-be-floating" in {v["requirement"] for v in verdicts() if v["status"] == "fail"}


@pytest.mark.parametrize("quit_by", ["q\n", ""])
def test_quitting_the_debugger_ends_the_run_and_judges_nothing(debugged, adapter, verdicts, quit_by):
    path = adapter(changes=stops("breakpoint()"))
    done = debugged("xent_conformance.cli", "run", path, *CHOSEN, "--in-process", typed=quit_by)
    assert done.returncode == 3
    assert "xent: the debugger was quit: finish the run with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [v for v in verdicts() if v["status"] not in ("pass", "not-applicable")]


def test_a_debugger_without_a_terminal_is_an_error_that_says_how_to_have_one(xent, adapter):
    done = xent("run", adapter(changes={METHOD: f"        breakpoint()\n{METHOD}"}), *CHOSEN)
    assert done.returncode == 3
    assert "breakpoint(): a debugger works with --in-process only" in done.stderr
    done = xent("run", adapter(changes=stops("breakpoint()")), *CHOSEN, "--in-process", "-n", "2")
    assert done.returncode == 3
    assert "a debugger works with one process only" in done.stderr


def test_a_stop_in_an_isolated_call_never_passes_for_a_refusal(xent, adapter, verdicts):
    refusal = "if logits.dtype not in (np.float32, np.float64):\n"
    path = adapter(changes={refusal: f"{refusal}            breakpoint()\n"})
    done = xent("run", path, "--profile", "quick", "--only", "dtypes.logits-must-be-floating")
    assert done.returncode == 1, done.stderr
    assert [v["status"] for v in verdicts()] == ["crash"]


def test_what_an_adapter_prints_is_on_the_terminal_whole(adapter, tmp_path):
    path = adapter(changes=stops("print('seen', 'here')"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "xent_conformance.cli", "run", path, *CHOSEN, "--in-process"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(60) == 0
    assert b"seen here\r\n" in shown.splitlines(keepends=True)


@pytest.mark.parametrize(("typed", "code"), [("c\n", 0), ("q\n", 2)])
def test_a_debugger_opens_under_pytest_too(debugged, adapter, typed, code):
    options = ("--xent-in-process", "--xent-profile=quick", "--xent-dtypes=float32", "--xent-only=identities")
    path = adapter(changes=stops("breakpoint()"))
    done = debugged(
        "pytest", "--pyargs", "xent_conformance.requirements", f"--xent-backend={path}", *options, typed=typed
    )
    assert "(Pdb)" in done.stdout
    assert done.returncode == code, done.stdout
    assert "failed" not in done.stdout
