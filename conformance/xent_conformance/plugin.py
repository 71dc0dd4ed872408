"""The pytest plugin: one item for each requirement, backend and dtype.

It is loaded in every pytest run of its environment, so it imports nothing of the suite until a requirement is
collected, and all its options begin with ``--xent-``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from xent_conformance.isolation import CALL_SECONDS

if TYPE_CHECKING:
    from xent_conformance.records.lines import VerdictLine
    from xent_conformance.requirements.registry import Requirement
    from xent_conformance.session import Cell, Session

#: Name under which an item carries the line of the record, as plain data: it crosses processes.
PROPERTY = "xent"
SESSION: pytest.StashKey[Session] = pytest.StashKey()
#: Set once a module has said that no backend was chosen: the others need not say it again.
REFUSED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    group = parser.getgroup("xent", "cross-entropy conformance")
    group.addoption("--xent-backend", action="append", default=[], metavar="BACKEND", help="backend to judge")
    group.addoption("--xent-profile", default="default", metavar="PROFILE", help="quick, default, thorough or scale")
    group.addoption("--xent-seed", type=int, default=0, metavar="N", help="seed of the run")
    group.addoption(
        "--xent-only", action="append", default=[], metavar="ID,ID", help="what to judge: requirements, families"
    )
    group.addoption("--xent-dtypes", action="append", default=[], metavar="D,D", help="dtypes of logits")
    group.addoption("--xent-no-gradient", action="store_true", help="callables: claim no gradients")
    group.addoption("--xent-device", default="cpu", metavar="DEVICE", help="callables: device to compute on")
    group.addoption("--xent-in-process", action="store_true", help="no process of its own for each backend")
    group.addoption("--xent-timeout", type=float, default=CALL_SECONDS, metavar="SECONDS", help="limit for one call")
    group.addoption("--xent-record", default=None, metavar="FILE", help="write the record to a file")
    group.addoption("--xent-resume", action="store_true", help="finish the run whose record the file is")


def pytest_configure(config: pytest.Config) -> None:
    """Write the record from the controlling process alone."""
    # Without pytest-xdist nobody else knows it.
    config.addinivalue_line("markers", "xdist_group(name): items that share problems, for one worker of pytest-xdist")
    path = config.getoption("--xent-record")
    if path and not hasattr(config, "workerinput"):
        resume = config.getoption("--xent-resume")
        config.pluginmanager.register(Recording(Path(path), resume=resume), "xent-recording")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Open the backends that are asked for: what is wrong with them is said once, before anything is collected."""
    if session.config.getoption("--xent-backend"):
        session_of(session.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of the backends."""
    if SESSION in config.stash:
        config.stash[SESSION].close()


def session_of(config: pytest.Config) -> Session:
    """The session of a pytest run, opened when first asked for; raises pytest.UsageError for what cannot be opened."""
    from xent_conformance.loading.loader import UsageError
    from xent_conformance.records.record import RecordError
    from xent_conformance.session import Request, Session, names_in

    if SESSION in config.stash:
        return config.stash[SESSION]
    if not config.getoption("--xent-backend"):
        config.stash[REFUSED] = True
        raise pytest.UsageError("choose a backend: --xent-backend numpy (repeatable)")
    record, resume = config.getoption("--xent-record"), config.getoption("--xent-resume")
    if resume and not record:
        raise pytest.UsageError("--xent-resume goes with --xent-record FILE")
    try:
        request = Request(
            backends=tuple(config.getoption("--xent-backend")),
            profile=config.getoption("--xent-profile"),
            seed=config.getoption("--xent-seed"),
            only=names_in(*config.getoption("--xent-only")),
            dtypes=names_in(*config.getoption("--xent-dtypes")),
            gradient=not config.getoption("--xent-no-gradient"),
            device=config.getoption("--xent-device"),
            in_process=config.getoption("--xent-in-process"),
            timeout=config.getoption("--xent-timeout"),
            resume=Path(record) if resume else None,
        )
        session = Session.open(request)
    except (UsageError, RecordError) as error:
        raise pytest.UsageError(str(error)) from error
    if session.left_out:
        session.close()
        raise pytest.UsageError("\n".join(session.left_out))
    config.stash[SESSION] = session
    return session


def requirement_of(test: object) -> Requirement | None:
    """The requirement behind a test function, None for any other object; told apart without importing the suite."""
    found: Requirement | None = getattr(test, "requirement", None)
    return found if type(found).__module__ == "xent_conformance.requirements.registry" else None


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Leave out requirements that were not asked for or that no chosen dtype has."""
    requirement = requirement_of(obj)
    if requirement is not None and collector.config.stash.get(REFUSED, False):
        return []
    left_out = requirement is not None and not session_of(collector.config).cells(requirement)
    return [] if left_out else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each cell of a requirement."""
    requirement = requirement_of(metafunc.function)
    if requirement is None:
        return
    cells = session_of(metafunc.config).cells(requirement)
    marked = [
        pytest.param(cell, id=cell.id(requirement), marks=pytest.mark.xdist_group(_group(requirement, cell)))
        for cell in cells
    ]
    metafunc.parametrize("xent_judge", marked, indirect=True)


def _group(requirement: Requirement, cell: Cell) -> str:
    """Items that share trials go to one xdist worker."""
    source = getattr(requirement.source, "name", requirement.id)
    return f"{cell.id(requirement)}-{source}"


@pytest.fixture
def xent_judge(request: pytest.FixtureRequest) -> Callable[[Requirement], None]:
    """Judge a requirement on this item's cell: fails, skips or passes as the verdict says."""
    from xent_conformance.judging.evaluation import in_error
    from xent_conformance.records.plain import as_data
    from xent_conformance.records.record import Status
    from xent_conformance.witnesses.witness import verdict_line

    session = session_of(request.config)
    cell: Cell = request.param

    def judge(requirement: Requirement) -> None:
        __tracebackhide__ = True
        try:
            line = verdict_line(session.verdict(requirement, cell), session.settings)
        except Exception as error:  # noqa: BLE001 - an error of ours must not leave a hole in the record
            line = verdict_line(in_error(requirement, cell.subject, error), session.settings)
        request.node.user_properties.append((PROPERTY, as_data(line)))
        status, reason = line.status, summary(line)
        if status in (Status.NOT_APPLICABLE, Status.VACUOUS):
            pytest.skip(reason)
        if status in (Status.WEAK, Status.DEVIATION):
            pytest.xfail(reason)
        if status not in (Status.PASS, Status.OBSERVED):
            pytest.fail(reason, pytrace=False)

    return judge


def summary(line: VerdictLine) -> str:
    """A verdict in a few lines: what is wrong, on which problem."""
    if not line.failures:
        known = [f"known deviation: {d.reason} ({d.issue})" for d in line.deviations]
        return line.reason or line.observed or "; ".join(known)
    return "\n".join(f"{failure.message}{_over(failure.ratio)}\n{failure.text}" for failure in line.failures)


def _over(ratio: float | None) -> str:
    """How far a failure is out, where a number says it."""
    return f" ({ratio:.3g} times the bound)" if ratio is not None and ratio < float("inf") else ""


class Recording:
    """Collects the lines of all items, whichever process they ran in, and writes the record."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        """Nothing is written before the session starts."""
        import time

        self._path = path
        self._resume = resume
        self._start = time.perf_counter()
        self._writer: Any = None
        self._session: pytest.Session | None = None
        #: Why the record ends before the run; None: it does not.
        self.broken: OSError | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Write the header; a session that cannot be opened leaves no file."""
        from xent_conformance.records.record import RecordWriter

        self._session = session
        header = session_of(session.config).header()
        try:
            self._writer = RecordWriter(self._path, header, resume=self._resume)
        except OSError as error:
            self._stop(error)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the verdict that an item carries."""
        if report.when == "call" and self._writer is not None:
            for name, data in report.user_properties:
                if name == PROPERTY and isinstance(data, dict):
                    self._write(data)

    def _write(self, data: dict[str, Any]) -> None:
        from xent_conformance.records.lines import VerdictLine
        from xent_conformance.records.plain import from_data

        if self.broken is None:
            try:
                self._writer.verdict(from_data(data, VerdictLine))
            except OSError as error:
                self._stop(error)

    def _stop(self, error: OSError) -> None:
        """End the run: what cannot be recorded need not be judged."""
        self.broken = error
        if self._session is not None:
            self._session.shouldstop = f"cannot write {self._path}: {error.strerror or error}"

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Iterator[None]:
        """Write the footer, unless the run was interrupted: its record then ends with its last verdict."""
        import time

        yield
        if self._writer is None or self.broken is not None:
            return
        try:
            if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
                self._writer.close(int(exitstatus), time.perf_counter() - self._start)
        except OSError as error:
            self._stop(error)
