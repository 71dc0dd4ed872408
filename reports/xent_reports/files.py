"""Records in, pages out: reading with checks, writing whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xent_conformance.record import Record, RecordError, read
from xent_reports.soundness import checked


def load(paths: Sequence[Path] | Path) -> list[Record]:
    """Read records and check them; raises RecordError for one that is none, and for no record at all."""
    found = [paths] if isinstance(paths, Path) else list(paths)
    if not found:
        raise RecordError("no record was given")
    return [checked(read(path)) for path in found]


def json_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds; raises RecordError, naming the file, for anything else."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not JSON ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise RecordError(f"{path}: not a JSON object")
    return content


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all. Lone surrogates, which no file can hold, are written out."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
