"""Records in, pages out: reading with checks, writing whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from xent_conformance.record import Record, RecordError, read
from xent_reports.soundness import checked


def load(paths: Sequence[Path] | Path) -> list[Record]:
    """Read records and check them; raises RecordError for one that is none, and for no record at all."""
    found = [paths] if isinstance(paths, Path) else list(paths)
    if not found:
        raise RecordError("no record was given")
    return [checked(read(path)) for path in found]


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all. Lone surrogates, which no file can hold, are written out."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
