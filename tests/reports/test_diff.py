"""What changed between two records, and the exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import records

import xent_reports

V = records.verdict


def record(path: Path, status: str | None, ratio: float | None = None, **changes: object) -> Path:
    """A record with one steady verdict and one of a given status, or without it."""
    others = [] if status is None else [V("torch", "a.x", "float16", status, ratio=ratio, **changes)]
    catalogue = [records.requirement_named(name) for name in ("a.steady", "a.x")]
    return records.written(
        path, records.header([records.backend("torch")], catalogue), [V("torch", "a.steady"), *others]
    )


@pytest.mark.parametrize(
    ("before", "after", "kind", "code"),
    [
        ("pass", "fail", "regressed", 1),
        ("pass", "weak", "regressed", 1),
        ("weak", "crash", "regressed", 1),
        ("pass", "deviation", "regressed", 1),
        ("deviation", "fail", "regressed", 1),
        ("pass", "error", "regressed", 1),
        ("fail", "pass", "fixed", 0),
        ("fail", "weak", "fixed", 0),
        ("deviation", "pass", "fixed", 0),
        ("fail", "crash", "changed", 0),
        ("pass", "vacuous", "gone", 1),
        ("pass", "not-applicable", "gone", 1),
        ("not-applicable", "pass", "changed", 0),
        ("pass", None, "gone", 1),
        (None, "pass", "new", 0),
        (None, "fail", "new", 1),
    ],
)
def test_a_change_of_status_has_a_kind_and_an_exit_code(
    tmp_path: Path, before: str | None, after: str | None, kind: str, code: int
) -> None:
    """Exit 1 exactly where something is worse: broken, newly broken, or no longer shown."""
    text, found = xent_reports.diff(record(tmp_path / "old.jsonl", before), record(tmp_path / "new.jsonl", after))
    assert text.splitlines()[0].startswith(f"{kind}: a.x on torch (float16): ")
    assert text.splitlines()[-1] == f"1 {kind}, 1 verdict as before"
    assert found == code


def test_a_change_states_both_ratios(tmp_path: Path) -> None:
    """Ratio before and after stand beside the status."""
    text, _ = xent_reports.diff(
        record(tmp_path / "old.jsonl", "pass", 0.41), record(tmp_path / "new.jsonl", "fail", 98.2)
    )
    assert text.splitlines()[0] == "regressed: a.x on torch (float16): ✓ pass 0.41 → ✗ fail 99"


def test_equal_records_are_the_same(tmp_path: Path) -> None:
    """Nothing changed is exit 0, and says how much was compared."""
    path = record(tmp_path / "r.jsonl", "fail", 2.0)
    assert xent_reports.diff(path, path) == ("2 verdicts as before", 0)


def test_an_observation_that_changed_is_told_without_judgement(tmp_path: Path) -> None:
    """What only observes is neither better nor worse."""
    text, code = xent_reports.diff(
        record(tmp_path / "old.jsonl", "observed", observed="nan"),
        record(tmp_path / "new.jsonl", "observed", observed="0.0"),
    )
    assert text.splitlines()[0] == "changed: a.x on torch (float16): · observed nan → · observed 0.0"
    assert code == 0


def test_records_that_cannot_be_compared_are_trouble(tmp_path: Path) -> None:
    """A damaged file and another suite version are exit 2, with the reason."""
    sound = record(tmp_path / "sound.jsonl", "pass")
    other = records.run(tmp_path / "other.jsonl", V("torch", "a.x"), suite="9.0.0")
    (tmp_path / "bad.jsonl").write_text("{}\n")
    text, code = xent_reports.diff(sound, other)
    assert (code, "9.0.0" in text) == (2, True)
    text, code = xent_reports.diff(tmp_path / "bad.jsonl", sound)
    assert (code, "bad.jsonl" in text) == (2, True)


@pytest.mark.parametrize(
    ("changes", "requirement", "message"),
    [
        ({"seed": 1}, "a.x", "the seeds differ (20261123 and 1)"),
        ({"profile": "quick"}, "a.x", "the profiles differ (default and quick)"),
        ({}, "a.y", "the requirements selected differ (0 only in the first, 1 only in the second)"),
    ],
    ids=["seed", "profile", "selection"],
)
def test_runs_that_were_asked_different_things_are_never_the_same(
    tmp_path: Path, changes: dict[str, object], requirement: str, message: str
) -> None:
    """The difference is said first, on the terminal and on both pages; equal statuses are not "as before"."""
    old = records.run(tmp_path / "old.jsonl", V("torch", "a.x"))
    others = [V("torch", requirement)] if requirement != "a.x" else []
    new = records.run(tmp_path / "new.jsonl", V("torch", "a.x"), *others, **changes)
    text, _ = xent_reports.diff(old, new)
    assert text.splitlines()[0] == message
    assert text.splitlines()[-1].endswith("1 verdict with the same status, not comparable")
    page = xent_reports.render(new, tmp_path / "out", baseline=old)
    for told in (page.read_text("utf-8"), (page.parent / "summary.md").read_text("utf-8").replace("\\", "")):
        assert message in told
        assert "as before" not in told


def test_the_page_shows_changes_against_a_baseline(tmp_path: Path) -> None:
    """Regressed, with both states, and library versions that changed; the same in Markdown."""
    old = records.run(
        tmp_path / "old.jsonl",
        V("torch", "a.x", ratio=0.4),
        backends=[records.backend("torch", versions={"torch": "2.8"})],
    )
    new = records.run(
        tmp_path / "new.jsonl", V("torch", "a.x", status="fail", ratio=40.0, failures=[records.failure()])
    )
    page = xent_reports.render(new, tmp_path / "out", baseline=old).read_text("utf-8")
    assert "▲ regressed" in page
    assert "<td>✗ fail 40" in page.replace("<bdi>", "").replace("</bdi>", "")
    summary = (tmp_path / "out" / "summary.md").read_text("utf-8")
    assert "- torch: torch 2.8 → 2.9.0" in summary
    assert "- regressed: `a.x` on `torch` (float32): ✓ pass 0.4 → ✗ fail 40" in summary


def history(tmp_path: Path) -> list[Path]:
    """Three earlier records, not in their order, and a later one: one regressed, one fixed, one that came and went."""
    days = {
        "2026-11-02": ("pass", "fail", "fail"),
        "2026-11-01": ("pass", "fail", "pass"),
        "2026-11-03": ("pass", "fail", "pass"),
        "2026-11-04": ("fail", "pass", "pass"),
    }
    found = []
    for day, statuses in days.items():
        named = zip(("a.breaks", "a.heals", "a.flickers"), statuses, strict=True)
        verdicts = [V("torch", "a.steady"), *(V("torch", name, status=status) for name, status in named)]
        found.append(records.run(tmp_path / f"{day}.jsonl", *verdicts, started=f"{day}T00:00:00Z"))
    return found


def test_several_earlier_records_are_a_history(tmp_path: Path) -> None:
    """The latest of them by its date is compared with; the others say how it came to be so."""
    *old, new = history(tmp_path)
    text, code = xent_reports.diff(old, new)
    assert text.splitlines() == [
        "regressed: a.breaks on torch (float32): ✓ pass → ✓ pass → ✓ pass → ✗ fail",
        "fixed: a.heals on torch (float32): ✗ fail → ✗ fail → ✗ fail → ✓ pass",
        "earlier: a.flickers on torch (float32): ✓ pass → ✗ fail → ✓ pass → ✓ pass",
        "1 regressed, 1 fixed, 1 earlier, 2 verdicts as before",
    ]
    assert code == 1


def test_what_changed_is_marked_in_place(tmp_path: Path) -> None:
    """On the cell of the requirement, and of its family; the page has a line for each record."""
    *old, new = history(tmp_path)
    page = xent_reports.render(new, tmp_path / "out", baseline=old).read_text("utf-8")
    cells = dict(re.findall(r"<span>(a\.\w+)</span>.*?(<span class=\"?c.*?)</summary>", page))
    assert "▲<i> worse than before" in cells["a.breaks"]
    assert "▼<i> better than before" in cells["a.heals"]
    assert "before" not in cells["a.steady"] + cells["a.flickers"]
    assert re.search(r"<b>(<bdi>)?a(</bdi>)?</b>.*?▲<i> worse than before.*?</summary>", page)
    counts = re.findall(r'<tr><th scope="row">(?:<bdi>)?2026-11-0(\d)[^<]*(?:</bdi>)?((?:<td>\d*)+)', page)
    assert counts == [("1", "<td>1<td>3"), ("2", "<td>2<td>2"), ("3", "<td>1<td>3"), ("4", "<td>1<td>3")]


def of(path: Path, *backends: str, status: str = "pass") -> Path:
    """A record with two verdicts of each of some backends."""
    catalogue = [records.requirement_named(name) for name in ("a.steady", "a.x")]
    verdicts = [V(name, "a.steady") for name in backends] + [V(name, "a.x", "float16", status) for name in backends]
    return records.written(path, records.header([*map(records.backend, backends)], catalogue), verdicts)


def test_records_of_one_backend_each_are_compared_whatever_its_name(tmp_path: Path) -> None:
    """They are of an implementation and its successor."""
    old, new = of(tmp_path / "old.jsonl", "slow"), of(tmp_path / "new.jsonl", "fast", status="fail")
    text, code = xent_reports.diff(old, new)
    renamed, changed, numbers = text.splitlines()
    assert renamed == "slow is compared with fast"
    assert changed.startswith("regressed: a.x on fast (float16): ")
    assert (numbers, code) == ("1 regressed, 1 verdict as before", 1)
    text, code = xent_reports.diff([of(tmp_path / "older.jsonl", "fast"), old], new)
    assert text.splitlines()[:2] == ["slow is compared with fast", changed.replace("✓ pass →", "✓ pass → ✓ pass →")]


def test_a_backend_of_one_record_only_is_one_line(tmp_path: Path) -> None:
    old, new = of(tmp_path / "old.jsonl", "jax", "torch"), of(tmp_path / "new.jsonl", "numpy", "torch")
    text, code = xent_reports.diff(old, new)
    assert text.splitlines() == [
        "gone: jax, 2 verdicts: the later record does not have this backend",
        "new: numpy, 2 verdicts: no earlier record has this backend",
        "2 gone, 2 new, 2 verdicts as before",
    ]
    assert code == 1
