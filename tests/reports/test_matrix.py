"""The matrix: worst status and largest ratio of each cell, and each dtype below."""

from __future__ import annotations

from pathlib import Path

import records

from xent_conformance.records.record import read
from xent_conformance.records.status import Status
from xent_reports.accuracy import TIGHTEST_TIER
from xent_reports.matrix import Row, columns, families
from xent_reports.model import Run, run_of

V = records.verdict


def run_with(tmp_path: Path, *verdicts: dict[str, object]) -> Run:
    """The run of some verdicts."""
    return run_of(read(records.run(tmp_path / "r.jsonl", *verdicts)))


def rows(run: Run) -> list[Row]:
    """All rows, of all families."""
    return [row for family in families(run) for row in family.rows]


def test_a_cell_has_the_worst_status_and_the_largest_ratio_of_its_dtypes(tmp_path: Path) -> None:
    """One failing dtype makes the cell fail; its link leads to that dtype."""
    run = run_with(
        tmp_path,
        V("torch", "a.x", "float16", ratio=0.5),
        V("torch", "a.x", "bfloat16", "fail", ratio=98.2, failures=[records.failure()]),
        V("torch", "a.x", "float32", "not-applicable"),
        V("jax", "a.y"),
    )
    row = next(row for row in rows(run) if row.requirement.id == "a.x")
    assert row.cells[0].word == "not run"
    cell = row.cells[1]
    assert (cell.text, cell.word, cell.href) == ("✗ 99", "fail", "#a.x--torch--bfloat16")
    assert [(line.dtype, [c and c.text for c in line.cells]) for line in row.by_dtype] == [
        ("float16", [None, "✓ 0.5"]),
        ("bfloat16", [None, "✗ 99"]),
        ("float32", [None, "–"]),
    ]


def test_a_ratio_that_is_not_a_number_is_the_largest(tmp_path: Path) -> None:
    """nan wins over every finite ratio."""
    run = run_with(tmp_path, V("torch", "a.x", "float16", ratio="nan"), V("torch", "a.x", "float32", ratio=0.5))
    assert rows(run)[0].cells[0].text == "✓ nan"


def test_a_cell_without_a_verdict_is_not_run(tmp_path: Path) -> None:
    """What was not judged has a glyph of its own, never that of a pass."""
    run = run_with(tmp_path, V("torch", "a.x"), V("jax", "a.y"))
    cells = {row.requirement.id: [cell.status for cell in row.cells] for row in rows(run)}
    assert [b.name for b in run.available] == ["jax", "torch"]
    assert cells == {"a.x": [None, Status.PASS], "a.y": [Status.PASS, None]}
    assert rows(run)[0].cells[0].word == "not run"


def test_what_fails_comes_first_and_is_open_and_backends_with_fewest_failures_lead(tmp_path: Path) -> None:
    """The order answers the first questions: what is broken, and who breaks least. Families without one are folded."""
    run = run_with(
        tmp_path,
        V("torch", "a.x"),
        V("torch", "b.z"),
        V("torch", "b.y", status="fail"),
        *(V("numpy", name) for name in ("a.x", "b.y", "b.z")),
    )
    assert [b.name for b in run.available] == ["numpy", "torch"]
    found = families(run)
    assert [(f.name, f.is_open, [r.requirement.id for r in f.rows]) for f in found] == [
        ("b", True, ["b.y", "b.z"]),
        ("a", False, ["a.x"]),
    ]
    assert [[cell.text for cell in f.cells] for f in found] == [["✓ 2", "✗ 1"], ["✓ 1", "✓ 1"]]


def test_the_only_backend_has_a_column_for_each_dtype(tmp_path: Path) -> None:
    """It uses the width; what is judged once for all dtypes has one cell across."""
    run = run_with(
        tmp_path,
        V("torch", "a.x", "float16", ratio=0.5),
        V("torch", "a.x", "float32", "fail", ratio=98.2, failures=[records.failure()]),
        V("torch", "a.y", "all"),
    )
    assert columns(run) == ["float16", "float32"]
    cells = {row.requirement.id: [cell.text for cell in row.cells] for row in rows(run)}
    assert cells == {"a.x": ["✓ 0.5", "✗ 99"], "a.y": ["✓"]}
    assert columns(run_with(tmp_path, V("torch", "a.x"), V("jax", "a.x"))) == ["jax", "torch"]


def test_dtypes_that_agree_share_a_line(tmp_path: Path) -> None:
    """A requirement without ratios that every dtype passes takes one line."""
    run = run_with(tmp_path, *(V(name, "a.x", dtype) for name in ("torch", "jax") for dtype in records.DTYPES))
    (line,) = rows(run)[0].by_dtype
    assert line.dtype == "float16, bfloat16, float32, float64"


def test_a_passing_cell_says_on_how_many_problems_it_rests(tmp_path: Path) -> None:
    """Of those judged, how many had what the requirement is about; where it was not judged, why."""
    run = run_with(
        tmp_path,
        V("torch", "a.x", "float16", examples=1200, exercised=300, ratio=0.5),
        V("torch", "a.x", "float32", "not-applicable", examples=0, exercised=0, reason="torch does not claim it"),
    )
    assert [[cell and cell.basis for cell in line.cells] for line in rows(run)[0].by_dtype] == [
        ["300/1,200"],
        ["does not claim it"],
    ]


def test_one_name_on_two_devices_is_two_columns(tmp_path: Path) -> None:
    """The label has the device where the name alone does not tell."""
    run = run_with(tmp_path, V("torch", "a.x"), V("torch", "a.x", device="cuda", status="fail"))
    assert [b.name for b in run.available] == ["torch (cpu)", "torch (cuda)"]
    assert [cell.status for cell in rows(run)[0].cells] == [Status.PASS, Status.FAIL]


def test_an_observation_has_no_ratio_and_leads_to_what_was_seen(tmp_path: Path) -> None:
    """A bound that nobody must meet says nothing in the matrix."""
    run = run_with(
        tmp_path,
        V("torch", "a.x", status="observed", level="OBSERVED", observed="nan", ratio=0.4),
        V("torch", TIGHTEST_TIER, status="observed", level="OBSERVED", observed="form A", ratio=0.4),
    )
    cells = {row.requirement.id: row.cells[0] for row in rows(run)}
    assert (cells["a.x"].text, cells["a.x"].href) == ("·", "#observed")
    assert cells[TIGHTEST_TIER].href == "#tiers"


def test_a_ratio_next_to_nothing_is_written_as_such(tmp_path: Path) -> None:
    """An exponent would draw the eye to the cell that deserves it least."""
    run = run_with(
        tmp_path, V("torch", "a.x", ratio=7.8e-14), V("jax", "a.x", ratio=0.0), V("numpy", "a.x", ratio=0.001)
    )
    assert sorted(cell.text for cell in rows(run)[0].cells) == ["✓ 0", "✓ 0.001", "✓ ≈0"]


def test_a_dtype_is_told_in_words_for_many_backends(tmp_path: Path) -> None:
    """Who does not pass by name, the others together."""
    run = run_with(
        tmp_path,
        V("torch", "a.x", ratio=0.5),
        V("jax", "a.x", status="fail", ratio=98.0, failures=[records.failure()]),
        V("numpy", "a.x", ratio=0.25),
        V("optax", "a.x", status="not-applicable", examples=0, exercised=0, reason="r"),
    )
    (line,) = rows(run)[0].by_dtype
    assert line.summary([b.name for b in run.available]) == "– optax; ✗ 98 jax; others ✓ ≤ 0.5"
