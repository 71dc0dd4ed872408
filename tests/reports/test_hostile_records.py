"""Records that somebody wants to hurt us with: refused by name and line, and in no time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import records
from hostile import SECONDS, V, lines_of_a_run, nested, sound, text_of

import xent_reports
from xent_conformance.records.record import MAX_LINE, RecordError
from xent_conformance.records.strict_json import MAX_DEPTH


def at(line: int, *path: Any) -> Callable[[list[Any]], str]:
    """A record whose value at a path of a line, counted from 1, is replaced by the path's last part."""
    *places, last, value = path

    def made(lines: list[Any]) -> str:
        content = lines[line - 1]
        for place in places:
            content = content[place]
        content[last] = value
        return text_of(lines)

    return made


def spliced(line: int, old: str, new: str) -> Callable[[list[Any]], str]:
    """A record with a text of a line, counted from 1, replaced: what no JSON writer would write."""

    def made(lines: list[Any]) -> str:
        texts = text_of(lines).splitlines(keepends=True)
        assert old in texts[line - 1]
        texts[line - 1] = texts[line - 1].replace(old, new, 1)
        return "".join(texts)

    return made


def many(field: str, count: int, make: Callable[[int], Any]) -> Callable[[list[Any]], str]:
    """A record with so many entries in a list or object of its header."""

    def made(lines: list[Any]) -> str:
        entries = [make(i) for i in range(count)]
        lines[0][field] = entries if isinstance(lines[0][field], list) else dict(entries)
        return text_of(lines)

    return made


