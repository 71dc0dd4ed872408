"""`xent bench`: figures for calls with a right loss only, in the form that the report reads. No time is asserted."""

import json

import pytest

from xent_conformance.cli import main
from xent_conformance.records.status import FAILED, OK, USAGE
from xent_reports.benchmarks import speed

WRONG = """
from dataclasses import dataclass
from xent_backends import numpy_backend


@dataclass(frozen=True)
class Wrong(numpy_backend.NumpyBackend):
    name: str = "wrong"

    def cross_entropy(self, logits, target, **options):
        if logits.shape[1] > 8:
            raise RuntimeError("no room")
        loss = super().cross_entropy(logits, target, **options)
        return loss * loss.dtype.type(1.001) if logits.shape[1] > 4 else loss


backend = Wrong()
"""


def bench(*arguments):
    return main(["bench", *arguments, "--seconds", "0.001"])


def test_the_report_reads_what_is_written(tmp_path, capsys):
    file = tmp_path / "speed.json"
    assert bench("numpy", "--shapes", "3x4,2x3x2x2", "--output", str(file)) == OK
    timings = speed(file)
    assert {(t.rows, t.classes) for t in timings} == {(3, 4), (8, 3)}
    assert {t.dtype for t in timings} == {"float32", "bfloat16"}
    assert {t.quantity for t in timings} == {"loss", "loss and gradient"}
    for entry in json.loads(file.read_text())["benchmarks"]:
        info, stats = entry["extra_info"], entry["stats"]
        assert info["bytes_per_second"] == pytest.approx(info["bytes"] / stats["median"])
        assert info["of_copy"] == pytest.approx(stats["median"] / info["copy_seconds"])
    assert "2x3x2x2  bfloat16  numpy" in capsys.readouterr().out


def test_a_call_that_is_wrong_or_raises_at_a_shape_has_no_figure_there(tmp_path, capsys):
    (tmp_path / "wrong.py").write_text(WRONG)
    file = tmp_path / "speed.json"
    shapes = "3x4,3x5,3x9"
    assert bench(str(tmp_path / "wrong.py"), "--shapes", shapes, "--dtypes", "float32", "--output", str(file)) == FAILED
    losses = [t for t in speed(file) if t.quantity == "loss"]
    assert [t.classes for t in losses] == [4]
    why = {entry["classes"]: entry["why"] for entry in json.loads(file.read_text())["left_out"]}
    assert "expected" in why[5]
    assert why[9] == "raised RuntimeError: no room"
    assert why[9] in capsys.readouterr().out


NATIVE = """
from dataclasses import dataclass, replace
from xent_backends import numpy_backend
from xent_conformance.interface import Precision

CLAIMS = replace(numpy_backend.CAPABILITIES, precision=Precision(batch_sum="native"))


@dataclass(frozen=True)
class Native(numpy_backend.NumpyBackend):
    capabilities: object = CLAIMS
    factor: float = 1.0

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        return (loss * self.factor).astype(loss.dtype)


backend, wrong = Native(), Native(factor=1.05)
"""


@pytest.mark.parametrize(("name", "code"), [("backend", OK), ("wrong", FAILED)])
def test_where_the_mean_of_many_rows_has_no_bound_each_row_is_judged(name, code, tmp_path, capsys):
    (tmp_path / "native.py").write_text(NATIVE)
    shape = ("--shapes", "300x3", "--dtypes", "bfloat16")
    assert bench(f"{tmp_path / 'native.py'}:{name}", *shape) == code
    assert ("the loss of row" in capsys.readouterr().out) == (code == FAILED)


def test_a_shape_beyond_the_memory_is_left_out_and_said(capsys):
    assert bench("numpy", "--shapes", "3x4,300x400", "--dtypes", "float32", "--memory", "0.001") == OK
    assert "more than --memory" in capsys.readouterr().out


def test_a_shape_with_more_rows_than_are_claimed_is_left_out_and_said(tmp_path, capsys):
    (tmp_path / "few.py").write_text(
        "from dataclasses import replace\nfrom xent_backends.numpy_backend import CAPABILITIES, NumpyBackend\n"
        "backend = NumpyBackend(capabilities=replace(CAPABILITIES, max_rows=6))\n"
    )
    assert bench(str(tmp_path / "few.py"), "--shapes", "2x4x3,2x4x4", "--dtypes", "float32") == OK
    assert "8 rows are not claimed" in (said := capsys.readouterr().out)
    assert "6 rows" not in said


def test_a_callable_is_timed(capsys):
    assert bench("numpy:xent_backends.numpy_cross_entropy.cross_entropy", "--shapes", "3x4") == OK
    assert "loss" in capsys.readouterr().out


@pytest.mark.parametrize("shapes", ["3", "3x0", "x", "3xa"])
def test_a_shape_that_is_none_is_wrong_use(shapes, capsys):
    assert bench("numpy", "--shapes", shapes) == USAGE
    assert "4096x1000" in capsys.readouterr().err
