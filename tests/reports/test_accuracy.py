"""Accuracy charts: errors by class count and dtype."""

from __future__ import annotations

import math
from pathlib import Path

import records

from xent_conformance.records.record import read
from xent_reports.accuracy import Point, Tier, accuracy, tiers
from xent_reports.charts import Axes, chart, clipped
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
    assert "<title>torch: largest float32 nan at C=2</title>" in drawn


def test_a_chart_of_one_point_has_a_marker(tmp_path: Path) -> None:
    """A single class count is a line of no length: its ends are marked."""
    run = run_with(tmp_path, V("torch", "accuracy.loss", bins=bins((8, 0.5, 1.0))))
    (group,) = accuracy(run)
    assert "l0 0" in chart(group.panels[0], Axes(group.panels), ["float32"])


def test_the_tightest_tier_is_a_table_of_backends_and_dtypes(tmp_path: Path) -> None:
    """What accuracy.tightest-tier observed, dtypes from narrow to wide: the tier, the share of its bound, the next."""
    name = "accuracy.tightest-tier"
    full = (
        "every operation rounded, form B (largest ratio 0.22); not met: float32 internals, form A (40 times its bound)"
    )
    run = run_with(
        tmp_path,
        V("torch", name, "float32", "observed", observed="float32 internals, form A (largest ratio 0)"),
        V("torch", name, "float16", "observed", observed=full),
        V("jax", name, "float32", "observed", observed="none; not met: float32 internals, form B"),
    )
    assert tiers(run) == (
        ["float16", "float32"],
        [
            ("jax", [Tier(), Tier("none; not met: float32 internals, form B")]),
            (
                "torch",
                [
                    Tier("every operation rounded, form B", 0.22, "float32 internals, form A (40 times its bound)"),
                    Tier("float32 internals, form A", 0.0),
                ],
            ),
        ],
    )


def test_a_clipped_point_is_marked_where_it_lies_and_explained(tmp_path: Path) -> None:
    """Triangles for what lies outside the axes; their meanings stand in the legend where there is such a point."""
    run = run_with(
        tmp_path,
        V("torch", "accuracy.loss", bins=bins((2, 0.0, 0.0), (4, 0.5, 1.0), (8, 1e9, 1e9))),
        V("jax", "accuracy.loss", bins=bins((4, 0.5, 1.0))),
    )
    (group,) = accuracy(run)
    axes = Axes(group.panels)
    inside, outside = (chart(panel, axes, ["float32"]) for panel in group.panels)
    assert outside.count('class="k s0"') == 1
    assert 'class="k' not in inside
    assert clipped(group.panels, axes) == ["△ above 10,000, or not finite", "▽ below 0.1, or exact"]
    assert clipped(group.panels[:1], axes) == []


def test_the_pointer_brings_up_the_numbers_of_each_class_count(tmp_path: Path) -> None:
    """A title for each column, of all dtypes that have a point there."""
    run = run_with(
        tmp_path,
        V("torch", "accuracy.loss", "float16", bins=bins((1, 0.5, 1.0), (64, 0.25, 1.0))),
        V("torch", "accuracy.loss", "float32", bins=bins((64, 0.75, 1.0))),
    )
    (group,) = accuracy(run)
    axes = Axes(group.panels)
    drawn = chart(group.panels[0], axes, ["float16", "float32"])
    assert "<title>C = 1: float16 0.5</title>" in drawn
    assert "<title>C = 64 to 127: float16 0.25, float32 0.75</title>" in drawn
    assert "C = 64 to 127" not in chart(group.panels[0], axes, ["float16", "float32"], columns=False)


def test_the_largest_error_in_ulp_names_the_fewest_classes_it_is_seen_with(tmp_path: Path) -> None:
    """A dtype without points has none."""
    found = [V("torch", "accuracy.loss", "float16", bins=bins((2, 0.1, 4.0), (8, 0.2, 4.0), (4, 0.3, 1.0)))]
    (group,) = accuracy(run_with(tmp_path, *found))
    assert group.panels[0].largest_ulp("float16") == (4.0, 2)
    assert group.panels[0].largest_ulp("float64") is None
