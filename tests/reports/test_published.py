"""What is published can be read, and says what its pages say; when it was made does not matter."""

from __future__ import annotations

import struct
from pathlib import Path

import jsonschema

import xent_reports
from xent_conformance.records.plain import as_data
from xent_conformance.records.record import read
from xent_conformance.records.schema import schema
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


def test_the_readme_shows_the_published_picture() -> None:
    """A PNG of few bytes where README says it is."""
    place = PUBLISHED / "report.png"
    assert f"]({place.relative_to(ROOT).as_posix()})" in (ROOT / "README.md").read_text("utf-8")
    picture = place.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", picture[16:24])) > 500
    assert len(picture) < PICTURE
