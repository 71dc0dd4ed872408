"""Shards of one run merge to the report of the whole run, in any order."""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import records

import xent_reports
from xent_conformance.records.lines import Bin
from xent_conformance.records.record import RecordError, read
from xent_reports.combination import combined

V = records.verdict


def shards(tmp_path: Path, content: dict[str, Any], verdicts: list[dict[str, Any]]) -> list[Path]:
    """Three records that share out the verdicts of one run."""
    return [records.written(tmp_path / f"shard{i}.jsonl", content, verdicts[i::3]) for i in range(3)]


def told(page: Path) -> str:
    """The page without the list of the records it was made from."""
    return re.sub(r'<h3 id="records-h">.*?</table></div>\n', "", page.read_text("utf-8"), flags=re.DOTALL)


def test_shards_in_any_order_make_the_report_of_the_whole_run(tmp_path: Path) -> None:
    """Page, summary and badge are those of the unsharded run, whatever the order of the shards."""
    run = records.large(3, 30, 9)
    whole = xent_reports.render(records.written(tmp_path / "whole.jsonl", *run), tmp_path / "whole")
    pages = []
    for number, order in enumerate(itertools.permutations(shards(tmp_path, *run))):
        pages.append(xent_reports.render(order, tmp_path / str(number)))
    assert {told(page) for page in pages} == {told(whole)}
    assert len({page.read_text("utf-8") for page in pages}) == 1
    for name in ("summary.md", "badge.json"):
        assert {(p.parent / name).read_text("utf-8") for p in [whole, *pages]} == {
            (whole.parent / name).read_text("utf-8")
        }


def test_a_merged_record_makes_the_same_report_as_its_parts(tmp_path: Path) -> None:
    """Merging first and rendering then is rendering all; merging in any order writes the same file."""
    parts = shards(tmp_path, *records.large(3, 30, 9))
    merged = xent_reports.merge(parts, tmp_path / "merged.jsonl")
    again = xent_reports.merge(parts[::-1], tmp_path / "again.jsonl")
    assert merged.read_text("utf-8") == again.read_text("utf-8")
    pages = [xent_reports.render(given, tmp_path / name) for name, given in (("a", merged), ("b", parts))]
    assert pages[0].read_text("utf-8") == pages[1].read_text("utf-8")


def test_merging_step_by_step_gives_the_same_verdicts(tmp_path: Path) -> None:
    """A merged record can be merged again."""
    first, second, third = shards(tmp_path, *records.large(3, 30, 9))
    partly = xent_reports.merge([first, second], tmp_path / "partly.jsonl")
    stepwise = read(xent_reports.merge([partly, third], tmp_path / "stepwise.jsonl"))
    at_once = read(xent_reports.merge([first, second, third], tmp_path / "at-once.jsonl"))
    assert stepwise.verdicts == at_once.verdicts
    assert [run.name for run in stepwise.header.merged] == [run.name for run in at_once.header.merged]


def test_runs_with_different_seeds_add_up(tmp_path: Path) -> None:
    """In a report: the worst status, the largest ratio, the shortest failure and all examples are kept."""
    small, large = records.failure(classes=3), records.failure(classes=33)
    bins = [{"classes": 2, "count": 10, "ratio": 0.5, "ulp": 1.0}]
    wider = [
        {"classes": 2, "count": 5, "ratio": 0.25, "ulp": 2.0},
        {"classes": 3, "count": 1, "ratio": "inf", "ulp": 9.0},
    ]
    paths = [
        records.run(tmp_path / "1.jsonl", V("torch", "a.x", ratio=0.5, bins=bins), seed=1),
        records.run(
            tmp_path / "2.jsonl", V("torch", "a.x", status="fail", ratio=3.0, failures=[large], bins=wider), seed=2
        ),
        records.run(tmp_path / "3.jsonl", V("torch", "a.x", status="fail", ratio=2.0, failures=[small]), seed=3),
    ]
    merged = combined([read(path) for path in paths])
    (verdict,) = merged.verdicts
    assert (verdict.status, verdict.ratio, verdict.examples, verdict.exercised) == ("fail", 3.0, 600, 561)
    assert [len(failure.problem.weight.values) for failure in verdict.failures] == [3]
    assert verdict.bins == (
        Bin(classes=2, count=15, ratio=0.5, ulp=2.0),
        Bin(classes=3, count=1, ratio=math.inf, ulp=9.0),
    )
    assert merged.footer is not None
    assert merged.footer.counts == {"fail": 1}


def test_the_same_record_given_twice_counts_once_and_is_named(tmp_path: Path) -> None:
    """A copy changes no number, and the page says that it is one."""
    path = records.run(tmp_path / "a.jsonl", V("torch", "a.x"))
    copy = tmp_path / "b.jsonl"
    copy.write_bytes(path.read_bytes())
    page = xent_reports.render([copy, path], tmp_path / "out").read_text("utf-8")
    assert "b.jsonl is the same record as a.jsonl: counted once." in page
    merged = read(xent_reports.merge([path, copy], tmp_path / "m.jsonl"))
    assert merged.verdicts[0].examples == 200


