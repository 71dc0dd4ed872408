"""Driving pytest over the requirements with a configuration of our own, whatever the folder it runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO

import pytest

from xent_conformance import plugin
from xent_conformance.records.lines import VerdictLine
from xent_conformance.records.plain import from_data
from xent_conformance.records.record import GLYPHS, Status
from xent_conformance.session import Session

#: Environment variables through which another project's settings would reach our run.
INHERITED = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "HYPOTHESIS_PROFILE")


class Console:
    """What a run prints while it goes: a progress line on a terminal, one line for each problem elsewhere."""

    def __init__(self, session: Session, stream: TextIO) -> None:
        """Prints to a stream."""
        self.session = session
        self.stream = stream
        self.total = sum(len(session.cells(r)) for r in session.requirements())
        self.done = 0
        self.internal: list[str] = []
        self.stopped: str | bool = False
        self._live = stream.isatty()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Hand over the session that is open already."""
        config.stash[plugin.SESSION] = self.session

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a cell; name what is wrong."""
        if report.when != "call":
            if report.failed:
                self.internal.append(str(report.longrepr))
            return
        self.done += 1
        for name, data in report.user_properties:
            if name == plugin.PROPERTY and isinstance(data, dict):
                self._show(from_data(data, VerdictLine))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what went wrong in collection."""
        if report.failed:
            self.internal.append(str(report.longrepr))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep why the run ends before its end."""
        self.stopped = session.shouldstop

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Keep what went wrong in pytest or in a plugin."""
        self.internal.append(str(excrepr).splitlines()[-1])

    def _show(self, line: VerdictLine) -> None:
        if line.status in (Status.FAIL, Status.CRASH, Status.TIMEOUT, Status.ERROR):
            glyph, word = GLYPHS[line.status]
            self._clear()
            first, *rest = plugin.summary(line).splitlines() or [""]
            print(f"{glyph} {word} {line.backend} {line.dtype} {line.requirement}: {first}", file=self.stream)
            for text in rest:
                print(f"    {text}", file=self.stream)
        if self._live:
            text = f"[{self.done}/{self.total}] {line.backend} {line.dtype} {line.requirement}"
            print(f"\r\x1b[K{text[:78]}", end="", file=self.stream, flush=True)

    def _clear(self) -> None:
        if self._live:
            print("\r\x1b[K", end="", file=self.stream)

    def close(self) -> None:
        """End the progress line, and print what is wrong with the suite itself."""
        self._clear()
        for text in self.internal:
            print(text, file=self.stream)
        if self.stopped:
            print(f"xent: {self.stopped}", file=self.stream)


def run(session: Session, record: Path, workers: int = 1, stream: TextIO | None = None) -> int:
    """Judge everything and write the record; pytest's exit code."""
    console = Console(session, stream or sys.stderr)
    with _own_environment():
        try:
            code = pytest.main(_arguments(session, record, workers), plugins=[console])
            if code == pytest.ExitCode.INTERRUPTED and not console.stopped:
                console.stopped = "interrupted: finish the run with --resume" if is_begun(record) else "interrupted"
            return int(code)
        finally:
            console.close()


def is_begun(record: Path) -> bool:
    """Whether the record has its header."""
    return record.is_file() and record.stat().st_size > 0


def _arguments(session: Session, record: Path, workers: int) -> list[str]:
    request = session.request
    package = Path(str(files("xent_conformance")))
    arguments = [str(package / "requirements"), "-c", str(package / "requirements" / "pytest.ini")]
    arguments += [f"--rootdir={package}", "--noconftest", "-p", "no:terminal", "-p", "no:cacheprovider"]
    # It would take interruptions that Python drops for one more warning (see ``cli``).
    arguments += ["-p", "no:unraisableexception"]
    # Stronger than python -W error: warnings of pytest and its plugins are no business of a run.
    arguments += ["-W", "ignore"]
    arguments += ["-p", "xent_conformance.plugin", "--xent-profile", request.profile, "--xent-seed", str(request.seed)]
    arguments += ["--xent-resume"] if request.resume is not None else []
    arguments += ["--xent-record", str(record), "--xent-device", request.device]
    arguments += ["--xent-timeout", str(request.timeout), *(["--xent-in-process"] if request.in_process else [])]
    missing = {*session.unavailable, *session.broken}
    arguments += [f"--xent-backend={spec}" for spec in session.request.backends if spec not in missing]
    arguments += [f"--xent-only={name}" for name in request.only]
    arguments += [f"--xent-dtypes={name}" for name in request.dtypes]
    arguments += [] if request.gradient else ["--xent-no-gradient"]
    if workers > 1:
        arguments += ["-p", "xdist.plugin", "-n", str(workers), "--dist", "loadgroup", "-p", "xdist.looponfail"]
    return arguments


@contextmanager
def _own_environment() -> Iterator[None]:
    """Without the settings and plugins of whatever project surrounds the run."""
    changes: dict[str, str | None] = dict.fromkeys(INHERITED)
    changes["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    before = {name: os.environ.get(name) for name in changes}
    try:
        _set(changes)
        yield
    finally:
        _set(before)


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
