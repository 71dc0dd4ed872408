"""Files changed at random: what is not refused by name is rendered. There is no third outcome."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import matrices
import pytest
from hostile import READERS, lines_of_a_run, nested, text_of

import xent_reports
from xent_conformance.records.record import RecordError

#: What a field is overwritten with: other kinds, absurd numbers, texts that mean something elsewhere.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 2**31, 2**64, 10**60, -(10**60), 0.0, -0.5, 1e308, 5e-324, 1e-9),
    *("", "x", "nan", "inf", "-inf", "0", "../..", "<script>", "\x1b[31m", "\ud800", "é" * 300, "pass", "MUST"),
    *([], [0], [None], [[]], [{}], ["x"] * 3, {}, {"x": 1}, {"": []}, {"kind": "header"}, nested(20)),
)


def mutated(lines: list[Any], source: random.Random) -> list[Any]:
    """The lines with some values, wherever they lie, overwritten, removed, doubled or put elsewhere."""
    lines = copy.deepcopy(lines)
    for _ in range(source.choice((1, 1, 1, 2, 4))):
        holders = [(holder, key) for line in lines for holder, key in places(line)]
        if not holders:
            return lines
        holder, key = source.choice(holders)
        what = source.randrange(5)
        if what == 0:
            del holder[key]
        elif what == 1:
            other, place = source.choice(holders)
            holder[key] = copy.deepcopy(other[place])
        elif what == 2 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(source.choice(ODD))
    return lines


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every list and object inside, with each of its keys."""
    keys: Any = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    return [place for key in keys for place in ((content, key), *places(content[key]))]


@pytest.mark.parametrize("block", range(10))
def test_a_record_changed_at_random_is_rendered_or_refused(tmp_path: Path, block: int) -> None:
    """Page, merge and comparison, or RecordError with the name; never another exception. Thirty seeds a block."""
    sound_lines = lines_of_a_run(tmp_path)
    good, path = tmp_path / "sound.jsonl", tmp_path / "hostile.jsonl"
    outcomes = {True: 0, False: 0}
    for seed in range(30 * block, 30 * block + 30):
        path.write_text(text_of(mutated(sound_lines, random.Random(seed))), encoding="utf-8")
        try:
            page = xent_reports.render(path, tmp_path / "out", baseline=good).read_text("utf-8")
        except RecordError as error:
            assert "hostile.jsonl" in str(error)  # noqa: PT017 - both outcomes are right
            outcomes[False] += 1
            continue
        outcomes[True] += 1
        assert "<script>" not in page.split("<body>")[1].rsplit("<script>", 1)[0]
        assert xent_reports.diff(good, path)[1] in {0, 1, 2}
        try:
            xent_reports.merge([path, good], tmp_path / "merged.jsonl")
        except RecordError as error:
            assert "hostile.jsonl" in str(error)  # noqa: PT017
    assert min(outcomes.values()) > 2, outcomes


@pytest.mark.parametrize("seed", range(10))
def test_bytes_changed_at_random_are_rendered_or_refused(tmp_path: Path, seed: int) -> None:
    """As text is damaged by disks and editors."""
    content = text_of(lines_of_a_run(tmp_path)).encode()
    path = tmp_path / "hostile.jsonl"
    source = random.Random(seed)
    for _ in range(20):
        damaged = bytearray(content)
        start = source.randrange(len(damaged))
        damaged[start : start + source.choice((0, 1, 9, 999))] = source.randbytes(source.choice((0, 1, 4)))
        path.write_bytes(damaged)
        try:
            xent_reports.render(path, tmp_path / "out")
        except RecordError as error:
            assert "hostile.jsonl" in str(error)  # noqa: PT017


@pytest.mark.parametrize("kind", ["kill matrix", "speed"])
def test_other_files_changed_at_random_are_read_or_refused(tmp_path: Path, kind: str) -> None:
    """The kill matrix as its whole page, the benchmarks as their section."""
    path = tmp_path / "hostile.json"
    kills = {"a.x": [1, 2], "a.y": [None, 7]}
    sane: Any = matrices.matrix([matrices.mutant("m", kills), matrices.mutant("n", {"a.x": [1, 1]})])
    if kind == "speed":
        sane = {"benchmarks": [matrices.benchmark("torch"), matrices.benchmark("jax", 2e-3)]}
    refused = 0
    for seed in range(300):
        (changed,) = mutated([sane], random.Random(seed))
        matrices.written(path, changed)
        try:
            READERS[kind](path)
        except RecordError as error:
            refused += 1
            assert "hostile.json" in str(error)  # noqa: PT017
    assert 30 < refused < 300
