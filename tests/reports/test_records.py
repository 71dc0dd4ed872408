"""The published schema is what the typed lines generate, and records of this version and before are read."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import jsonschema
import numpy as np
import pytest
import records

import xent_reports
from xent_conformance.records.lines import Bin, Failure, Header, VerdictLine
from xent_conformance.records.plain import as_data, from_data
from xent_conformance.records.record import read
from xent_conformance.records.schema import schema
from xent_conformance.records.status import Status
from xent_conformance.records.writer import RecordWriter, begun

#: What suite 0.1.0 wrote on torch and on a callable that overwrites its logits, before schema version 2.
VERSION1 = Path(__file__).with_name("version1.jsonl")


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def in_order(content: Any) -> Any:
    """The content with its alternatives sorted: their order depends on the version of msgspec."""
    if isinstance(content, list):
        return sorted((in_order(entry) for entry in content), key=str)
    return {key: in_order(value) for key, value in content.items()} if isinstance(content, dict) else content


def test_the_committed_schema_is_what_the_types_generate() -> None:
    """After a change of a type: python -m xent_conformance.records.schema > .../records/record.schema.json."""
    committed = files("xent_conformance.records").joinpath("record.schema.json").read_text("utf-8")
    assert in_order(json.loads(committed)) == in_order(json.loads(json.dumps(schema())))


@pytest.mark.parametrize("size", [(3, 30, 9), (16, 80, 40)], ids=str)
def test_synthetic_records_match_the_published_schema(tmp_path: Path, size: tuple[int, int, int]) -> None:
    """Every line of a synthetic record is valid, and so is what the reader and the writer make of it."""
    path = records.written(tmp_path / "r.jsonl", *records.large(*size))
    validator = jsonschema.Draft202012Validator(schema())
    # One line of each kind and status is enough: the others are made by the same code.
    distinct = {(line["kind"], line.get("status"), bool(line.get("bins"))): line for line in lines(path)}
    for line in distinct.values():
        validator.validate(line)
    record = read(path)
    assert record.footer is not None
    for typed in (record.header, *record.verdicts, record.footer):
        validator.validate(as_data(typed))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("ratio",), "large"),
        (("status",), "passed"),
        (("failures", 0, "problem", "logits", "values"), [[1.0]]),
        (("failures", 0, "index"), "0"),
        (("failures", 0, "kind"), ""),
        (("bins",), [{"classes": -1, "count": 1, "ratio": 0.5, "ulp": 1.0}]),
    ],
    ids=str,
)
def test_the_schema_and_the_reader_refuse_the_same(place: tuple[Any, ...], value: Any) -> None:
    """A line that one of them takes and the other does not would be a record for some readers only."""
    line = records.verdict("torch", "a.x", status="fail", failures=[records.failure()])
    assert from_data(line, VerdictLine).status is Status.FAIL
    *outer, last = place
    content: Any = line
    for key in outer:
        content = content[key]
    content[last] = value
    with pytest.raises(ValueError, match=str(place[-1])):
        from_data(line, VerdictLine)
    assert not jsonschema.Draft202012Validator(schema()).is_valid(line)


def test_numbers_that_are_not_finite_are_texts_in_the_file_and_floats_in_memory(tmp_path: Path) -> None:
    """JSON has none; a text that happens to be expected stays one."""
    failure = records.failure(expected="inf", got="accepted", bound=None, ratio="nan")
    failure["problem"]["logits"]["values"][:2] = ["-inf", "nan"]
    path = records.run(tmp_path / "r.jsonl", records.verdict("torch", "a.x", status="fail", failures=[failure]))
    ((read_back,),) = (v.failures for v in read(path).verdicts)
    assert (read_back.expected, read_back.got, read_back.bound) == (math.inf, "accepted", None)
    assert read_back.ratio is not None
    assert math.isnan(read_back.ratio)
    assert read_back.problem.logits.values is not None
    assert read_back.problem.logits.values[0] == -math.inf
    (written,) = as_data([read_back])
    assert {key: written[key] for key in ("expected", "got", "bound", "ratio")} == {
        "expected": "inf",
        "got": "accepted",
        "bound": None,
        "ratio": "nan",
    }
    assert written["problem"]["logits"]["values"][:2] == ["-inf", "nan"]


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    """Whatever computed them; of the same value."""
    entry = as_data(Bin(classes=cast("int", np.int64(2**40)), count=1, ratio=np.float64(0.1), ulp=np.float32(0.5)))
    assert json.loads(json.dumps(entry)) == {"classes": 2**40, "count": 1, "ratio": 0.1, "ulp": 0.5}


def test_a_line_survives_being_written_and_read(tmp_path: Path) -> None:
    """With every field of a failure set."""
    exception = {"type": "ValueError", "message": "no", "file": "loss.py", "line": 12, "traceback": "Traceback ..."}
    failure = records.failure(exception=exception, situation=["smoothing on"])
    source = records.run(tmp_path / "r.jsonl", records.verdict("torch", "a.x", status="fail", failures=[failure] * 2))
    record = read(source)
    writer = RecordWriter(tmp_path / "again.jsonl", record.header)
    for verdict in record.verdicts:
        writer.verdict(verdict)
    writer.close(1, 12.5)
    again = read(tmp_path / "again.jsonl")
    assert (again.header, again.verdicts, again.footer) == (record.header, record.verdicts, record.footer)
    assert set(as_data(again.verdicts[0].failures[0])) == set(Failure.__struct_fields__)


def test_fields_that_nobody_knows_are_ignored(tmp_path: Path) -> None:
    """A later suite may add some with the same schema version."""
    verdict = records.verdict("torch", "a.x", later=1, status="fail", failures=[records.failure(later={"a": 1})])
    assert read(records.run(tmp_path / "r.jsonl", verdict, later=[1])).verdicts[0].failures[0].kind == "wrong-value"


def test_a_record_of_version_1_is_read_as_one_of_version_2(tmp_path: Path) -> None:
    """Its one failure or null is a list, what it did not say is unknown; it renders, and merges to version 2."""
    record = read(VERSION1)
    assert (record.version, record.header.schema, record.truncated) == (1, 2, False)
    found = {(v.backend, v.requirement): v for v in record.verdicts}
    broken = next(v for v in record.verdicts if v.status is Status.FAIL)
    (failure,) = broken.failures
    assert (failure.kind, failure.call, failure.exception, failure.situation) == ("unknown", "", None, ())
    assert (failure.got, failure.ratio, broken.set_aside) == ("changed: logits", math.inf, 0)
    assert failure.found is not None
    assert failure.found.failing_examples == 15
    deviation, *_ = found["torch", "dtypes.index-dtypes-accepted"].deviations
    assert deviation.witness is not None
    assert deviation.witness.problem.target.dtype == "uint8"
    assert not found["torch", "accuracy.loss"].failures
    page = xent_reports.render(VERSION1, tmp_path / "out").read_text("utf-8")
    assert "cross_entropy overwrote its logits" in page
    merged = xent_reports.merge([VERSION1], tmp_path / "merged.jsonl")
    validator = jsonschema.Draft202012Validator(schema())
    for line in lines(merged):
        validator.validate(line)
    again = read(merged)
    assert (again.version, again.verdicts) == (2, record.verdicts)


def test_a_run_of_version_1_is_not_resumed(tmp_path: Path) -> None:
    """Half a record of each version would be of none."""
    path = tmp_path / "record.jsonl"
    path.write_bytes(VERSION1.read_bytes())
    header: Header = read(path).header
    with pytest.raises(ValueError, match="is of record schema 1; it cannot be resumed"):
        begun(path, header)


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ({"compile_seconds": 0.8, "compilations": 40}, {"compile_seconds": 0.7, "compilations": 39}, True),
        ({"compile_seconds": 0.8, "compilations": 40}, {"compile_seconds": 0.0}, False),
        ({"max_rows": 620, "left_out": [["many rows", "a row takes 1.6 ms"]]}, None, True),
        ({"max_rows": 620, "left_out": []}, None, False),
        ({"max_rows": None, "left_out": []}, None, False),
        ({"max_classes": 99, "left_out": [["many classes", "a logit takes 1 ms"]]}, {"max_classes": 99}, False),
        ({"weight": False}, {"weight": True}, False),
    ],
)
def test_a_run_is_resumed_although_its_callable_took_another_time(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any] | None, *, same: bool
) -> None:
    """The trial of a callable is made anew; what it measures is not what the run is about."""
    slow = {"max_rows": 650, "left_out": [["many rows", "a row takes 1.5 ms"]]} if now is None else now

    def header(name: str, claims: dict[str, Any]) -> Path:
        plain = records.backend("slow")
        backend = records.backend("slow", capabilities={**plain["capabilities"], **claims})
        return records.written(tmp_path / name, records.header([backend], [records.OBSERVED]), [])

    path, other = header("before.jsonl", before), read(header("now.jsonl", slow)).header
    if same:
        assert begun(path, other).header.backends[0].capabilities.items() >= before.items()
    else:
        with pytest.raises(ValueError, match="another backends; it cannot be resumed"):
            begun(path, other)


def test_the_same_size_and_seed_give_the_same_record() -> None:
    """The factory is deterministic."""
    assert records.large(3, 20, 5) == records.large(3, 20, 5)
