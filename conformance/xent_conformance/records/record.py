"""The record of a run: a JSON Lines file with a header, one line for each verdict, and a footer.

The classes in ``lines`` define what is on each line; ``record.schema.json`` beside this module is the JSON Schema made
from them. A file without a footer is truncated: the run did not reach its end.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from xent_conformance.records import version1
from xent_conformance.records.consistency import Consistency
from xent_conformance.records.lines import SCHEMA_VERSION, Footer, Header, VerdictLine
from xent_conformance.records.plain import from_data
from xent_conformance.records.strict_json import MAX_VALUES, OddFileError, opened, parsed, values_in

__all__ = ["MAX_BYTES", "MAX_LINE", "Record", "RecordError", "brief", "read"]

_Line = TypeVar("_Line", bound=msgspec.Struct)

#: Longest line that is read, in bytes. A verdict with its problem is far shorter.
MAX_LINE = 4 << 20
#: Largest file that is read, in bytes: a hundred times what a run over a few backends writes.
MAX_BYTES = 128 << 20
#: Longest description of a damaged line, in characters.
MAX_MESSAGE = 200


class RecordError(ValueError):
    """A file that is not a readable record. The message names the file, the line, and what is wrong."""


@dataclass
class Record:
    """A record in memory.

    Attributes:
        path: The file that it was read from.
        header: What was judged, by which suite, and where.
        verdicts: In the order of the file.
        footer: None if the file is truncated.
        version: Schema version of the file; in memory, all lines are of the current version.
    """

    path: Path
    header: Header
    verdicts: list[VerdictLine] = field(default_factory=list)
    footer: Footer | None = None
    version: int = SCHEMA_VERSION

    @property
    def truncated(self) -> bool:
        """Whether the run that wrote the file did not reach its end."""
        return self.footer is None


def read(path: Path) -> Record:
    """Read a record, of this schema version or an earlier one.

    Args:
        path: The file.

    Raises:
        RecordError: It is not a record, or damaged; the message names file and line.
    """
    with closing(_lines(path)) as lines:
        return _read(path, enumerate(lines, start=1))


def _read(path: Path, lines: Iterator[tuple[int, dict[str, Any]]]) -> Record:
    """The record on some numbered lines."""
    place, head = next(lines, (0, None))
    if head is None:
        raise RecordError(f"{path}: empty, no header line")
    version = _version(path, head)
    with _named_by_place(path, place):
        header = _typed(head, version, Header)
        consistency = Consistency(header)
    record = Record(path, header, version=version)
    for place, data in lines:
        if record.footer is not None:
            raise RecordError(f"{path}:{place}: a line after the footer")
        kind = data.get("kind")
        if kind not in ("verdict", "footer"):
            raise RecordError(f"{path}:{place}: unknown kind of line {brief(kind)}")
        with _named_by_place(path, place):
            if kind == "verdict":
                record.verdicts.append(verdict := _typed(data, version, VerdictLine))
                consistency.verdict(verdict)
            else:
                record.footer = _typed(data, version, Footer)
                consistency.footer(record.footer)
    return record


def _typed(data: dict[str, Any], version: int, kind: type[_Line]) -> _Line:
    """A line of a schema version as an object of this version; raises ValueError for one that does not fit."""
    return from_data(version1.upgraded(data) if version == 1 else data, kind)


@contextmanager
def _named_by_place(path: Path, place: int) -> Iterator[None]:
    """Turn a ValueError into a RecordError that names file and line."""
    try:
        yield
    except ValueError as error:
        raise RecordError(f"{path}:{place}: damaged: {brief(error)}") from error


def _version(path: Path, data: dict[str, Any]) -> int:
    """The schema version of a file, from its first line."""
    if data.get("kind") != "header":
        raise RecordError(f"{path}:1: not a record: the first line is not a header")
    version = data.get("schema")
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise RecordError(f"{path}:1: record schema {brief(version)}, this suite reads 1 to {SCHEMA_VERSION}")
    return version


def brief(content: object) -> str:
    """An exception's message, or any other object, on one line of at most MAX_MESSAGE characters."""
    shown = str(content) if isinstance(content, Exception) else repr(content)
    shown = " ".join(shown.split())
    return shown if len(shown) <= MAX_MESSAGE else f"{shown[:60]} … {shown[60 - MAX_MESSAGE :]}"


def _lines(path: Path) -> Generator[dict[str, Any]]:
    """The parsed lines. An incomplete last line is dropped: the record then has no footer, and counts as truncated."""
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
