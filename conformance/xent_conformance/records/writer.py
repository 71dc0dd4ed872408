"""Writes the record of a run line by line, and continues one that was interrupted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, TextIO

from msgspec.structs import asdict

from xent_conformance.loading.declared import MEASURED
from xent_conformance.loading.sources import changed
from xent_conformance.records.lines import SCHEMA_VERSION, Footer, Header, Line, VerdictLine
from xent_conformance.records.plain import as_data
from xent_conformance.records.record import MAX_LINE, Record, RecordError, read

#: Encoding of the file and its error handler, which applies to lone surrogates.
ENCODING = ("utf-8", "backslashreplace")
#: Fields of the header that must be equal for a run to be resumed.
SAME = ("suite", "seed", "profile", "python", "libraries", "backends", "requirements", "dtypes")


def text_of(line: Line) -> str:
    """A line as text for the file, with the line break."""
    return json.dumps(as_data(line), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


class RecordWriter:
    """Writes a record line by line, each complete on disk before the next begins."""

    def __init__(self, path: Path, header: Header, *, resume: bool = False) -> None:
        """Create the file, or continue after the last complete line of a truncated one.

        Args:
            path: The file.
            header: The header of this run. To resume, it must describe the same run as the file's header.
            resume: Whether to continue an existing file.

        Raises:
            OSError: The file cannot be written.
            RecordError: The file cannot be continued: it is missing, damaged, or of another run.
        """
        self.counts: dict[str, int] = {}
        self._path = path
        self._amended: dict[tuple[str, str, str], VerdictLine] = {}
        if not resume or _headless(path):
            self._file: TextIO = self._opened("w")
            self._write(header)
            return
        for line in begun(path, header).verdicts:
            self._count(line)
        with path.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
        self._file = self._opened("a")

    def verdict(self, line: VerdictLine) -> None:
        """Append one verdict."""
        self._count(line)
        self._write(line)

    def amend(self, line: VerdictLine) -> None:
        """Replace a line that was written before, with the same status, when the record is closed."""
        self._amended[line.cell] = line

    def close(self, exit_code: int, seconds: float, error: str | None = None) -> None:
        """Sort the verdicts, append the footer, and close the file.

        Verdicts are sorted by backend (in the header's order), requirement and dtype, so that the file does not depend
        on the order in which they were completed.
        """
        self._sort()
        total, took = sum(self.counts.values()), round(seconds, 3)
        self._write(Footer(exit=exit_code, verdicts=total, counts=self.counts, seconds=took, error=error or None))
        self._file.close()

    def _opened(self, mode: Literal["a", "w"]) -> TextIO:
        encoding, errors = ENCODING
        return self._path.open(mode, encoding=encoding, errors=errors)

    def _sort(self) -> None:
        self._file.close()
        head, *lines = self._path.read_bytes().splitlines(keepends=True)
        backends = {backend["name"]: number for number, backend in enumerate(json.loads(head)["backends"])}

        def placed(line: bytes) -> tuple[tuple[int, str, str], bytes]:
            data = json.loads(line)
            backend, requirement, dtype = (data[name] for name in ("backend", "requirement", "dtype"))
            amended = self._amended.get((backend, requirement, dtype))
            written = line if amended is None else text_of(amended).encode(*ENCODING)
            return (backends[backend], requirement, dtype), written

        ordered = sorted(map(placed, lines), key=itemgetter(0))
        sorted_ = self._path.with_name(f"{self._path.name}.part")
        sorted_.write_bytes(b"".join([head, *(line for _, line in ordered)]))
        sorted_.replace(self._path)
        self._file = self._opened("a")

    def _count(self, line: VerdictLine) -> None:
        self.counts[line.status] = self.counts.get(line.status, 0) + 1

    def _write(self, line: Line) -> None:
        self._file.write(text_of(line))
        self._file.flush()


def begun(path: Path, header: Header) -> Record:
    """The record that a run with this header would continue, which may be complete.

    Raises:
        RecordError: There is no record, or it is of another run.
    """
    if not path.is_file():
        raise RecordError(f"nothing to resume: no {path}")
    if _headless(path):
        return Record(path, header)
    record = read(path)
    if record.version != SCHEMA_VERSION:
        raise RecordError(f"{path} is of record schema {record.version}; it cannot be resumed")
    for before, now in zip(record.header.backends, header.backends, strict=False):
        if before.name != now.name:
            break
        if change := changed(asdict(before), asdict(now)):
            raise RecordError(f"{path} cannot be resumed: {now.name} is another one, {change}")
    there, here = as_data(record.header), as_data(header)
    for data in (there, here):
        data["backends"] = list(map(_comparable, data["backends"]))
    if different := [key for key in SAME if there.get(key) != here.get(key)]:
        raise RecordError(f"{path} is of a run with another {', '.join(different)}; it cannot be resumed")
    return record


def _comparable(backend: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal in the entries of a backend in two headers.

    What the trial of a callable measures differs from run to run: of that it counts whether there is any.
    """
    claims = dict(backend["capabilities"])
    claims["compile_seconds"] = bool(claims.get("compile_seconds"))
    claims.pop("compilations", None)
    for name, what in MEASURED.items():
        others = [pair for pair in claims.get("left_out", ()) if list(pair[:1]) != [what]]
        if len(others) < len(claims.get("left_out", ())):
            claims |= {name: "measured", "left_out": others}
    # Source files are compared before: ``changed`` allows files that only one of the two headers lists.
    return {**backend, "capabilities": claims, "sources": None}


def _headless(path: Path) -> bool:
    """Whether a run was cut off before its header was written."""
    return path.is_file() and path.stat().st_size < MAX_LINE and b"\n" not in path.read_bytes()
