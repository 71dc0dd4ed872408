"""The badge states its denominator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import records

from xent_conformance.records.record import read
from xent_reports.badge import badge
from xent_reports.model import run_of

V = records.verdict


def made(tmp_path: Path, *verdicts: dict[str, object], **changes: object) -> dict[str, object]:
    """The badge of some verdicts."""
    content = json.loads(badge(run_of(read(records.run(tmp_path / "r.jsonl", *verdicts, **changes)))))
    assert isinstance(content, dict)
    return content


def test_the_badge_counts_must_requirements_that_apply(tmp_path: Path) -> None:
    """SHOULD does not count; what does not apply is stated apart; one failing dtype is a requirement not met."""
    verdicts = [
        V("torch", "a.x", "float16"),
        V("torch", "a.x", "float32"),
        V("torch", "a.y", "float16", "fail"),
        V("torch", "a.y", "float32"),
        V("torch", "a.z", status="not-applicable"),
        V("torch", "a.w", status="weak", level="SHOULD"),
    ]
    assert made(tmp_path, *verdicts) == {
        "schemaVersion": 1,
        "label": "cross-entropy: torch",
        "message": "1/2 MUST, 1 n/a",
        "color": "orange",
    }


def test_a_clean_badge_is_blue(tmp_path: Path) -> None:
    """All that applies is met."""
    found = made(tmp_path, V("torch", "a.x"), V("torch", "a.y"))
    assert (found["message"], found["color"]) == ("2/2 MUST", "blue")


@pytest.mark.parametrize(
    ("status", "message"),
    [("deviation", "1/2 MUST, 1 deviation"), ("vacuous", "1/2 MUST, 1 vacuous"), ("error", "1/2 MUST, 1 error")],
)
def test_what_is_not_met_for_another_reason_is_named(tmp_path: Path, status: str, message: str) -> None:
    """Deviations, errors and vacuous verdicts stay in the denominator."""
    assert made(tmp_path, V("torch", "a.x"), V("torch", "a.y", status=status))["message"] == message


def test_requirements_without_a_verdict_stay_in_the_denominator(tmp_path: Path) -> None:
    """Of two backends one was judged on less: that is said."""
    found = made(tmp_path, V("torch", "a.x"), V("torch", "a.y"), V("jax", "a.x"))
    assert (found["label"], found["message"]) == ("cross-entropy: 2 backends", "3/4 MUST, 1 not run")


def test_a_truncated_or_empty_record_gives_no_score(tmp_path: Path) -> None:
    """Neither gets the colour of a result."""
    cut = made(tmp_path, V("torch", "a.x"), footer=False)
    assert (cut["message"], cut["color"]) == ("truncated at 1/1 MUST", "lightgrey")
    empty = made(tmp_path, backends=[records.backend("torch")])
    assert (empty["message"], empty["color"]) == ("nothing judged", "lightgrey")
