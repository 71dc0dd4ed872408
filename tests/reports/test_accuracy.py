"""Accuracy charts: errors by class count and dtype."""

from __future__ import annotations

import math
from pathlib import Path

import records

from xent_conformance.records.record import read
from xent_reports.accuracy import Point, accuracy, tiers
from xent_reports.charts import Axes, chart
from xent_reports.model import Run, run_of

V = records.verdict


def bins(*entries: tuple[int, object, object]) -> list[dict[str, object]]:
    """Bins of a verdict from class counts, ratios and errors in ULP."""
    return [{"classes": c, "count": 1, "ratio": ratio, "ulp": ulp} for c, ratio, ulp in entries]


def run_with(tmp_path: Path, *verdicts: dict[str, object]) -> Run:
    """The run of some verdicts."""
    return run_of(read(records.run(tmp_path / "r.jsonl", *verdicts)))


def test_a_point_is_the_largest_of_all_must_requirements_of_its_family(tmp_path: Path) -> None:
    """Ratios about another bound than the declared one, SHOULD and OBSERVED, do not mix in."""
    run = run_with(
        tmp_path,
        V("torch", "accuracy.loss", bins=bins((2, 0.5, 1.0), (8, 0.25, 2.0))),
        V("torch", "accuracy.softmax", bins=bins((2, 0.25, 3.0))),
        V("torch", "accuracy.in-float32", level="SHOULD", bins=bins((2, 9.0, 9.0))),
        V("torch", "gradients.logits", bins=bins((4, 0.75, 4.0))),
        V("torch", "layout.strides", bins=bins((4, 0.9, 4.0))),
    )
    first, second = accuracy(run)
    assert (first.family, first.requirements) == ("accuracy", ["accuracy.loss", "accuracy.softmax"])
    assert first.panels[0].points == {("float32", 2): Point(0.5, 3.0, 2), ("float32", 8): Point(0.25, 2.0, 1)}
    assert second.panels[0].series("float32") == [(4, 0.75)]


def test_a_chart_draws_what_is_not_finite_at_its_border(tmp_path: Path) -> None:
    """Zero lies on the lower border, infinite and nan on the upper one; the words name the largest."""
    run = run_with(
        tmp_path, V("torch", "accuracy.loss", bins=bins((1, 0.0, 0.0), (2, "nan", "nan"), (4, "inf", "inf")))
    )
    (group,) = accuracy(run)
    axes = Axes(group.panels)
    assert axes.y(math.nan) == axes.y(math.inf) <= axes.y(1e300) < axes.y(1.0) < axes.y(0.0)
    drawn = chart(group.panels[0], axes, ["float32"])
    assert 'aria-label="torch: largest float32 nan at C=2"' in drawn


def test_a_chart_of_one_point_has_a_marker(tmp_path: Path) -> None:
    """A single class count is a line of no length: its ends are marked."""
    run = run_with(tmp_path, V("torch", "accuracy.loss", bins=bins((8, 0.5, 1.0))))
    (group,) = accuracy(run)
    assert "l0 0" in chart(group.panels[0], Axes(group.panels), ["float32"])


def test_the_tightest_tier_is_a_table_of_backends_and_dtypes(tmp_path: Path) -> None:
    """What accuracy.tightest-tier observed, dtypes from narrow to wide."""
    name = "accuracy.tightest-tier"
    run = run_with(
        tmp_path,
        V("torch", name, "float32", "observed", observed="float32 internals, form A"),
        V("torch", name, "float16", "observed", observed="every operation rounded, form B"),
        V("jax", name, "float32", "observed", observed="float32 internals, form B"),
    )
    assert tiers(run) == (
        ["float16", "float32"],
        [
            ("jax", ["", "float32 internals, form B"]),
            ("torch", ["every operation rounded, form B", "float32 internals, form A"]),
        ],
    )


def test_the_largest_error_in_ulp_names_the_fewest_classes_it_is_seen_with(tmp_path: Path) -> None:
    """A dtype without points has none."""
    found = [V("torch", "accuracy.loss", "float16", bins=bins((2, 0.1, 4.0), (8, 0.2, 4.0), (4, 0.3, 1.0)))]
    (group,) = accuracy(run_with(tmp_path, *found))
    assert group.panels[0].largest_ulp("float16") == (4.0, 2)
    assert group.panels[0].largest_ulp("float64") is None
