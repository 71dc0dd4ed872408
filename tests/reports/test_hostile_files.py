"""Files that are no records, and places that are not ours: refused by name in no time, and nothing else is touched."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import matrices
import pytest
import records
from hostile import READERS, SECONDS, V, lines_of_a_run, sound, text_of

import xent_reports
from xent_conformance.records.record import MAX_BYTES, RecordError, read
from xent_reports import benchmarks, kill_matrix


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
    line = beginning + json.dumps(V("torch", "a.x", device="%s")).removeprefix("{") + "\n"
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        for number in range((MAX_BYTES - len(header)) // (len(line) + 2)):
            file.write(line.replace("%s", str(number)))
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
    verdict = V(name, name, name, "fail", failures=[records.failure()], device=name)
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


def test_readers_refuse_what_multiplies(tmp_path: Path) -> None:
    """Seeds and baselines are columns of every mutant."""
    wide = matrices.matrix([matrices.mutant("m", {})], requirements=[], seeds=1001)
    with pytest.raises(
        RecordError, match=r"m\.json: not a kill matrix: Expected `array` of length <= 1000 - at `\$\.seeds`"
    ):
        kill_matrix.read(matrices.written(tmp_path / "m.json", wide))
    many_baselines = matrices.matrix(
        [matrices.mutant("m", {"a.x": [1, 1]})], baselines={str(i): matrices.baseline() for i in range(51)}
    )
    with pytest.raises(
        RecordError, match=r"m\.json: not a kill matrix: Expected `object` of length <= 50 - at `\$\.baselines`"
    ):
        kill_matrix.read(matrices.written(tmp_path / "m.json", many_baselines))
    with pytest.raises(RecordError, match=r"b\.json: .*rows"):
        benchmarks.speed(matrices.written(tmp_path / "b.json", {"benchmarks": [matrices.benchmark("t", rows=-1)]}))
