"""The badge states its denominator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import records

from xent_conformance.records.record import read
from xent_reports.badge import badges
from xent_reports.model import run_of

V = records.verdict


def made(tmp_path: Path, *verdicts: dict[str, object], **changes: object) -> dict[str, object]:
    """The badge of some verdicts."""
    content = json.loads(badges(run_of(read(records.run(tmp_path / "r.jsonl", *verdicts, **changes))))["badge.json"])
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
        "message": "1/2 MUST, 1 failure, 1 n/a",
        "color": "orange",
    }


def test_a_clean_badge_is_blue(tmp_path: Path) -> None:
    """All that applies is met."""
    found = made(tmp_path, V("torch", "a.x"), V("torch", "a.y"))
    assert (found["message"], found["color"]) == ("2/2 MUST", "blue")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("deviation", "1/2 MUST, 1 deviation"),
        ("vacuous", "1/2 MUST, 1 not exercised"),
        ("error", "1/2 MUST, 1 error"),
        ("crash", "1/2 MUST, 1 crash"),
        ("timeout", "1/2 MUST, 1 timeout"),
        ("fail", "1/2 MUST, 1 failure"),
    ],
)
def test_what_is_not_met_for_another_reason_is_named(tmp_path: Path, status: str, message: str) -> None:
    """Deviations, errors and vacuous verdicts stay in the denominator."""
    assert made(tmp_path, V("torch", "a.x"), V("torch", "a.y", status=status))["message"] == message


def test_requirements_without_a_verdict_stay_in_the_denominator(tmp_path: Path) -> None:
    """Of two backends one was judged on less: that is said."""
    found = made(tmp_path, V("torch", "a.x"), V("torch", "a.y"), V("jax", "a.x"))
    assert (found["label"], found["message"]) == ("cross-entropy: 2 backends", "3/4 MUST, 1 not run")


def test_several_backends_have_a_badge_each(tmp_path: Path) -> None:
    """Beside that of all; more than one of a kind is in the plural."""
    verdicts = [V("jax", "a.x"), *(V("torch", f"a.{x}", status="crash" if x < "z" else "fail") for x in "xyz")]
    found = badges(run_of(read(records.run(tmp_path / "r.jsonl", *verdicts))))
    said = {name: json.loads(text) for name, text in found.items()}
    assert {name: (b["label"], b["message"]) for name, b in said.items()} == {
        "badge.json": ("cross-entropy: 2 backends", "1/6 MUST, 2 crashes, 1 failure, 2 not run"),
        "badge-jax.json": ("cross-entropy: jax", "1/3 MUST, 2 not run"),
        "badge-torch.json": ("cross-entropy: torch", "0/3 MUST, 2 crashes, 1 failure"),
    }


def test_a_truncated_or_empty_record_gives_no_score(tmp_path: Path) -> None:
    """Neither gets the colour of a result."""
    cut = made(tmp_path, V("torch", "a.x"), footer=False)
    assert (cut["message"], cut["color"]) == ("truncated at 1/1 MUST", "lightgrey")
    empty = made(tmp_path, backends=[records.backend("torch")])
    assert (empty["message"], empty["color"]) == ("nothing judged", "lightgrey")
