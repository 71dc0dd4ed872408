"""The synthetic records of these tests are records: they have the published format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import records

from xent_conformance.records import record
from xent_reports.soundness import checked


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file."""
    return (json.loads(line) for line in path.read_text("utf-8").splitlines())


@pytest.mark.parametrize("size", [(3, 30, 9), (16, 80, 40)], ids=str)
def test_synthetic_records_match_the_published_schema(tmp_path: Path, size: tuple[int, int, int]) -> None:
    """Every line of a synthetic record is valid under record.schema.json."""
    path = records.written(tmp_path / "r.jsonl", *records.large(*size))
    validator = jsonschema.Draft202012Validator(record.schema())
    # One line of each kind and status is enough: the others are made by the same code.
    distinct = {(line["kind"], line.get("status"), bool(line.get("bins"))): line for line in lines(path)}
    for line in distinct.values():
        validator.validate(line)


def test_synthetic_records_are_sound(tmp_path: Path) -> None:
    """What the schema accepts, the report's own check accepts too."""
    checked(record.read(records.written(tmp_path / "r.jsonl", *records.large(3, 30, 9))))


def test_the_same_size_and_seed_give_the_same_record() -> None:
    """The factory is deterministic."""
    assert records.large(3, 20, 5) == records.large(3, 20, 5)
