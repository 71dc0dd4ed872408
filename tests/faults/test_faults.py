"""Every fault is a verdict on the requirement it is aimed at, or a clear error, and nothing to all others."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from faults.catalogue import ONLY, Fault, all_faults
from faults.table import survived
from xent_conformance import cli
from xent_conformance.records.record import read
from xent_conformance.records.status import BROKEN, FAILED, OK

FAULTS = all_faults()


@pytest.fixture(scope="session")
def judged(tmp_path_factory):
    """Run `xent run` on a fault; gives the exit code and the record."""

    def run(fault: Fault):
        folder = tmp_path_factory.mktemp("fault")
        (folder / "hostile.py").write_text(fault.source(), "utf-8")
        arguments = ["run", str(folder / "hostile.py"), "--profile", "quick", "--dtypes", "float32"]
        arguments += ["-n", fault.workers]
        arguments += ["--timeout", str(fault.timeout), "--output", str(folder), *(f"--only={name}" for name in ONLY)]
        return cli.main(arguments), folder / "record.jsonl"

    return run


@pytest.fixture(scope="session")
def clean(judged):
    """The verdicts of the adapter without a fault."""
    code, record = judged(Fault("none", "is what it should be", when="False"))
    assert code == 0
    return lines(record)


def lines(path):
    """Verdicts of a complete record by requirement, without what differs from run to run."""
    record = read(path)
    assert record.footer is not None
    return {v.requirement: replace(v, seconds=0.0, device="") for v in record.verdicts}


@pytest.mark.parametrize("fault", FAULTS, ids=[f.name.replace(" ", "-") for f in FAULTS])
def test_a_fault_is_a_verdict_and_nothing_to_others(fault, judged, clean, capfd):
    code, record = judged(fault)
    if fault.broken:
        assert code == BROKEN
        assert fault.message in capfd.readouterr().err
        return
    found = lines(record)
    changed = {i: v.status for i, v in found.items() if v.status != clean[i].status}
    by_order = {i for i in fault.by_order if changed.get(i) == "fail"}
    assert {i: status for i, status in changed.items() if i not in by_order} == fault.verdicts
    assert code == (FAILED if fault.verdicts else OK)
    for identifier, verdict in found.items():
        if identifier not in {*fault.verdicts, *by_order}:
            assert fault.everywhere or verdict == clean[identifier]
        else:
            assert verdict.status in ("vacuous", "not-applicable") or verdict.failures[0].text
    failures = [failure for i in fault.verdicts for failure in found[i].failures]
    assert not failures or any(fault.message in failure.message for failure in failures)
    # Of failures that say the same of the same call one is enough.
    alike = {(failure.kind, failure.quantity, failure.call): failure for failure in failures}
    printed = [outcome_of(failure.reproducer, record.parent) for failure in alike.values()]
    silent = [text for text in printed if not text.endswith("WRONG\n")]
    assert fault.needs_the_run or not silent, silent


def outcome_of(script, folder):
    """What a script prints in a process of its own; it exits with 1 where it shows the failure, else with 0."""
    path = folder / "script.py"
    # A call that never comes back need not be waited for as long as by a person.
    path.write_text(script.replace("LIMIT = 20 ", "LIMIT = 2 "), "utf-8")
    # Not a pipe: a process that is left behind would hold it open.
    with (folder / "printed.txt").open("w+", encoding="utf-8") as printed:
        options = {"cwd": folder, "stdout": printed, "stderr": printed, "timeout": 60, "start_new_session": True}
        done = subprocess.run([sys.executable, path], check=False, **options)
        printed.seek(0)
        text = printed.read()
    assert done.returncode == text.endswith("WRONG\n"), (script, text)
    return text


def test_names_of_faults_are_their_own():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 45


def test_the_table_is_what_the_catalogue_says():
    path = Path(__file__).with_name("SURVIVED.md")
    assert path.read_text("utf-8") == survived(), (
        "run: PYTHONPATH=tests python -m faults.table > tests/faults/SURVIVED.md"
    )
