"""Records in, pages out: reading with checks, writing whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from xent_conformance.records.plain import from_data
from xent_conformance.records.record import MAX_BYTES, Record, RecordError, brief, read
from xent_conformance.records.strict_json import OddFileError, parsed, read_bytes

_Content = TypeVar("_Content", bound=msgspec.Struct)


def load(records: Sequence[Path | Record] | Path) -> list[Record]:
    """Read records; those that are read already are returned as they are.

    Raises:
        RecordError: A file is not a record, or there is no record.
    """
    given = [records] if isinstance(records, Path) else list(records)
    if not given:
        raise RecordError("no record was given")
    return [one if isinstance(one, Record) else read(one) for one in given]


def json_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; raises RecordError, naming the file, for anything else."""
    try:
        content = parsed(read_bytes(path, MAX_BYTES))
    except OddFileError as error:
        raise RecordError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise RecordError(f"{path}: not a JSON object")
    return content


def read_as(path: Path, kind: type[_Content], what: str) -> _Content:
    """The object in a JSON file as a type of msgspec.

    Args:
        path: The file.
        kind: The type.
        what: What the file should be, to follow "not".

    Raises:
        RecordError: It is not; the message names the file and what does not fit.
    """
    content = json_object(path)
    try:
        return from_data(content, kind)
    except ValueError as error:
        raise RecordError(f"{path}: not {what}: {brief(error)}") from error


def write(path: Path, text: str) -> None:
    """Write a file atomically. Lone surrogates, which UTF-8 cannot encode, are escaped.

    Raises OSError, naming the file, if that fails.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; raises OSError, naming the file, if that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror or error}", str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