HOSTILE: dict[str, tuple[Callable[[list[Any]], str], str]] = {
    "a header key twice": (spliced(1, '"suite"', '"suite": "9", "suite"'), ":1: the key 'suite' occurs twice"),
    "a verdict key twice": (spliced(2, '"status"', '"status": "pass", "status"'), ":2: the key 'status' occurs"),
    "a problem key twice": (spliced(2, '"dtype": "int64"', '"dtype": "x", "dtype": "y"'), ":2: the key 'dtype'"),
    "a bare nan": (spliced(3, '"ratio": 0.5', '"ratio": NaN'), ":3: not JSON .NaN is not a number"),
    "a bare infinity": (spliced(3, '"ratio": 0.5', '"ratio": -Infinity'), ":3: not JSON .-Infinity is not a number"),
    "a float out of range": (spliced(3, '"ratio": 0.5', '"ratio": 1e999'), ":3: a number beyond the range"),
    "an endless integer": (spliced(3, '"ratio": 0.5', f'"ratio": {"9" * 100_000}'), ":3: an integer of 100000 digits"),
    "an endless float": (spliced(3, '"ratio": 0.5', f'"ratio": {"9" * 400}.5'), ":3: a number beyond the range"),
    "a comment": (spliced(2, "{", "/* */ {"), ":2: not JSON .Expecting value at character 0"),
    "a trailing comma": (spliced(2, '"seconds": 0.1', '"seconds": 0.1,'), ":2: not JSON"),
    "two objects in a line": (spliced(2, '"seconds": 0.1}', '"seconds": 0.1} {}'), ":2: not JSON .Extra data"),
    "an empty line": (lambda lines: text_of(lines).replace("\n", "\n\n", 1), ":2: not JSON"),
    "nested claims": (
        at(1, "backends", 0, "capabilities", "x", nested(MAX_DEPTH)),
        f":1: .*more than {MAX_DEPTH} deep",
    ),
    "nested lists": (spliced(2, '"seconds": 0.1', f'"seconds": {"[" * 200_000}'), ":2: .*more than .* deep"),
    "nested objects": (spliced(2, '"seconds": 0.1', f'"seconds": {"[{0:" * 99_000}'.replace("0:", '"":')), "deep|JSON"),
    "many values in a line": (
        spliced(2, '"index": [0, 2]', f'"index": [{"0," * 1_500_000}0]'),
        r":2: damaged: Expected `array` of length <= 64 - at `\$\.failures\[0\]\.index`",
    ),
    "axes without end": (
        at(2, "failures", 0, "problem", "logits", "shape", [1] * 65),
        r":2: damaged: Expected `array` of length <= 64 - at `\$\.failures\[0\]\.problem\.logits\.shape`",
    ),
    "strides without end": (
        at(2, "failures", 0, "problem", "logits", "strides", [1] * 65),
        r":2: damaged: Expected `array` of length <= 64 - at `\$\.failures\[0\]\.problem\.logits\.strides`",
    ),
    "a line of megabytes": (at(2, "reason", "x" * MAX_LINE), f":2: a line of more than {MAX_LINE}"),
    "another version": (at(1, "schema", 99), ":1: record schema 99, this suite reads 1"),
    "a version that is a list": (at(1, "schema", [1]), r":1: record schema \[1\]"),
    "a kind that is a list": (at(2, "kind", ["verdict"]), ":2: unknown kind of line"),
    "a second header": (lambda lines: text_of([lines[0], *lines]), ":2: unknown kind of line 'header'"),
    "a status that is a list": (
        at(2, "status", ["fail"]),
        r":2: damaged: Expected `str`, got `array` - at `\$\.status`",
    ),
    "a level that there is not": (
        at(2, "level", "PERHAPS"),
        r":2: damaged: Invalid enum value 'PERHAPS' - at `\$\.level`",
    ),
    "a dtype that is an object": (at(2, "dtype", {}), r":2: damaged: Expected `str`, got `object` - at `\$\.dtype`"),
    "a name that fills pages": (
        at(1, "backends", 0, "name", "x" * 99_999),
        r":1: damaged: Expected `str` of length <= 16384 - at `\$\.backends\[0\]\.name`",
    ),
    "a name of nothing": (
        at(1, "backends", 0, "name", ""),
        r":1: damaged: Expected `str` of length >= 1 - at `\$\.backends\[0\]\.name`",
    ),
    "a header that is all lists": (
        at(1, "libraries", []),
        r":1: damaged: Expected `object`, got `array` - at `\$\.libraries`",
    ),
    "a seed that is a float": (at(1, "seed", 1.5), r":1: damaged: Expected `int`, got `float` - at `\$\.seed`"),
    "a command that is a number": (at(1, "command", 7), r":1: damaged: Expected `str`, got `int` - at `\$\.command`"),
    "claims that are a text": (
        at(1, "backends", 0, "capabilities", "all"),
        r":1: damaged: Expected `object`, got `str` - at `\$\.backends\[0\]\.capabilities`",
    ),
    "references that are a text": (
        at(1, "requirements", 0, "references", "x"),
        r":1: damaged: Expected `array`, got `str` - at `\$\.requirements\[0\]\.references`",
    ),
    "one backend twice": (lambda lines: at(1, "backends", [lines[0]["backends"][0]] * 2)(lines), "backends twice"),
    "negative examples": (at(2, "examples", -1), r":2: damaged: Expected `int` >= 0 - at `\$\.examples`"),
    "examples that are a float": (
        at(2, "examples", 1e9),
        r":2: damaged: Expected `int`, got `float` - at `\$\.examples`",
    ),
    "a ratio in words": (at(3, "ratio", "1_000"), r":3: damaged: Expected `number`, got '1_000' - at `\$\.ratio`"),
    "bins of a huge count": (
        at(3, "bins", 0, "classes", -(2**40)),
        r":3: damaged: Expected `int` >= 0 - at `\$\.bins\[0\]\.classes`",
    ),
    "bins without end": (at(3, "bins", [{}] * 1000), r":3: damaged: Expected `array` of length <= 64 - at `\$\.bins`"),
    "deviations without end": (
        at(4, "deviations", [{}] * 1000),
        r":4: damaged: Expected `array` of length <= 100 - at `\$\.deviations`",
    ),
    "a shape of texts": (
        at(2, "failures", 0, "problem", "logits", "shape", ["2"]),
        r":2: damaged: Expected `int`, got `str` - at `\$\.failures\[0\]\.problem\.logits\.shape\[0\]`",
    ),
    "a shape larger than its values": (
        at(2, "failures", 0, "problem", "logits", "shape", [10**30]),
        "6 values for the",
    ),
    "a reproducer that is a list": (
        at(2, "failures", 0, "reproducer", ["rm"]),
        r":2: damaged: Expected `str \| null`, got `array` - at `\$\.failures\[0\]\.reproducer`",
    ),
    "a witness that is a text": (
        at(4, "deviations", 0, "witness", "w"),
        r":4: damaged: Expected `object \| null`, got `str` - at `\$\.deviations\[0\]\.witness`",
    ),
    "a verdict after the footer": (lambda lines: text_of([*lines, lines[1]]), ":9: a line after the footer"),
    "a footer of another run": (at(8, "verdicts", 10**60), ":8: damaged: its footer counts 1000"),
    "more backends than a page holds": (
        many("backends", 65, lambda i: records.backend(f"b{i}")),
        r":1: damaged: Expected `array` of length <= 64 - at `\$\.backends`",
    ),
    "more requirements": (
        many("requirements", 1001, records.catalogued),
        r":1: damaged: Expected `array` of length <= 1000 - at `\$\.requirements`",
    ),
    "more dtypes": (
        lambda lines: text_of([*lines[:2], *(V("torch", "a.x", f"d{i}") for i in range(17))]),
        r":18: damaged: more than 16 dtypes or 100000 verdicts",
    ),
    "more claims": (
        at(1, "backends", 0, "capabilities", {f"claim{i}": 1 for i in range(300)}),
        r":1: damaged: Expected `object` of length <= 200 - at `\$\.backends\[0\]\.capabilities`",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_record_is_refused_by_name_and_line(tmp_path: Path, name: str) -> None:
    """In bounded time, with nothing written."""
    make, message = HOSTILE[name]
    message = message if message.startswith(":") else f".*{message}"
    path = tmp_path / "hostile.jsonl"
    path.write_text(make(lines_of_a_run(tmp_path)), encoding="utf-8")
    start = time.perf_counter()
    with pytest.raises(RecordError, match=rf"hostile\.jsonl{message}") as caught:
        xent_reports.render(path, tmp_path / "out")
    assert time.perf_counter() - start < SECONDS
    assert len(str(caught.value)) < len(str(tmp_path)) + 300
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_record_these_are_made_from_is_sound(tmp_path: Path) -> None:
    """So each is refused for what was done to it."""
    path = tmp_path / "r.jsonl"
    path.write_text(text_of(lines_of_a_run(tmp_path)), encoding="utf-8")
    assert "98" in xent_reports.render(path, tmp_path / "out").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "{bad}", "--output", "out"),
        ("report", "{good}", "--baseline", "{bad}", "--output", "out"),
        ("report", "{good}", "--kill-matrix", "{bad}", "--output", "out"),
        ("report", "{good}", "--speed", "{bad}", "--output", "out"),
        ("merge", "{good}", "{bad}", "--output", "m.jsonl"),
        ("diff", "{good}", "{bad}"),
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
@pytest.mark.parametrize("damage", ["a level that there is not", "an endless integer", "nested lists"])
def test_the_command_line_says_it_in_one_line(tmp_path: Path, arguments: tuple[str, ...], damage: str) -> None:
    """Exit code 2, no traceback."""
    bad, good = tmp_path / "hostile.jsonl", sound(tmp_path / "x")
    bad.write_text(HOSTILE[damage][0](lines_of_a_run(tmp_path)), encoding="utf-8")
    given = [a.format(bad=bad, good=good) for a in arguments]
    command = [sys.executable, "-m", "xent_conformance.cli", *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    said = (done.stderr + done.stdout).strip()
    assert done.returncode == 2
    assert "hostile.jsonl" in said
    assert len(said.splitlines()) == 1, said
