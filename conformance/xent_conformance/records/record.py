"""The record of a run: a JSON Lines file with a header, one line for each verdict, and a footer.

The format is published as ``record.schema.json`` beside this module. Numbers that JSON cannot hold are the strings
"inf", "-inf" and "nan". A file without a footer is truncated: the run did not reach its end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO

from xent_conformance.loading.sources import changed
from xent_conformance.records.strict_json import MAX_VALUES, OddFileError, opened, parsed, values_in

SCHEMA_VERSION = 1
#: Longest line that is read. A verdict with its problem stays far below; more is not a record of ours.
MAX_LINE = 4 << 20
#: Largest file that is read: a hundred times what a run over a few backends writes.
MAX_BYTES = 128 << 20


class Status(StrEnum):
    """What a verdict says."""

    PASS = "pass"  # noqa: S105 - a status
    FAIL = "fail"
    WEAK = "weak"
    CRASH = "crash"
    TIMEOUT = "timeout"
    ERROR = "error"
    DEVIATION = "deviation"
    NOT_APPLICABLE = "not-applicable"
    OBSERVED = "observed"
    VACUOUS = "vacuous"


#: One glyph and one word for each status, the same on the terminal, in Markdown and in HTML.
GLYPHS: dict[Status, tuple[str, str]] = {
    Status.PASS: ("✓", "pass"),
    Status.FAIL: ("✗", "fail"),
    Status.WEAK: ("△", "weak"),
    Status.CRASH: ("☠", "crash"),
    Status.TIMEOUT: ("◷", "timeout"),
    Status.ERROR: ("!", "error"),
    Status.DEVIATION: ("≠", "deviation"),
    Status.NOT_APPLICABLE: ("–", "not applicable"),
    Status.OBSERVED: ("·", "observed"),
    Status.VACUOUS: ("∅", "vacuous"),
}

#: From what needs attention first to what needs none.
SEVERITY = (
    Status.ERROR,
    Status.CRASH,
    Status.TIMEOUT,
    Status.FAIL,
    Status.WEAK,
    Status.DEVIATION,
    Status.VACUOUS,
    Status.PASS,
    Status.OBSERVED,
    Status.NOT_APPLICABLE,
)

_STATUSES = frozenset(Status)

#: Statuses that make a run fail: exit code 1.
UNEXPECTED = (Status.FAIL, Status.CRASH, Status.TIMEOUT)


class RecordError(ValueError):
    """A file that is not a readable record. The message names the file, the line, and what is wrong."""


@dataclass
class Record:
    """A record in memory. ``footer`` is None where the file is truncated."""

    path: Path
    header: dict[str, Any]
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    footer: dict[str, Any] | None = None

    @property
    def truncated(self) -> bool:
        """Whether the run that wrote the file did not reach its end."""
        return self.footer is None


class RecordWriter:
    """Writes a record line by line, each complete on disk before the next begins."""

    def __init__(self, path: Path, header: dict[str, Any], *, resume: bool = False) -> None:
        """Create the file, or go on after the last complete line of a truncated one.

        Raises OSError where the folder cannot be written, RecordError for a file that cannot be gone on with.
        """
        self.counts: dict[str, int] = {}
        if not resume or _headless(path):
            self._file: TextIO = path.open("w", encoding="utf-8")
            self._line({"kind": "header", "schema": SCHEMA_VERSION, **header})
            return
        for line in begun(path, header).verdicts:
            self.counts[line["status"]] = self.counts.get(line["status"], 0) + 1
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
        self._file = path.open("a", encoding="utf-8")

    def verdict(self, line: dict[str, Any]) -> None:
        """Append one verdict."""
        self.counts[line["status"]] = self.counts.get(line["status"], 0) + 1
        self._line({"kind": "verdict", **line})

    def close(self, exit_code: int, seconds: float, error: str | None = None) -> None:
        """Append the footer and close the file."""
        footer = {"kind": "footer", "exit": exit_code, "verdicts": sum(self.counts.values()), "counts": self.counts}
        self._line({**footer, "seconds": round(seconds, 3), **({"error": error} if error else {})})
        self._file.close()

    def _line(self, content: dict[str, Any]) -> None:
        text = json.dumps(jsonable(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        self._file.write(text + "\n")
        self._file.flush()


def _headless(path: Path) -> bool:
    """Whether a run was cut off before its header was written."""
    return path.is_file() and path.stat().st_size < MAX_LINE and b"\n" not in path.read_bytes()


#: What two headers have in common whose verdicts belong together.
SAME = ("suite", "seed", "profile", "python", "libraries", "backends", "requirements")


def begun(path: Path, header: dict[str, Any]) -> Record:
    """The record of a run that would go on with this header, complete or not.

    Raises RecordError where there is no record, or one of another run.
    """
    if not path.is_file():
        raise RecordError(f"nothing to resume: no {path}")
    if _headless(path):
        return Record(path, header)
    record = read(path)
    there, here = jsonable(record.header), jsonable(header)
    for before, now in zip(there["backends"], here["backends"], strict=False):
        if before["name"] != now["name"]:
            break
        if change := changed({"sources": {}, **before}, now):
            raise RecordError(f"{path} cannot be resumed: {now['name']} is another one, {change}")
        # Those that are in one only are not the same twice: see ``changed``.
        before["sources"] = now["sources"]
    if different := [key for key in SAME if there.get(key) != here[key]]:
        raise RecordError(f"{path} is of a run with another {', '.join(different)}; it cannot be resumed")
    return record


def cell_of(verdict: dict[str, Any]) -> tuple[str, str, str]:
    """What a verdict is about: backend, requirement and dtype."""
    return verdict["backend"], verdict["requirement"], verdict["dtype"]


def jsonable(value: Any) -> Any:
    """A value with its non-finite numbers as strings and its tuples as lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else ("nan" if math.isnan(value) else ("inf" if value > 0 else "-inf"))
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    return value


