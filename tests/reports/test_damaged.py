"""A damaged record is refused by name; nothing half-written is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import records

import xent_reports
from xent_conformance.records.record import RecordError

V = records.verdict


def lines_of_a_run(tmp_path: Path) -> list[Any]:
    """The lines of a small sound record, as data."""
    verdicts = [
        V("torch", "a.x", "float16", "fail", ratio=98.2, failures=[records.failure()]),
        V("torch", "a.x", bins=[{"classes": 2, "count": 1, "ratio": 0.5, "ulp": 1.0}], ratio=0.5),
        V("torch", "a.y", status="deviation", deviations=[{"reason": "r", "issue": "unreported"}]),
    ]
    path = records.run(tmp_path / "sound.jsonl", *verdicts)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def set_to(*path: Any) -> Callable[[list[Any]], None]:
    """A change of the value at a path: the last part is the new value."""

    def change(lines: list[Any]) -> None:
        *places, last, value = path
        content: Any = lines
        for place in places:
            content = content[place]
        content[last] = value

    return change


def without(*path: Any) -> Callable[[list[Any]], None]:
    """A change that removes what is at a path."""

    def change(lines: list[Any]) -> None:
        *places, last = path
        content: Any = lines
        for place in places:
            content = content[place]
        del content[last]

    return change


DAMAGES: dict[str, tuple[Callable[[list[Any]], None], str]] = {
    "a header without backends": (without(0, "backends"), r":1: damaged: Object missing required field `backends`"),
    "a backend that is no object": (
        set_to(0, "backends", 0, "torch"),
        r":1: damaged: Expected `object`, got `str` - at `\$\.backends\[0\]`",
    ),
    "a backend without a device": (
        without(0, "backends", 0, "device"),
        r":1: damaged: Object missing required field `device` - at `\$\.backends\[0\]`",
    ),
    "a requirement without a statement": (
        without(0, "requirements", 0, "statement"),
        r":1: damaged: Object missing required field `statement` - at `\$\.requirements\[0\]`",
    ),
    "a seed that is a text": (set_to(0, "seed", "1"), r":1: damaged: Expected `int`, got `str` - at `\$\.seed`"),
    "a merged run without a name": (
        set_to(0, "merged", [{"seed": 1}]),
        r":1: damaged: Object missing required field `name` - at `\$\.merged\[0\]`",
    ),
    "a speed that is no number": (
        set_to(0, "speed", [{"backend": "torch"}]),
        r":1: damaged: Object missing required field `quantity` - at `\$\.speed\[0\]`",
    ),
    "a verdict about nobody": (set_to(1, "backend", "jax"), "the header does not list what it is about"),
    "a verdict about nothing": (set_to(1, "requirement", "a.z"), "the header does not list what it is about"),
    "a verdict that is there twice": (
        lambda lines: lines.insert(2, lines[1]),
        r":3: damaged: the verdict on torch, a\.x, float16: it occurs twice",
    ),
    "an unknown status": (set_to(1, "status", "passed"), r":2: damaged: Invalid enum value 'passed' - at `\$\.status`"),
    "a ratio that is no number": (
        set_to(1, "ratio", "large"),
        r":2: damaged: Expected `number`, got 'large' - at `\$\.ratio`",
    ),
    "a ratio that is a list": (set_to(1, "ratio", [1]), r":2: damaged: Expected `number`, got \[1\] - at `\$\.ratio`"),
    "examples that are true": (
        set_to(1, "examples", True),
        r":2: damaged: Expected `int`, got `bool` - at `\$\.examples`",
    ),
    "a failure without a problem": (
        without(1, "failures", 0, "problem"),
        r":2: damaged: Object missing required field `problem` - at `\$\.failures\[0\]`",
    ),
    "an index that is no index": (
        set_to(1, "failures", 0, "index", ["a"]),
        r":2: damaged: Expected `int`, got `str` - at `\$\.failures\[0\]\.index\[0\]`",
    ),
    "logits of another size": (
        set_to(1, "failures", 0, "problem", "logits", "shape", [7]),
        r"6 values for the shape \[7\]",
    ),
    "a negative shape": (
        set_to(1, "failures", 0, "problem", "logits", "shape", [-1]),
        r":2: damaged: Expected `int` >= 0 - at `\$\.failures\[0\]\.problem\.logits\.shape\[0\]`",
    ),
    "values that are lists": (
        set_to(1, "failures", 0, "problem", "target", "values", [[], []]),
        r":2: damaged: Expected an array of numbers - at `\$\.failures\[0\]\.problem\.target\.values`",
    ),
    "a bin without a count": (
        without(2, "bins", 0, "count"),
        r":3: damaged: Object missing required field `count` - at `\$\.bins\[0\]`",
    ),
    "a deviation without an issue": (
        without(3, "deviations", 0, "issue"),
        r":4: damaged: Object missing required field `issue` - at `\$\.deviations\[0\]`",
    ),
    "a footer that counts otherwise": (set_to(4, "verdicts", 4), "counts 4 verdicts, there are 3"),
    "a footer that passes failures": (set_to(4, "counts", {"pass": 3}), "counts 3 of pass, there are 1"),
    "a missing verdict": (without(2), "counts 3 verdicts, there are 2"),
    "lines after the footer": (lambda lines: lines.append(lines[1]), "a line after the footer"),
    "an unknown kind of line": (set_to(1, "kind", "score"), "unknown kind of line 'score'"),
    "another schema": (set_to(0, "schema", 3), "record schema 3, this suite reads 1 to 2"),
    "a list for a line": (set_to(1, []), "not a JSON object"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_record_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """The message names the file and what is wrong with it; no page is written."""
    damage, message = DAMAGES[name]
    lines = lines_of_a_run(tmp_path)
    damage(lines)
    path = tmp_path / "damaged.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(RecordError, match=message) as caught:
        xent_reports.render(path, tmp_path / "out")
    assert "damaged.jsonl" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"{", "empty"),
        (b"not json\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b'{"kind":"verdict"}\n', "not a header"),
    ],
    ids=["empty", "cut in the first line", "text", "bytes", "nested", "headless"],
)
def test_a_file_that_is_no_record_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    """Whatever the bytes are, the message is about the file."""
    path = tmp_path / "noise.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=message) as caught:
        xent_reports.render([path], tmp_path / "out")
    assert "noise.jsonl" in str(caught.value)


def test_a_missing_file_and_no_file_at_all_are_refused(tmp_path: Path) -> None:
    """Neither becomes an empty report."""
    with pytest.raises(RecordError, match=r"absent\.jsonl"):
        xent_reports.render(tmp_path / "absent.jsonl", tmp_path / "out")
    with pytest.raises(RecordError, match="no record"):
        xent_reports.render([], tmp_path / "out")


def test_a_record_cut_anywhere_is_truncated_or_refused_but_never_whole(tmp_path: Path) -> None:
    """Every prefix of a record either has no header or is shown as truncated."""
    records.run(tmp_path / "sound.jsonl", V("torch", "a.x"), V("torch", "a.y", status="weak"))
    content = (tmp_path / "sound.jsonl").read_bytes()
    path = tmp_path / "cut.jsonl"
    for size in range(0, len(content) - 1, 97):
        path.write_bytes(content[:size])
        try:
            page = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
        except RecordError as error:
            assert "cut.jsonl" in str(error)  # noqa: PT017 - either outcome is right
        else:
            assert "<h1>Truncated" in page
            assert "truncated" in (tmp_path / "out" / "badge.json").read_text("utf-8") or "nothing" in (
                tmp_path / "out" / "badge.json"
            ).read_text("utf-8")
