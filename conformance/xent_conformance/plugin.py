"""The pytest plugin: one item for each requirement, backend and dtype, named like ``accuracy.loss[numpy-float32]``.

It is loaded in every pytest run of its environment, so it imports nothing of the suite until a requirement is
collected, and all its options begin with ``--xent-``.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from xent_conformance.request import Request, add_options

if TYPE_CHECKING:
    from xent_conformance.requirements.registry import Requirement
    from xent_conformance.scheduling import Cell
    from xent_conformance.session import Session

SESSION: pytest.StashKey[Session] = pytest.StashKey()
#: The record line of an item's verdict, as JSON text.
LINE: pytest.StashKey[str] = pytest.StashKey()
#: Set once a module has reported that no backend was chosen, so that the others do not repeat it.
REFUSED: pytest.StashKey[bool] = pytest.StashKey()
#: The fields of a verdict line that become properties of its item.
PROPERTIES = ("backend", "requirement", "dtype", "status", "level", "ratio")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    group = parser.getgroup("xent", "cross-entropy conformance")
    group.addoption("--xent-backend", action="append", default=[], metavar="BACKEND", help="backend to judge")
    add_options(group.addoption, "xent_")


def pytest_configure(config: pytest.Config) -> None:
    """Register the collector of causes, and the marker of pytest-xdist, which is unknown without that plugin."""
    config.addinivalue_line("markers", "xdist_group(name): items that share problems, for one worker of pytest-xdist")
    config.pluginmanager.register(Causes(), "xent-causes")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Open the chosen backends, so that their errors are reported once, before collection."""
    if session.config.getoption("--xent-backend"):
        session_of(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the line of an item to its report, the only thing that pytest-xdist sends from a worker."""
    report = yield
    if report.when == "call" and (line := item.stash.get(LINE, "")):
        vars(report)["xent_line"] = line
    return report


class Causes:
    """Collects the verdicts of this process and of pytest-xdist's workers; prints the causes of failures at the end."""

    def __init__(self) -> None:
        """Start without verdicts."""
        self.lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store the line of a verdict."""
        self.lines += [report.xent_line] if hasattr(report, "xent_line") else []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Add the causes to pytest's JUnit XML file, if one is written."""
        junit = session.config.pluginmanager.get_plugin("junitxml")
        report = None if junit is None else session.config.stash.get(junit.xml_key, None)
        if report is not None:
            for number, line in enumerate(self.summary):
                report.add_global_property("cause" if number else "causes", line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print each cause as one line."""
        for number, line in enumerate(self.summary):
            if number:
                terminalreporter.write_line(line)
            else:
                terminalreporter.section(line)

    @property
    def summary(self) -> list[str]:
        """The number of causes, then a line for each; empty if nothing failed."""
        if not self.lines:
            return []
        from xent_conformance.records.causes import causes, counted
        from xent_conformance.records.lines import VerdictLine
        from xent_conformance.records.plain import from_data

        found = causes(from_data(json.loads(line), VerdictLine) for line in self.lines)
        return [counted(found), *(cause.summary for cause in found)] if found else []


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the backends."""
    if SESSION in config.stash:
        config.stash[SESSION].close()


def session_of(config: pytest.Config) -> Session:
    """The session of a pytest run, opened when first asked for; raises pytest.UsageError for what cannot be opened."""
    from xent_conformance.loading.errors import UsageError
    from xent_conformance.session import Session

    if SESSION in config.stash:
        return config.stash[SESSION]
    backends = config.getoption("--xent-backend")
    if not backends:
        config.stash[REFUSED] = True
        raise pytest.UsageError("choose a backend: --xent-backend numpy (repeatable)")
    try:
        session = Session.open(Request.of(config.option, tuple(backends), "xent_"))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    if session.left_out:
        session.close()
        raise pytest.UsageError("\n".join(session.left_out))
    config.stash[SESSION] = session
    return session


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """An item for each cell of a requirement: none if it was not selected, or if no selected dtype is claimed."""
    requirement: Any = getattr(obj, "requirement", None)
    # Recognised by its module's name, without importing the suite.
    if type(requirement).__module__ != "xent_conformance.requirements.registry":
        return None
    if collector.config.stash.get(REFUSED, False):
        return []
    return [
        RequirementItem.from_parent(
            collector, name=f"{requirement.id}[{cell.id(requirement)}]", requirement=requirement, cell=cell
        )
        for cell in session_of(collector.config).cells(requirement)
    ]


class RequirementItem(pytest.Item):
    """A requirement on one backend and dtype: fails, skips or passes according to its verdict."""

    def __init__(self, *, requirement: Requirement, cell: Cell, **more: Any) -> None:
        """Mark the item so that items that share problems go to the same worker of pytest-xdist."""
        super().__init__(**more)
        self.requirement, self.cell = requirement, cell
        self.add_marker(pytest.mark.xdist_group(f"{cell.id(requirement)}-{requirement.source.name}"))

    def runtest(self) -> None:
        """Judge it."""
        from xent_conformance.console import summary
        from xent_conformance.records.plain import as_data
        from xent_conformance.records.status import Status

        session = session_of(self.config)
        line = session.line(session.verdict(self.requirement, self.cell))
        data = as_data(line)
        self.stash[LINE] = json.dumps(data)
        self.user_properties.extend((name, data[name]) for name in PROPERTIES)
        status, reason = line.status, summary(line)
        if status in (Status.NOT_APPLICABLE, Status.VACUOUS):
            pytest.skip(reason)
        if status in (Status.WEAK, Status.DEVIATION):
            pytest.xfail(reason)
        if status not in (Status.PASS, Status.OBSERVED):
            commands = dict.fromkeys(failure.command for failure in line.failures)
            pytest.fail("\n".join([reason, *commands]), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the requirement is defined, and the heading of its failure."""
        line = self.requirement.check.__code__.co_firstlineno - 1
        return self.path, line, f"{self.name}: {self.requirement.title}"