def number(value: Any) -> float:
    """A number of a record as a float; the inverse of :func:`jsonable`. None is nan."""
    return math.nan if value is None else float(value)


def schema() -> dict[str, Any]:
    """The JSON Schema of one line of a record."""
    loaded: dict[str, Any] = json.loads(
        files("xent_conformance.records").joinpath("record.schema.json").read_text("utf-8")
    )
    return loaded


def read(path: Path) -> Record:
    """Read a record; raises RecordError, naming file and line, for anything else than one."""
    lines = _lines(path)
    header = next(lines, None)
    if header is None:
        raise RecordError(f"{path}: empty, no header line")
    if header.get("kind") != "header":
        raise RecordError(f"{path}:1: not a record: the first line is not a header")
    if header.get("schema") != SCHEMA_VERSION:
        raise RecordError(f"{path}:1: record schema {header.get('schema')!r}, this suite reads {SCHEMA_VERSION}")
    record = Record(path, header)
    for place, line in enumerate(lines, start=2):
        if record.footer is not None:
            raise RecordError(f"{path}:{place}: a line after the footer")
        if line.get("kind") == "footer":
            record.footer = line
        elif line.get("kind") == "verdict":
            _check_verdict(path, place, line)
            record.verdicts.append(line)
        else:
            raise RecordError(f"{path}:{place}: unknown kind of line {line.get('kind')!r}")
    return record


def _check_verdict(path: Path, place: int, line: dict[str, Any]) -> None:
    missing = [k for k in ("backend", "requirement", "dtype", "status", "level") if not isinstance(line.get(k), str)]
    if missing:
        raise RecordError(f"{path}:{place}: a verdict without {', '.join(missing)}")
    if line["status"] not in _STATUSES:
        raise RecordError(f"{path}:{place}: unknown status {line['status']!r}")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Parsed lines. A last line that was cut off is dropped: the file ends there, without a footer."""
    try:
        with opened(path, MAX_BYTES) as file:
            yield from _parsed(path, iter(lambda: file.readline(MAX_LINE), b""))
    except OddFileError as error:
        raise RecordError(f"{path}: {error}") from error
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror or error}") from error


def _parsed(path: Path, raw_lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    size = values = 0
    for place, raw in enumerate(raw_lines, start=1):
        size, values = size + len(raw), values + values_in(raw)
        if size > MAX_BYTES or values > MAX_VALUES:
            raise RecordError(f"{path}:{place}: more than {MAX_BYTES} bytes or {MAX_VALUES} values")
        if not raw.endswith(b"\n"):
            if len(raw) >= MAX_LINE:
                raise RecordError(f"{path}:{place}: a line of more than {MAX_LINE} bytes")
            return
        try:
            line = parsed(raw)
        except OddFileError as error:
            raise RecordError(f"{path}:{place}: {error}") from error
        if not isinstance(line, dict):
            raise RecordError(f"{path}:{place}: not a JSON object")
        yield line
