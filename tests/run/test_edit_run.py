"""Editing and running in turn: stopping at the first failure, and judging again what failed."""

import json

import pytest

WRONG = {"return Vjp(": "return Vjp(2 * "}
CHOSEN = ("--profile", "quick", "--only", "gradients,edges", "--dtypes", "float32")


def lines(folder):
    return [json.loads(line) for line in (folder / "record.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_that_stops_at_the_first_failure_has_one_and_can_be_resumed(xent, adapter, output, workers):
    path = adapter(changes=WRONG)
    done = xent("run", path, *CHOSEN, "--fail-fast", "-n", workers)
    assert done.returncode == 1, done.stderr
    assert "stopped at the first failure: continue with --resume" in done.stderr
    _, *found = lines(output)
    assert [line["status"] for line in found].count("fail") == 1
    assert found[-1]["status"] == "fail"
    rest = xent("run", path, *CHOSEN, "--resume")
    assert rest.returncode == 1, rest.stderr
    _, *all_of_them, footer = lines(output)
    assert footer["kind"] == "footer"
    assert len(all_of_them) > len(found)


def test_a_run_without_failures_is_whole_though_it_would_have_stopped(xent, adapter, output):
    done = xent("run", adapter(), *CHOSEN, "--fail-fast")
    assert done.returncode == 0, done.stderr
    assert lines(output)[-1]["kind"] == "footer"


def test_what_failed_is_judged_again_until_nothing_fails(xent, adapter, output):
    path = adapter(changes=WRONG)
    assert xent("run", path, *CHOSEN).returncode == 1
    failed = {line["requirement"] for line in lines(output)[1:-1] if line["status"] == "fail"}
    adapter()
    done = xent("run", path, "--profile", "quick", "--dtypes", "float32", "--last-failed")
    assert done.returncode == 0, done.stderr
    assert {line["requirement"] for line in lines(output)[1:-1]} == failed
    again = xent("run", path, "--last-failed")
    assert again.returncode == 0
    assert "has no failures" in again.stdout


def test_failures_of_no_run_of_another_one_and_of_one_to_be_finished_are_wrong_use(xent, adapter):
    assert "--last-failed needs an earlier run" in (done := xent("run", "numpy", "--last-failed")).stderr
    assert done.returncode == 2
    assert xent("run", adapter(), "--profile", "quick", "--only", "edges", "--dtypes", "float32").returncode == 0
    assert "has other backends: ./my_backend.py" in (done := xent("run", "numpy", "--last-failed")).stderr
    assert done.returncode == 2
    done = xent("run", "numpy", "--last-failed", "--resume")
    assert (done.returncode, "cannot be used together" in done.stderr) == (2, True)
