"""Records, kill matrices and benchmark files that somebody wants to hurt us with: refused by name, line and in no time.

What is not refused is rendered. There is no third outcome.
"""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matrices
import pytest
import records

import xent_reports
from xent_conformance.records.record import MAX_BYTES, MAX_LINE, RecordError, read
from xent_conformance.records.strict_json import MAX_DEPTH
from xent_reports import benchmarks, kill_matrix

V = records.verdict
#: Far more than any refusal here takes, far less than reading what is refused would.
SECONDS = 20


def lines_of_a_run(folder: Path) -> list[Any]:
    """The lines of a record with one of everything, as data."""
    bins = [{"classes": 2, "count": 1, "ratio": 0.5, "ulp": 1.0}]
    known = {"reason": "r", "issue": "https://github.com/a/b/issues/1", "versions": ">=1", "witness": records.failure()}
    verdicts = [
        V("torch", "a.x", "float16", "fail", ratio=98.2, failure=records.failure()),
        V("torch", "a.x", "float32", ratio=0.5, bins=bins),
        V("torch", "a.y", "float16", "deviation", deviations=[known]),
        V("jax", "a.y", "float16", "not-applicable", examples=0, exercised=0, reason="does not claim spatial"),
        V("jax", "accuracy.tightest-tier", "float32", "observed", level="OBSERVED", observed="form A"),
        V("jax", "accuracy.loss", "float32", bins=bins, ratio=0.5),
    ]
    speed = {"backend": "jax", "quantity": "loss", "dtype": "float32", "rows": 2, "classes": 3, "median": 1e-3}
    conventions = {"empty_batch_loss": {"default": "nan", "question": "Mean of an empty batch."}}
    path = records.run(folder / "sound.jsonl", *verdicts, speed=[{**speed, "iqr": 1e-5}], conventions=conventions)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def text_of(lines: list[Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


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


def nested(depth: int) -> Any:
    content: Any = 1
    for _ in range(depth):
        content = [content]
    return content


HOSTILE: dict[str, tuple[Callable[[list[Any]], str], str]] = {
    "a header key twice": (spliced(1, '"suite"', '"suite": "9", "suite"'), ":1: the key 'suite' is there twice"),
    "a verdict key twice": (spliced(2, '"status"', '"status": "pass", "status"'), ":2: the key 'status' is there"),
    "a problem key twice": (spliced(2, '"dtype": "int64"', '"dtype": "x", "dtype": "y"'), ":2: the key 'dtype'"),
    "a bare nan": (spliced(3, '"ratio": 0.5', '"ratio": NaN'), ":3: not JSON .NaN is no number"),
    "a bare infinity": (spliced(3, '"ratio": 0.5', '"ratio": -Infinity'), ":3: not JSON .-Infinity is no number"),
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
        ":2: damaged: the index of",
    ),
    "axes without end": (at(2, "failure", "problem", "logits", "shape", [1] * 65), ":2: damaged: 'shape' of logits"),
    "strides without end": (at(2, "failure", "problem", "logits", "strides", [1] * 65), ":2: damaged: 'strides' of"),
    "a line of megabytes": (at(2, "reason", "x" * MAX_LINE), f":2: a line of more than {MAX_LINE}"),
    "another version": (at(1, "schema", 99), ":1: record schema 99, this suite reads 1"),
    "a version that is a list": (at(1, "schema", [1]), r":1: record schema \[1\]"),
    "a kind that is a list": (at(2, "kind", ["verdict"]), ":2: unknown kind of line"),
    "a second header": (lambda lines: text_of([lines[0], *lines]), ":2: unknown kind of line 'header'"),
    "a status that is a list": (at(2, "status", ["fail"]), ":2: a verdict without status"),
    "a level that there is not": (at(2, "level", "PERHAPS"), ":2: damaged: 'level' of the verdict is 'PERHAPS'"),
    "a dtype that is an object": (at(2, "dtype", {}), ":2: a verdict without dtype"),
    "a name that fills pages": (at(1, "backends", 0, "name", "x" * 99_999), ":1: damaged: 'name' of backends"),
    "a name of nothing": (at(1, "backends", 0, "name", ""), r":1: damaged: 'name' of backends\[0\]"),
    "a header that is all lists": (at(1, "libraries", []), r":1: damaged: 'libraries' of the header is \[\]"),
    "a seed that is a float": (at(1, "seed", 1.5), ":1: damaged: 'seed' of the header is 1.5"),
    "a command that is a number": (at(1, "command", 7), ":1: damaged: 'command' of the header is 7"),
    "claims that are a text": (at(1, "backends", 0, "capabilities", "all"), ":1: damaged: 'capabilities' of"),
    "references that are a text": (at(1, "requirements", 0, "references", "x"), ":1: damaged: 'references' of"),
    "one backend twice": (lambda lines: at(1, "backends", [lines[0]["backends"][0]] * 2)(lines), "backends twice"),
    "negative examples": (at(2, "examples", -1), ":2: damaged: 'examples' of the verdict is -1"),
    "examples that are a float": (at(2, "examples", 1e9), ":2: damaged: 'examples' of the verdict is 1000000000.0"),
    "a ratio in words": (at(3, "ratio", "1_000"), ":3: damaged: 'ratio' of the verdict is '1_000'"),
    "bins of a huge count": (at(3, "bins", 0, "classes", -(2**40)), ":3: damaged: 'classes' of a bin is -1"),
    "bins without end": (at(3, "bins", [{}] * 1000), ":3: damaged: the bins of the verdict: 1000 entries"),
    "deviations without end": (at(4, "deviations", [{}] * 1000), ":4: damaged: the deviations of the verdict: 1000"),
    "a shape of texts": (at(2, "failure", "problem", "logits", "shape", ["2"]), ":2: damaged: the shape of logits"),
    "a shape larger than its values": (at(2, "failure", "problem", "logits", "shape", [10**30]), "6 values for the"),
    "a reproducer that is a list": (at(2, "failure", "reproducer", ["rm"]), ":2: damaged: 'reproducer' of its failure"),
    "a witness that is a text": (at(4, "deviations", 0, "witness", "w"), ":4: damaged: 'witness' of a deviation"),
    "a verdict after the footer": (lambda lines: text_of([*lines, lines[1]]), ":9: a line after the footer"),
    "a footer of another run": (at(8, "verdicts", 10**60), ":8: damaged: its footer counts 1000"),
    "more backends than a page holds": (many("backends", 65, lambda i: records.backend(f"b{i}")), "65 entries"),
    "more requirements": (
        many("requirements", 1001, records.catalogued),
        ":1: damaged: the requirements .* 1001 e",
    ),
    "more dtypes": (
        lambda lines: text_of([*lines[:2], *(V("torch", "a.x", f"d{i}") for i in range(17))]),
        "the dtypes of the verdicts: .* entries, more than 16",
    ),
    "more claims": (
        at(1, "backends", 0, "capabilities", {f"claim{i}": 1 for i in range(300)}),
        ":1: damaged: 'capabilities' of .*: 300 entries, more than 200",
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


READERS: dict[str, Callable[[Path], object]] = {
    "record": lambda path: xent_reports.render(path, path.parent / "out"),
    "baseline": lambda path: xent_reports.render(sound(path), path.parent / "out", baseline=path),
    "merge": lambda path: xent_reports.merge([sound(path), path], path.parent / "merged.jsonl"),
    "kill matrix": lambda path: xent_reports.render(sound(path), path.parent / "out", kill_matrix=path),
    "speed": lambda path: xent_reports.render(sound(path), path.parent / "out", speed=path),
}


def sound(path: Path) -> Path:
    """A sound record beside a file."""
    return records.run(path.with_name("sound.jsonl"), V("torch", "a.x"))


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 << 30)


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a sparse file of 5 GiB": (sparse, f"5368709120 bytes, more than {MAX_BYTES}"),
    "a pipe": (os.mkfifo, "not a regular file"),
    "a folder": (Path.mkdir, "directory"),
    "a device without end": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "a link to itself": (lambda path: path.symlink_to(path), "symbolic links"),
    "a link to nowhere": (lambda path: path.symlink_to("nowhere"), "No such file"),
    "binary": (lambda path: path.write_bytes(random.Random(0).randbytes(1 << 16) + b"\n"), "not JSON .no UTF-8"),
    "UTF-16": (lambda path: path.write_bytes('{"kind":"header"}\n'.encode("utf-16")), "not JSON .no UTF-8"),
    "compressed": (lambda path: path.write_bytes(b"\x1f\x8b\x08\x00\x00\n"), "not JSON .no UTF-8"),
    "nulls": (lambda path: path.write_bytes(bytes(1 << 16) + b"\n"), "not JSON .Expecting value"),
    "brackets": (lambda path: path.write_bytes(b"[" * (1 << 20) + b"\n"), "more than .* deep"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_of_ours_is_refused_whoever_reads_it(tmp_path: Path, name: str, reader: str) -> None:
    """Without waiting for a writer, and without reading what is too long."""
    make, message = NO_FILES[name]
    path = tmp_path / "hostile.json"
    make(path)
    start = time.perf_counter()
    with pytest.raises(RecordError, match=rf"hostile\.json(:1)?: .*{message}"):
        READERS[reader](path)
    assert time.perf_counter() - start < SECONDS


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """With the reason."""
    path = sound(tmp_path / "x")
    path.chmod(0)
    with pytest.raises(RecordError, match=r"sound\.jsonl: Permission denied"):
        read(path)


def test_a_link_to_a_record_is_a_record(tmp_path: Path) -> None:
    """People do that."""
    link = tmp_path / "link.jsonl"
    link.symlink_to(sound(tmp_path / "x"))
    assert read(link).verdicts


JUNK = {
    "values": ('{"x":[%s0],' % ("{}," * 1_000_000), "RecordError"),
    "text": ('{"x":"%s",' % ("x" * 3_000_000), ""),
}


@pytest.mark.parametrize("junk", JUNK)
def test_memory_is_bounded_whatever_the_file_holds(tmp_path: Path, junk: str) -> None:
    """A process that may have one GiB refuses a file that would take more, and reads one that does not."""
    path = tmp_path / "long.jsonl"
    beginning, outcome = JUNK[junk]
    header = text_of(lines_of_a_run(tmp_path)).splitlines(keepends=True)[0]
    line = f'{beginning}"kind":"verdict","backend":"b","requirement":"r","dtype":"d","status":"pass","level":"MUST"}}\n'
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        for _ in range((MAX_BYTES - len(header)) // len(line)):
            file.write(line)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        f"from pathlib import Path; from xent_conformance.records import record; record.read(Path({str(path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert "MemoryError" not in done.stderr
    assert outcome in done.stderr
    assert done.returncode == (1 if outcome else 0), done.stderr[-500:]


NAMES = ("../../escaped", "/tmp/escaped", "..\\escaped", "a/../../b", "CON", "x\x00y", "-rf", "index.html/../x", "~/x")


@pytest.mark.parametrize("name", NAMES)
def test_names_from_records_never_become_paths(tmp_path: Path, name: str) -> None:
    """Nothing is written but the pages, whatever backends, requirements, dtypes and devices are called."""
    out = tmp_path / "deep" / "out"
    verdict = V(name, name, name, "fail", failure=records.failure(), device=name)
    path = records.run(tmp_path / "r.jsonl", verdict)
    requirements = [{"id": name, "level": "MUST", "kills": 1, "unique": []}]
    found = matrices.matrix([matrices.mutant(name, {name: [1, 1]})], requirements=requirements)
    speed = matrices.written(tmp_path / "s.json", {"benchmarks": [matrices.benchmark(name)]})
    xent_reports.render(path, out, kill_matrix=matrices.written(tmp_path / "m.json", found), speed=speed, baseline=path)
    written = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()} - {"s.json", "m.json"}
    pages = {f"deep/out/{page}" for page in ("index.html", "kill-matrix.html", "summary.md", "badge.json")}
    assert written == {"r.jsonl"} | pages


def test_a_planted_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Writing a page leaves alone what a link in the output folder points at."""
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").symlink_to(victim)
    xent_reports.render(sound(tmp_path / "x"), tmp_path / "out")
    assert victim.read_text("utf-8") == "precious"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Instead of a traceback."""
    path = sound(tmp_path / "x")
    with pytest.raises(OSError, match=r"cannot be written: No such file.*absent/m\.jsonl"):
        xent_reports.merge(path, tmp_path / "absent" / "m.jsonl")
    with pytest.raises(OSError, match=r"cannot be written: Not a directory.*sound\.jsonl/m\.jsonl"):
        xent_reports.merge(path, path / "m.jsonl")


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


def test_readers_refuse_what_multiplies(tmp_path: Path) -> None:
    """Seeds and baselines are columns of every mutant."""
    wide = matrices.matrix([matrices.mutant("m", {})], requirements=[], seeds=1001)
    with pytest.raises(RecordError, match=r"m\.json: not a kill matrix: the seeds: 1001 entries"):
        kill_matrix.read(matrices.written(tmp_path / "m.json", wide))
    many_baselines = matrices.matrix([matrices.mutant("m", {"a.x": [1, 1]})], baselines={str(i): [] for i in range(51)})
    with pytest.raises(RecordError, match=r"m\.json: not a kill matrix: the baselines: 51 entries"):
        kill_matrix.read(matrices.written(tmp_path / "m.json", many_baselines))
    with pytest.raises(RecordError, match=r"b\.json: .*rows"):
        benchmarks.speed(matrices.written(tmp_path / "b.json", {"benchmarks": [matrices.benchmark("t", rows=-1)]}))