def test_a_rerun_under_the_same_seed_does_not_count_twice(tmp_path: Path) -> None:
    """The same seed means the same problems: their number stays."""
    paths = [records.run(tmp_path / f"{i}.jsonl", V("torch", "a.x", seconds=float(i))) for i in range(2)]
    assert read(xent_reports.merge(paths, tmp_path / "m.jsonl")).verdicts[0].examples == 200


def test_a_truncated_shard_makes_the_merged_record_truncated(tmp_path: Path) -> None:
    """The merged file has no footer, and names the shard that was cut."""
    paths = [
        records.run(tmp_path / "whole.jsonl", V("torch", "a.x")),
        records.run(tmp_path / "cut.jsonl", V("jax", "a.x"), footer=False),
    ]
    merged = xent_reports.merge(paths, tmp_path / "merged.jsonl")
    assert read(merged).truncated
    page = xent_reports.render(merged, tmp_path / "out").read_text("utf-8")
    assert "cut.jsonl is truncated" in page
    assert "whole.jsonl is truncated" not in page


def test_different_suite_versions_are_refused(tmp_path: Path) -> None:
    """Their requirements may mean different things; the message names the files and their versions."""
    paths = [records.run(tmp_path / f"{v}.jsonl", V("torch", "a.x"), suite=v) for v in ("0.1.0", "0.2.0")]
    with pytest.raises(RecordError, match=r"0\.1\.0\.jsonl \(0\.1\.0\), .*0\.2\.0\.jsonl \(0\.2\.0\)"):
        xent_reports.render(paths, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_backend_in_two_versions_is_refused(tmp_path: Path) -> None:
    """One column cannot hold two libraries: the message says what to do."""
    paths = []
    for version in ("2.8.0", "2.9.0"):
        backends = [records.backend("torch", versions={"torch": version})]
        paths.append(records.run(tmp_path / f"{version}.jsonl", V("torch", "a.x"), backends=backends))
    with pytest.raises(
        RecordError, match=r"describe torch cpu differently \(versions\): compare them with `xent diff`"
    ):
        xent_reports.merge(paths, tmp_path / "m.jsonl")


def test_a_backend_missing_on_one_machine_is_there_when_another_ran_it(tmp_path: Path) -> None:
    """The shard that ran it wins over the one that could not."""
    gone = records.backend("torch-cuda", device="cuda", unavailable="no CUDA device")
    there = records.backend("torch-cuda", device="cuda")
    verdict = V("torch-cuda", "a.x", device="cuda")
    paths = [
        records.run(tmp_path / "1.jsonl", V("torch", "a.x"), backends=[records.backend("torch"), gone]),
        records.run(tmp_path / "2.jsonl", verdict, backends=[there]),
    ]
    for order in (paths, paths[::-1]):
        merged = read(xent_reports.merge(order, tmp_path / "m.jsonl"))
        assert [b.name for b in merged.header.backends if b.unavailable is None] == ["torch", "torch-cuda"]


@pytest.mark.parametrize(
    ("changes", "requirement", "message"),
    [
        ({"seed": 1}, "a.x", "the seeds differ .20261123 and 1."),
        ({"profile": "quick"}, "a.x", "the profiles differ .default and quick."),
        ({}, "a.y", "the requirements selected differ .1 only in the first, 1 only in the second."),
    ],
    ids=["seed", "profile", "selection"],
)
def test_records_of_other_problems_are_not_merged(
    tmp_path: Path, changes: dict[str, Any], requirement: str, message: str
) -> None:
    """Their verdicts are about different problems; the message names both files, and nothing is written."""
    first = records.run(tmp_path / "1.jsonl", V("torch", "a.x"))
    second = records.run(tmp_path / "2.jsonl", V("jax", requirement), **changes)
    with pytest.raises(RecordError, match=rf"1\.jsonl and .*2\.jsonl cannot be merged: {message}\. Compare them"):
        xent_reports.merge([first, second], tmp_path / "m.jsonl")
    assert not (tmp_path / "m.jsonl").exists()


def test_merging_writes_whole_files_only(tmp_path: Path) -> None:
    """A failed merge leaves the earlier file and no temporary one."""
    path = records.run(tmp_path / "a.jsonl", V("torch", "a.x"))
    target = xent_reports.merge([path], tmp_path / "m.jsonl")
    before = target.read_bytes()
    (tmp_path / "bad.jsonl").write_text("{}\n")
    with pytest.raises(RecordError):
        xent_reports.merge([path, tmp_path / "bad.jsonl"], target)
    assert target.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "bad.jsonl", "m.jsonl"]
    assert all(json.loads(line) for line in before.splitlines())
