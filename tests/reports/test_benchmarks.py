"""Speed from pytest-benchmark's file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import matrices
import pytest
import records

import xent_reports
from xent_conformance.records.record import RecordError
from xent_reports import benchmarks

B = matrices.benchmark


def test_times_are_shown_beside_the_fastest(tmp_path: Path) -> None:
    """By quantity and size; benchmarks of something else are left out."""
    other = {"name": "test_suite", "extra_info": {}, "stats": {"median": 1.0}}
    found = [B("torch", 2e-5), B("jax", 5e-5), other, B("jax", 8e-3, classes=1000), B("torch", 2e-5, classes=1000)]
    speed = matrices.written(tmp_path / "b.json", {"benchmarks": found})
    run = records.run(tmp_path / "r.jsonl", records.verdict("torch", "a.x"), records.verdict("jax", "a.x"))
    page = xent_reports.render(run, tmp_path / "out", speed=speed).read_text("utf-8")
    page = re.sub(r'<svg class=bar[^>]*><path d="M0 5h([\d.]+)"/></svg>', r"\1 %", page)
    rows = [line for line in page.splitlines() if line.startswith("<tr><th>loss, float32, 64 ×")]
    assert [row.replace("<bdi>", "").replace("</bdi>", "").removeprefix("<tr><th>loss, float32, ") for row in rows] == [
        "64 × 10<td>jax<td>50 µs<td>100 %<td>10 µs<td>2.5×",
        "64 × 10<td>torch<td>20 µs<td>40 %<td>10 µs<td>1×",
        "64 × 1,000<td>jax<td>8 ms<td>100 %<td>10 µs<td>400×",
        "64 × 1,000<td>torch<td>20 µs<td>0.25 %<td>10 µs<td>1×",
    ]


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"benchmarks": {}},
        {"benchmarks": [7]},
        {"benchmarks": []},
        {"benchmarks": [{"name": "x", "extra_info": {}, "stats": {}}]},
        {"benchmarks": [{**B("torch"), "stats": None}]},
        {"benchmarks": [{**B("torch"), "stats": {"median": "1", "iqr": 1.0}}]},
        {"benchmarks": [B("torch", float("nan"))]},
        {"benchmarks": [B("torch", -1.0)]},
        {"benchmarks": [B("torch", rows="64")]},
        {"benchmarks": [{**B("torch"), "extra_info": {"backend": "torch"}}]},
    ],
    ids=str,
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, content: Any) -> None:
    """Whatever is odd about it."""
    with pytest.raises(RecordError, match=r"b\.json: n"):
        benchmarks.speed(matrices.written(tmp_path / "b.json", content))


def test_the_speed_section_is_fed_by_our_own_benchmarks(tmp_path: Path) -> None:
    """What ``pytest benchmarks/test_backend_speed.py`` writes is what the report reads."""
    pytest.importorskip("pytest_benchmark")
    written = tmp_path / "speed.json"
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    quick = ["-k", "numpy and 10", "--benchmark-max-time=0.01", "--benchmark-min-rounds=1", "--benchmark-warmup=off"]
    command = [sys.executable, "-m", "pytest", "-q", str(folder / "test_backend_speed.py"), *quick]
    command.append(f"--benchmark-json={written}")
    # Beside other tests pytest-benchmark measures nothing.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=alone)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert {(row.backend, row.quantity) for row in benchmarks.speed(written)} == {
        ("numpy", "loss"),
        ("numpy", "loss and gradient"),
    }
