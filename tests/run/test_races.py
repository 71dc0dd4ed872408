"""A failure that comes by chance, as that of a race between threads, is described as one, not by what its calls have.

The chance is a count of all calls in a file, so that it differs between new processes that make the same calls.
"""

import re
import subprocess
import sys

import pytest

#: How many of a hundred calls with more than 20 rows lose a part of the sum.
RARELY, A_THIRD, NEARLY_ALL = 8, 33, 90
SUMMED = "            losses = losses.sum() / weights.sum()"


def racing(path, often):
    """Changes of the adapter: of the calls with more than 20 rows and a mean, so many of a hundred are wrong."""
    chance = f"""
import os
import zlib


def lost():
    file = os.open({str(path)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b".")
    count = os.fstat(file).st_size
    os.close(file)
    return zlib.crc32(str(count).encode()) % 100 < {often}


class MyBackend:"""
    lossy = "            losses = losses[1 if len(losses) > 20 and lost() else 0 :].sum() / weights.sum()"
    return {"class MyBackend:": chance, SUMMED: lossy}


@pytest.mark.parametrize("often", [RARELY, A_THIRD, NEARLY_ALL])
def test_a_race_is_one_cause_that_does_not_show_every_time(xent, adapter, verdicts, tmp_path, often):
    arguments = ["--dtypes", "float32", "--only", "accuracy,identities.row-*,layout", "-n", "1"]
    ran = xent("run", adapter(changes=racing(tmp_path / "calls", often)), *arguments)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "1 cause, " in ran.stdout, ran.stdout
    assert "my-backend, not every time: loss is " in ran.stdout, ran.stdout
    failures = [failure for verdict in verdicts() for failure in verdict["failures"]]
    assert all(failure["intermittent"] and not failure["situation"] for failure in failures), ran.stdout
    assert all(re.search(r" \(in \d+ of \d+ identical (calls|tries)\)", failure["message"]) for failure in failures)


def test_the_script_of_a_race_makes_its_call_until_it_is_wrong(xent, adapter, verdicts, tmp_path):
    changes = racing(tmp_path / "calls", A_THIRD)
    arguments = ["--dtypes", "float32", "--only", "accuracy.every-row-count", "-n", "1"]
    assert xent("run", adapter(changes=changes), *arguments).returncode == 1
    failure, *_ = (failure for verdict in verdicts() for failure in verdict["failures"])
    path = tmp_path / "script.py"
    path.write_text(failure["reproducer"], "utf-8")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.endswith("WRONG\n"), (done.stdout, done.stderr)
    assert done.returncode == 1
