"""One run over some backends: which cells there are, and the verdict of each.

A cell is one requirement on one backend and dtype. Cells of one backend and dtype whose problems come from the same
stream are evaluated together when the first of them is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xent_conformance.calling.calls import Executor, forward
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.formats import FLOATING
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.judging.evaluation import Verdict, evaluate
from xent_conformance.judging.profiles import PROFILES, Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.description import Description
from xent_conformance.loading.loader import BrokenBackendError, Narrowing, NoBackendError, UsageError, is_callable, load
from xent_conformance.loading.smoke import first_call
from xent_conformance.records import deviations
from xent_conformance.records.header import described, header, not_judged
from xent_conformance.records.lines import Header
from xent_conformance.records.record import begun
from xent_conformance.requirements.registry import OPT_IN, Requirement
from xent_conformance.requirements.registry import load as load_requirements

ALL_DTYPES = "all"
#: Longest limit of a call, in seconds: eleven days.
LONGEST = 10**6


def check_profile(name: str) -> None:
    """Raise UsageError for a profile there is not."""
    if name not in PROFILES:
        raise UsageError(f"unknown profile {name!r}; there are {', '.join(PROFILES)}")


def names_in(*texts: str) -> tuple[str, ...]:
    """Names between commas, each once; a text that has none as it is."""
    names = (name for text in texts for part in text.split(",") if (name := part.strip()))
    return tuple(dict.fromkeys(names)) or texts


@dataclass(frozen=True)
class Request:
    """What a user asks for, as plain values; ``resume`` is the record of a run to be finished.

    Raises UsageError for a profile, dtype or requirement there is not.
    """

    backends: tuple[str, ...]
    profile: str = "default"
    seed: int = 0
    only: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    gradient: bool = True
    device: str = "cpu"
    in_process: bool = False
    resume: Path | None = None
    timeout: float = Limits.call

    def __post_init__(self) -> None:
        """Check the values that have a fixed set."""
        if not 0 < self.timeout <= LONGEST:
            raise UsageError(f"a timeout is a number of seconds above 0 and up to {LONGEST:,}, not {self.timeout}")
        check_profile(self.profile)
        if unknown := [d for d in self.dtypes if d not in FLOATING]:
            raise UsageError(f"unknown dtypes {_quoted(unknown)}; there are {', '.join(FLOATING)}")
        if unknown := [i for i in self.only if not _chosen((i,), load_requirements())]:
            raise UsageError(f"unknown requirement {_quoted(unknown)}; `xent list` prints them all")
        if (self.device != "cpu" or not self.gradient) and not any(is_callable(spec) for spec in self.backends):
            raise UsageError("--device and --no-gradient are about callables, torch:package.function; none is named")


@dataclass(frozen=True)
class Opened:
    """A backend that can be judged: what it is, and who calls it."""

    description: Description
    executor: Executor


@dataclass(frozen=True)
class Cell:
    """One pytest item."""

    subject: Subject

    def id(self, requirement: Requirement) -> str:
        """Parameter id: backend and dtype."""
        name, _, dtype = self.key(requirement)
        return f"{name}-{dtype}"

    def key(self, requirement: Requirement) -> tuple[str, str, str]:
        """What its verdict is about, as :class:`~xent_conformance.records.lines.VerdictLine` has it."""
        return self.subject.name, requirement.id, ALL_DTYPES if requirement.once else self.subject.dtype


@dataclass
class Session:
    """Loaded backends and the verdicts found so far.

    ``unavailable`` and ``broken`` have what is wrong with each backend left out: this machine lacks something, or the
    adapter does not work. ``done`` is what the run that is resumed has verdicts for; ``finished``: that is all.
    """

    request: Request
    opened: list[Opened] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    done: frozenset[tuple[str, str, str]] = frozenset()
    finished: bool = False
    _verdicts: dict[Any, dict[str, Verdict]] = field(default_factory=dict)
    _deviations: dict[str, tuple[deviations.Deviation, ...]] = field(default_factory=dict)

    @classmethod
    def open(cls, request: Request) -> Session:
        """Load and look at every backend; raises UsageError for what cannot be asked for.

        A backend that does not work is left out, so that the others are judged: see ``left_out``.
        """
        session = cls(request)
        executors = [None if request.in_process else session._isolated(spec) for spec in request.backends]
        isolated = [executor for executor in executors if executor is not None]
        try:
            for executor in isolated:
                executor.start()
            for spec, own in zip(request.backends, executors, strict=True):
                session._add(spec, own)
            if request.resume is not None:
                earlier = begun(request.resume, session.header())
                session.done = frozenset(line.cell for line in earlier.verdicts)
                session.finished = earlier.footer is not None
        except BaseException:
            for executor in isolated:
                executor.close()
            session.close()
            raise
        return session

    def _add(self, spec: str, executor: IsolatedExecutor | None) -> None:
        try:
            opened = self._opened(spec, executor)
        except BackendUnavailableError as error:
            self.unavailable[spec] = str(error)
            return
        except NoBackendError as error:
            if self.request.backends == (spec,):
                raise
            self.broken[spec] = str(error)
            return
        except BrokenBackendError as error:
            self.broken[spec] = str(error)
            return
        self.opened.append(opened)
        name = opened.description.name
        if name in self._deviations:
            raise UsageError(f"two backends with the name {name!r}")
        try:
            self._look_at(opened)
        except (BrokenBackendError, deviations.DeviationError) as error:
            self.broken[spec] = str(error)
            self.opened.pop().executor.close()

    def _look_at(self, opened: Opened) -> None:
        """Try a backend, and read its deviations; raises BrokenBackendError or DeviationError."""
        problem = first_call(opened.description, opened.executor)
        if isinstance(opened.executor, IsolatedExecutor) and opened.description.device != "cpu":
            opened.executor.canary = forward(problem)
        name, listed = opened.description.name, opened.description.deviations
        entries = () if listed is None else deviations.read(listed)
        for entry in entries:
            if unknown := [r for r in entry.requirements if r not in load_requirements()]:
                raise deviations.DeviationError(f"deviations of {name}: no requirement {', '.join(unknown)}")
        self._deviations[name] = entries

    def _opened(self, spec: str, executor: IsolatedExecutor | None) -> Opened:
        """A backend in its own process, or in this one."""
        if executor is not None:
            return Opened(executor.open(), executor)
        backend, description = load(spec, self._narrowing)
        return Opened(description, LocalExecutor(backend))

    def _isolated(self, spec: str) -> IsolatedExecutor:
        return IsolatedExecutor(spec, self._narrowing, Limits.granted(self.request.timeout))

    @property
    def _narrowing(self) -> Narrowing:
        request = self.request
        return Narrowing(request.dtypes or None, request.gradient, request.device)

    def close(self) -> None:
        """Let go of all backends."""
        for opened in self.opened:
            opened.executor.close()

    @property
    def left_out(self) -> list[str]:
        """What is wrong with the backends that are not judged, a line each."""
        missing = [f"{spec} is not available: {reason}" for spec, reason in self.unavailable.items()]
        return missing + list(self.broken.values())

    @property
    def settings(self) -> Settings:
        """How problems are drawn."""
        return Settings(self.request.profile, self.request.seed)

    def requirements(self) -> list[Requirement]:
        """The requirements that are asked for."""
        registry = load_requirements()
        if self.request.only:
            return _chosen(self.request.only, registry)
        return [r for r in registry.values() if r.opt_in == (self.request.profile == OPT_IN)]

    def cells(self, requirement: Requirement) -> list[Cell]:
        """The cells of one requirement."""
        if requirement.id not in {r.id for r in self.requirements()}:
            return []
        found: list[Cell] = []
        for opened in self.opened:
            claimed = opened.description.capabilities.logits_dtypes
            dtypes = [d for d in claimed if d in (self.request.dtypes or FLOATING)]
            chosen = dtypes[:1] if requirement.once else dtypes
            found.extend(Cell(Subject(opened.description, opened.executor, dtype)) for dtype in chosen)
        return [cell for cell in found if cell.key(requirement) not in self.done]

    def verdict(self, requirement: Requirement, cell: Cell) -> Verdict:
        """Verdict of one cell; evaluates its whole group when first asked."""
        subject = cell.subject
        key = (subject.name, subject.dtype, requirement.source, requirement.once)
        if key not in self._verdicts:
            alike = [r for r in self.requirements() if r.source == requirement.source and r.once == requirement.once]
            group = [r for r in alike if cell.key(r) not in self.done]
            known = self._deviations.get(subject.name, ())
            self._verdicts[key] = evaluate(subject, group, self.settings, known, subject.description.version)
        return self._verdicts[key][requirement.id]

    def header(self) -> Header:
        """The header of the record."""
        request = self.request
        backends = [described(opened.description) for opened in self.opened]
        backends += [not_judged(spec, reason) for spec, reason in self.unavailable.items()]
        backends += [not_judged(spec, reason, broken=True) for spec, reason in self.broken.items()]
        return header(
            backends,
            self.requirements(),
            command=" ".join(["xent", "run", *request.backends]),
            seed=request.seed,
            profile=request.profile,
            dtypes=request.dtypes,
        )


def _quoted(names: Sequence[str]) -> str:
    """Names as text, also those that nobody would see."""
    return ", ".join(name if name.strip(" ,") else repr(name) for name in names)


def _chosen(only: Sequence[str], registry: dict[str, Requirement]) -> list[Requirement]:
    """Requirements named by id, or by family."""
    return [r for r in registry.values() if r.id in only or r.family in only]
