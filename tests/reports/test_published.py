"""What is published can be read, and says what its pages say; when it was made does not matter."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import jsonschema
import records

import published
import xent_reports
from xent_conformance.records.plain import as_data
from xent_conformance.records.record import read
from xent_conformance.records.schema import schema
from xent_reports.combination import combined
from xent_reports.files import load
from xent_reports.headline import sentence
from xent_reports.model import run_of

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "reports" / "published"
RECORD = PUBLISHED / "record.jsonl"
#: Bytes of the picture: README's readers wait for it.
PICTURE = 100_000


def test_the_published_record_is_whole_and_can_be_read() -> None:
    """It reads without an error, has its footer, and every line is of the schema once it is of its version."""
    record = read(RECORD)
    assert record.footer is not None
    validator = jsonschema.Draft202012Validator(schema())
    for line in (record.header, *record.verdicts, record.footer):
        validator.validate(as_data(line))


def test_the_published_pages_say_what_their_record_says(tmp_path: Path) -> None:
    """A page rendered from it has the same verdict as the published ones; so has the badge."""
    page = xent_reports.render(RECORD, tmp_path).read_text("utf-8")
    verdict = sentence(run_of(read(RECORD)))
    for text in (page, (PUBLISHED / "index.html").read_text("utf-8")):
        assert f"<h1>{verdict}</h1>" in text
    assert f"## {verdict}" in (PUBLISHED / "summary.md").read_text("utf-8")
    assert (tmp_path / "badge.json").read_bytes() == (PUBLISHED / "badge.json").read_bytes()


def test_the_documentation_says_what_usual_tests_kill_in_the_published_kill_matrix() -> None:
    matrix = json.loads((PUBLISHED / "kill-matrix.json").read_text("utf-8"))
    *first, last = (len(test["kills"]) for test in matrix["baselines"].values())
    kills = f"{', '.join(map(str, first))} and {last}"
    page = (ROOT / "docs" / "explanation" / "kill-matrix.md").read_text("utf-8")
    assert f"Of the {len(matrix['mutants'])} mutants of the published matrix they killed {kills}." in page


def test_the_readme_shows_the_published_picture() -> None:
    """A PNG of few bytes where README says it is."""
    place = PUBLISHED / "report.png"
    assert f"]({place.relative_to(ROOT).as_posix()})" in (ROOT / "README.md").read_text("utf-8")
    picture = place.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", picture[16:24])) > 500
    assert len(picture) < PICTURE


def test_no_published_record_or_page_names_a_folder_of_the_machine_that_made_it() -> None:
    """Run in the root of this repository, a record has paths relative to it."""
    paths = (RECORD, PUBLISHED / "index.html")
    named = {path.name: published.FOLDERS.search(path.read_text("utf-8")) for path in paths}
    assert named == {"record.jsonl": None, "index.html": None}


def test_each_record_of_a_library_may_be_published() -> None:
    """One implementation each, short, whole, and without the folders of the machine that made it."""
    paths = sorted(published.PLACE.glob(f"*{published.END}"))
    assert len(paths) > 1
    assert {path.name: why for path in paths if (why := published.complaint(path))} == {}
    assert [path.name.removesuffix(published.END) for path in paths] == [
        r.header.backends[0].name for r in map(read, paths)
    ]


def test_the_table_and_the_page_of_the_libraries_are_up_to_date() -> None:
    """After a change of the records: python tools/published.py."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme == published.with_table(readme, published.published())
    run = run_of(combined(load(sorted(published.PLACE.glob(f"*{published.END}")))))
    assert f"<h1>{sentence(run)}</h1>" in (published.PLACE / "index.html").read_text("utf-8")


def test_what_a_machine_has_installed_is_cut_and_what_is_left_of_it_is_refused(tmp_path: Path) -> None:
    """Files begin with the name of their package; a record that names another folder is not published."""
    failing = records.failure(message="at /opt/v/lib/python3.11/site-packages/lib/a.py:3")
    path = records.run(tmp_path / "a.jsonl", records.verdict("torch", "a.x", status="fail", failures=[failing]))
    short = tmp_path / "b.jsonl"
    short.write_text(published.shortened(path.read_text("utf-8")), "utf-8")
    assert published.complaint(short) is None
    assert read(short).verdicts[0].failures[0].message == "at lib/a.py:3"
    assert [v.status for v in read(short).verdicts] == [v.status for v in read(path).verdicts]
    short.write_text(path.read_text("utf-8").replace("site-packages", "dist"), "utf-8")
    assert published.complaint(short) == "it names a folder of a machine, /opt/v/lib/python3.11/dist/lib/a.py:3"


def test_the_largest_errors_stay_numbers_when_they_are_rounded(tmp_path: Path) -> None:
    bins = [{"classes": 1, "count": 1, "ratio": 0.123456, "ulp": sys.float_info.max}]
    path = records.run(tmp_path / "a.jsonl", records.verdict("torch", "a.x", bins=bins))
    short = tmp_path / "b.jsonl"
    short.write_text(published.shortened(path.read_text("utf-8")), "utf-8")
    (entry,) = read(short).verdicts[0].bins
    assert (entry.ratio, entry.ulp) == (0.123, sys.float_info.max)


def test_a_cell_counts_requirements_by_their_worst_dtype(tmp_path: Path) -> None:
    """What is listed, weak or fails; what passes or does not apply is a sign alone."""
    path = records.run(
        tmp_path / "a.jsonl",
        records.verdict("torch", "a.x", "float16", "fail", failures=[records.failure()]),
        records.verdict("torch", "a.x", "float32"),
        records.verdict("torch", "a.y", "float32"),
        records.verdict("torch", "b.x", "float32"),
        records.verdict("torch", "c.x", "float32", "not-applicable", reason="does not claim weight"),
    )
    _, _, row = published.table([read(path)]).splitlines()
    assert row.split(" | ")[-3:] == ["✗ 1", "✓", "– |"]
