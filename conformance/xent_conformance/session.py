"""One run over some backends: its cells, and the verdict of each.

A cell is one requirement on one backend and dtype. Cells of one backend and dtype whose problems come from the same
stream are evaluated together when the first of them is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from xent_conformance.answers import answered
from xent_conformance.calling.compilations import Compilations
from xent_conformance.formats import FLOATING
from xent_conformance.header import described, header, not_judged
from xent_conformance.isolation.executor import HandedOver
from xent_conformance.judging.findings import Finding
from xent_conformance.judging.pool import choose
from xent_conformance.judging.profiles import OPT_IN, Settings
from xent_conformance.judging.subject import STRIDES, Subject
from xent_conformance.loading.imported import Imported
from xent_conformance.opening import OpenBackends, Opened
from xent_conformance.records.lines import BackendLine, Header, VerdictLine
from xent_conformance.records.record import Record
from xent_conformance.records.writer import begun
from xent_conformance.request import Request
from xent_conformance.requirements.registry import Requirement, grouped
from xent_conformance.requirements.registry import load as load_requirements
from xent_conformance.scheduling import Cell, Group, in_order
from xent_conformance.selection import selected
from xent_conformance.verdicts.evaluation import evaluate
from xent_conformance.verdicts.first import FirstFailure, first_failure
from xent_conformance.verdicts.verdict import Verdict, in_error
from xent_conformance.witnesses.behind import Cause
from xent_conformance.witnesses.known import KnownCauses
from xent_conformance.witnesses.witness import verdict_line


@dataclass
class Session(OpenBackends):
    """A run: its open backends, and its verdicts so far.

    Attributes:
        earlier: The record of the run that is resumed.
        done: The cells that it has verdicts for.
        notice: Called with what is being done: the requirements of a group, or a step that takes long.
        announce: Called with the first failure, as soon as there is one.
    """

    earlier: Record | None = None
    done: frozenset[tuple[str, str, str]] = frozenset()
    notice: Callable[[str], object] = str
    announce: Callable[[FirstFailure], object] = str
    _verdicts: dict[Any, dict[str, Verdict]] = field(default_factory=dict)
    _announced: bool = False
    _compilations: dict[tuple[str, str], Compilations] = field(default_factory=dict)
    #: By backend, the causes of calls that did not return.
    _lost: dict[str, KnownCauses] = field(default_factory=dict)

    @classmethod
    def open(cls, request: Request, objects: Mapping[str, Imported] | None = None) -> Session:
        """Load and try every backend; those that are ``objects`` of this process are judged in it.

        A backend that does not work is left out, so that the others are judged: see ``left_out``.

        Raises:
            UsageError: The request cannot be carried out, for example because there is no such backend.
            RecordError: The record cannot be resumed.
        """
        session = cls(request, objects=objects or {})
        with session.closed_by_errors():
            session.open_all()
            if request.resume is not None:
                session.earlier = begun(request.resume, session.header())
                session.done = frozenset(line.cell for line in session.earlier.verdicts)
        return session

    @classmethod
    def take_over(cls, request: Request, handed: Sequence[HandedOver]) -> Session:
        """A session of backends that another process has opened; raises ReplacedError if a file has changed since."""
        session = cls(request)
        with session.closed_by_errors():
            session.take_over_all(handed)
        return session

    @property
    def settings(self) -> Settings:
        """The profile and the seed."""
        return Settings(self.request.profile, self.request.seed)

    def requirements(self) -> list[Requirement]:
        """The requirements that are judged."""
        registry = load_requirements()
        if self.request.only:
            return selected(self.request.only, registry.values())
        return [r for r in registry.values() if r.opt_in == (self.request.profile == OPT_IN)]

    def cells(self, requirement: Requirement) -> list[Cell]:
        """The cells of one requirement."""
        if requirement.id not in {r.id for r in self.requirements()}:
            return []
        cells: list[Cell] = []
        for one in self.opened:
            dtypes = self._dtypes(one)
            chosen = dtypes[:1] if requirement.once else dtypes
            cells.extend(Cell(self._subject(one, dtype)) for dtype in chosen)
        return [cell for cell in cells if cell.key(requirement) not in self.done]

    def groups(self) -> list[Group]:
        """All cells to be judged, in groups that share their problems, in the order of ``scheduling``."""
        by_source: dict[Any, tuple[Subject, list[Requirement]]] = {}
        for requirement in sorted(self.requirements(), key=_defined_at):
            for cell in self.cells(requirement):
                key = (cell.subject.name, cell.subject.dtype, requirement.source, requirement.once)
                by_source.setdefault(key, (cell.subject, []))[1].append(requirement)
        groups = [Group(subject, tuple(sorted(judged, key=lambda r: r.id))) for subject, judged in by_source.values()]
        return in_order(groups)

    def group(self, backend: str, dtype: str, identifiers: Sequence[str]) -> Group:
        """The group that another process names."""
        (one,) = (o for o in self.opened if o.description.name == backend)
        registry = load_requirements()
        return Group(self._subject(one, dtype), tuple(registry[i] for i in identifiers))

    def _dtypes(self, one: Opened) -> list[str]:
        """The dtypes that a backend is judged for."""
        return [d for d in one.description.capabilities.logits_dtypes if d in (self.request.dtypes or FLOATING)]

    def _subject(self, one: Opened, dtype: str) -> Subject:
        """A backend for one dtype. Where it compiles, all its groups share the number of compilations."""
        subject = Subject(one.description, one.executor, dtype)
        claims = subject.capabilities
        if not claims.compile_seconds:
            return subject
        key = subject.name, dtype
        if key not in self._compilations:
            most = self.settings.compilations_for(dtype, self._dtypes(one), claims)
            self._compilations[key] = Compilations(
                most,
                self.settings.compilations_of_a_cause(claims),
                shapes=claims.static_shapes,
                values=claims.static_options,
                calls=not claims.compiles_operations,
                layouts=STRIDES.met_by(subject),
            )
        return replace(subject, compilations=self._compilations[key])

    def judged(self, group: Group) -> Iterator[VerdictLine]:
        """The lines of a group's verdicts; if the suite itself fails, they are errors."""
        subject = group.subject
        if applicable := [r.id for r in group.requirements if r.not_applicable(subject) is None]:
            more = f" and {len(applicable) - 1} more" if applicable[1:] else ""
            self.notice(f"{subject.name} {subject.dtype} {applicable[0]}{more}")
        try:
            verdicts = self._evaluated(group)
        except Exception as error:  # noqa: BLE001 - it must not leave a hole in the record
            verdicts = {r.id: in_error(r, subject, error) for r in group.requirements}
        yield from map(self.line, verdicts.values())

    def line(self, verdict: Verdict) -> VerdictLine:
        """The line of a verdict; it is an error if the suite itself fails while reducing the failure."""
        known = [cause for cause in verdict.explained if isinstance(cause, Cause)]
        # Of two calls under way at once that did not return, only one has been explained.
        if not all(any(cause.explains(failing) for cause in known) for failing in verdict.failing):
            self._note_reducing(verdict.requirement, verdict.subject)
        with _quiet():
            try:
                return verdict_line(verdict, self.settings, self._known(verdict.subject).hanging(verdict.subject))
            except Exception as error:  # noqa: BLE001 - it must not leave a hole in the record
                return verdict_line(in_error(verdict.requirement, verdict.subject, error), self.settings)

    def verdict(self, requirement: Requirement, cell: Cell) -> Verdict:
        """The verdict of one cell; its whole group is evaluated on the first call."""
        subject = cell.subject
        key = (subject.name, subject.dtype, requirement.source, requirement.once)
        if key not in self._verdicts:
            alike = [r for r in self.requirements() if r.source == requirement.source and r.once == requirement.once]
            group = Group(subject, tuple(r for r in alike if cell.key(r) not in self.done))
            self._verdicts[key] = self._evaluated(group)
        return self._verdicts[key][requirement.id]

    def _evaluated(self, group: Group) -> dict[str, Verdict]:
        subject = group.subject
        if subject.compilations is not None and not subject.compilations.pool:
            self._choose_programs(subject)
        known = self.deviations.get(subject.name, ())
        about = subject.description.version, self._known(subject), self._announce
        with _quiet():
            return evaluate(subject, group.requirements, self.settings, known, *about)

    def _known(self, subject: Subject) -> KnownCauses:
        return self._lost.setdefault(subject.name, KnownCauses(self._note_reducing))

    def _choose_programs(self, subject: Subject) -> None:
        """Choose the programs that all groups of a subject share."""
        first = subject.dtype == subject.capabilities.logits_dtypes[0]
        judged = (r for r in self.requirements() if (first or not r.once) and r.not_applicable(subject) is None)
        with _quiet():
            choose(subject, {source: len(some) for source, some in grouped(judged).items()}, self.settings)

    def _announce(self, requirement: Requirement, subject: Subject, finding: Finding) -> None:
        """Announce the first failure of the run; later ones are shown with their verdicts."""
        if not self._announced and (failure := first_failure(requirement, subject, finding)) is not None:
            self._announced = True
            self.announce(failure)

    def _note_reducing(self, requirement: Requirement, subject: Subject) -> None:
        self.notice(f"{subject.name} {subject.dtype} {requirement.id}: reducing the failing problem")

    def answered(self, lines: Sequence[VerdictLine]) -> list[VerdictLine]:
        """Some verdicts of the run with the answers of the other backends, to replace the written ones."""
        earlier = [] if self.earlier is None else self.earlier.verdicts
        with _quiet():
            return answered([*earlier, *lines], self.opened, self.notice)

    def backend_lines(self) -> list[BackendLine]:
        """The entries of the open backends in the header of the record."""
        descriptions = [one.description for one in self.opened]
        return [described(d, self.settings.compilations(d.capabilities)) for d in descriptions]

    def header(self) -> Header:
        """The header of the record."""
        request = self.request
        backends = self.backend_lines()
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings, even with python -W error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _defined_at(requirement: Requirement) -> tuple[str, int]:
    """Where a requirement is defined: module and line."""
    return requirement.check.__module__, requirement.check.__code__.co_firstlineno
