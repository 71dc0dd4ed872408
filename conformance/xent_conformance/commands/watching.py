"""`xent watch`: judge the backend of a file again whenever the file, or a module beside it, changes."""

from __future__ import annotations

import argparse
import ast
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from xent_conformance import interruptions
from xent_conformance.commands.judging import run
from xent_conformance.output import complain
from xent_conformance.progress import say
from xent_conformance.records.status import BROKEN, OK, UNEXPECTED, USAGE

if TYPE_CHECKING:
    from xent_conformance.records.lines import VerdictLine
    from xent_conformance.records.status import Status

#: Seconds between two checks of the files. A change counts once the files are the same in two successive checks.
EVERY = 0.3
#: Backend, requirement and dtype to the status of the latest verdict on them.
Known: TypeAlias = "dict[tuple[str, str, str], Status]"
Stamps: TypeAlias = dict[Path, "tuple[int, int] | None"]


def watch(options: argparse.Namespace) -> int:
    """Judge, and again after every change, until interrupted; returns the exit code of the last complete run.

    What failed is judged first, and nothing else while some of it still fails; a run stops when a file changes. Raises
    UsageError if the file does not exist, and for wrong options.
    """
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.loading.loader import file_in
    from xent_conformance.request import Request

    file = file_in(options.file)
    Request.of(options, (options.file,))
    if options.in_process:
        raise UsageError("--in-process cannot be used with watch: the file would be imported only once")
    known: Known = {}
    code = BROKEN
    with suppress(KeyboardInterrupt):
        while True:
            files = _Files(file)
            before = dict(known)
            ended = _judged(options, known, files)
            # An interrupted run has reported that already, and its exit code does not count.
            interruptions.check()
            code = ended
            for line in changes(before, known):
                say(sys.stdout, line)
            say(sys.stdout, f"watching {', '.join(sorted(path.name for path in files.seen))}; Ctrl-C ends")
            say(sys.stdout, f"changed: {', '.join(files.awaited())}")
    return code


def changes(before: Mapping[tuple[str, str, str], Status], now: Mapping[tuple[str, str, str], Status]) -> list[str]:
    """What is fixed, what fails only now, and how many still fail, as lines."""
    if not before:
        return []
    was, fails = ({cell for cell, status in known.items() if status in UNEXPECTED} for known in (before, now))
    lines = [f"fixed: {text}" for text in _grouped(was - fails)]
    lines += [f"new: {text}" for text in _grouped(fails - was)]
    still = len(was & fails)
    return [*lines, f"still failing: {still}"] if still else lines or ["nothing changed"]


def _grouped(cells: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Cells as text: each backend and requirement with its dtypes."""
    dtypes = defaultdict(list)
    for backend, requirement, dtype in sorted(cells):
        dtypes[backend, requirement].append(dtype)
    return (f"{backend} {requirement} ({', '.join(names)})" for (backend, requirement), names in dtypes.items())


def _judged(options: argparse.Namespace, known: Known, files: _Files) -> int:
    """Judge what has failed; if that passes now, judge everything. Returns the exit code."""
    failed = sorted({requirement for (_, requirement, _), status in known.items() if status in UNEXPECTED})
    if failed:
        code = _one_run(options, failed, known, files)
        if code != OK or files.changed():
            return code
        say(sys.stdout, "everything that failed passes now")
        interruptions.check()
    return _one_run(options, options.only, known, files)


def _one_run(options: argparse.Namespace, only: list[str], known: Known, files: _Files) -> int:
    """Run until done or until a file changes; returns the exit code. A broken adapter does not end the watching."""
    from xent_conformance.loading.errors import BrokenBackendError, UsageError
    from xent_conformance.verdicts.deviations import DeviationError

    def note(line: VerdictLine) -> str | None:
        known[line.cell] = line.status
        return "a file has changed" if files.changed() else None

    kind = {"backends": [options.file], "resume": False, "last_failed": False, "fail_fast": False, "dask": None}
    asked = argparse.Namespace(**{**vars(options), **kind, "only": only})
    try:
        return run(asked, note)
    except UsageError as error:
        return complain(error, USAGE)
    except (BrokenBackendError, DeviationError) as error:
        return complain(error, BROKEN)


class _Files:
    """A file and the modules beside it that it imports, with their state at the start of a run."""

    def __init__(self, file: Path) -> None:
        """Record the state of the files."""
        self.seen = _stamps(beside(file))

    def changed(self) -> bool:
        """Whether one has been written or removed since then."""
        return _stamps(self.seen) != self.seen

    def awaited(self) -> list[str]:
        """Wait until files change; returns their names."""
        now = _stamps(self.seen)
        while True:
            interruptions.check()
            time.sleep(EVERY)
            before, now = now, _stamps(self.seen)
            if before == now != self.seen:
                return sorted(path.name for path, stamp in now.items() if stamp != self.seen[path])


def _stamps(files: Iterable[Path]) -> Stamps:
    """Modification time and size of each file; None if it is gone, as for a moment while an editor saves it."""
    stamps: Stamps = {}
    for path in files:
        stamps[path] = None
        with suppress(OSError):
            stat = path.stat()
            stamps[path] = stat.st_mtime_ns, stat.st_size
    return stamps


def beside(file: Path) -> list[Path]:
    """A file and the modules that it imports from its own folder, directly or indirectly, without importing them."""
    found: list[Path] = []
    todo = [file]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        found.append(path)
        for folder, name in _imported(path, file.parent):
            module = folder.joinpath(*name.split("."))
            todo += [p for p in (module.with_suffix(".py"), module / "__init__.py") if p.is_file()]
    return found


def _imported(path: Path, folder: Path) -> Iterator[tuple[Path, str]]:
    """Possible modules that a file imports, as folder and dotted name. A name imported from a module may be one too."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        # The file is being written; its imports are read after the next change.
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((folder, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = path.parents[node.level - 1] if node.level else folder
            module = node.module or ""
            yield from (
                (start, name) for name in [module, *(f"{module}.{a.name}".lstrip(".") for a in node.names)] if name
            )
