"""Output folders and files, checked before any work is done, errors, and the report package. Imports nothing heavy."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any

#: The name of a record in the folder of a run.
RECORD = "record.jsonl"


def complain(message: object, code: int) -> int:
    """Print an error on stderr; returns the exit code."""
    print(f"xent: {message}", file=sys.stderr)
    return code


def renderer(name: str) -> Any:
    """A function of the report package, which is loaded by its entry point."""
    return _renderers()[name].load()


@cache
def _renderers() -> EntryPoints:
    """The registered functions, read once: listing entry points takes longer than rendering a small record."""
    return entry_points(group="xent_conformance.renderers")


@contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """The folder, created if needed and locked inside the block; removed again if nothing was written.

    Raises UsageError where it cannot be written, or where another run is writing there.
    """
    from xent_conformance.loading.errors import UsageError

    try:
        there = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".xent-writable"
        probe.touch()
        probe.unlink()
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another run is writing to {folder}; choose a folder with --output DIR") from error
        yield folder.absolute()
    finally:
        os.close(descriptor)
        if not there:
            with suppress(OSError):
                folder.rmdir()


def check_file(path: Path | None) -> None:
    """Raise UsageError for a file that cannot be written. It is not created; None is no file."""
    from xent_conformance.loading.errors import UsageError

    if path is None:
        return
    there = os.path.lexists(path)
    try:
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path, content: Any) -> None:
    """Write JSON data to a file, in lines that can be compared."""
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
