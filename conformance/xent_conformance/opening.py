"""Opens the backends of a run, and hands them over to its other processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from xent_conformance.calling.calls import Executor
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.interface import BackendUnavailableError
from xent_conformance.isolation.executor import HandedOver, IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.judging.smoke import first_call
from xent_conformance.loading.description import Description, as_data, from_data
from xent_conformance.loading.errors import BrokenBackendError, NoBackendError, UsageError
from xent_conformance.loading.imported import Imported
from xent_conformance.loading.loader import load
from xent_conformance.loading.sources import check_unchanged
from xent_conformance.request import Request
from xent_conformance.requirements.registry import load as load_requirements
from xent_conformance.verdicts.deviations import Deviation, DeviationError
from xent_conformance.verdicts.deviations import read as read_deviations


@dataclass(frozen=True)
class Opened:
    """A backend that is ready to be judged: its description, and the executor that calls it."""

    description: Description
    executor: Executor

    def handed_over(self) -> HandedOver:
        """What another process needs to take it over; a new one for each process."""
        if isinstance(self.executor, IsolatedExecutor):
            return self.executor.handed_over()
        assert isinstance(self.executor, LocalExecutor)
        return HandedOver(as_data(self.description), self.executor.first)

    def in_mode(self, mode: str) -> Opened | None:
        """The backend in one of its modes, in a process of its own; None where it is not judged in one.

        Raises what ``IsolatedExecutor.open`` does.
        """
        if not isinstance(self.executor, IsolatedExecutor):
            return None
        executor = self.executor.in_mode(mode)
        return Opened(executor.open(), executor)


def isolated(request: Request, spec: str, handed: HandedOver | None = None) -> IsolatedExecutor:
    """An executor for a backend in a worker process, which is not started yet."""
    return IsolatedExecutor(spec, request.narrowing, Limits.granted(request.timeout), handed)


def opened(request: Request, spec: str, executor: IsolatedExecutor | None, given: Imported | None = None) -> Opened:
    """Open a backend in its worker process, or in this one, where it may be ``given`` as an object.

    Raises what ``IsolatedExecutor.open``, ``load`` and ``Imported.open`` do.
    """
    if executor is not None:
        return Opened(executor.open(), executor)
    backend, description = load(spec, request.narrowing) if given is None else given.open()
    return Opened(description, LocalExecutor(backend))


def taken_over(request: Request, handed: HandedOver) -> Opened:
    """Take over a backend that another process has opened; raises ReplacedError if its file has changed since."""
    before = from_data(handed.description)
    if request.in_process:
        now = opened(request, before.spec, None)
        check_unchanged(before.name, vars(before), vars(now.description))
        return now
    executor = isolated(request, before.spec, handed)
    if handed.split is None:
        # It has to be imported again; starting it now lets backends import at the same time.
        executor.start()
    return Opened(before, executor)


@dataclass
class OpenBackends:
    """The backends of a run that are open, and those that are not judged.

    Attributes:
        request: What is judged, and how.
        opened: The open backends.
        unavailable: The reason for each backend for which something is missing on this machine.
        broken: The reason for each backend whose adapter does not work.
        objects: Backends that are objects of this process, by their spec in the request.
        deviations: Known deviations by the name of the backend.
    """

    request: Request
    opened: list[Opened] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    objects: Mapping[str, Imported] = field(default_factory=dict)
    deviations: dict[str, tuple[Deviation, ...]] = field(default_factory=dict)

    def open_all(self) -> None:
        """Load and try every backend of the request; raises UsageError if the request cannot be carried out."""
        here = self.request.backends if self.request.in_process else self.objects
        executors = [None if spec in here else isolated(self.request, spec) for spec in self.request.backends]
        started = [executor for executor in executors if executor is not None]
        try:
            for executor in started:
                executor.start()
            for spec, own in zip(self.request.backends, executors, strict=True):
                self._add(spec, own)
            self._check_options()
        except BaseException:
            for executor in started:
                executor.close()
            raise

    def take_over_all(self, handed: Sequence[HandedOver]) -> None:
        """Take over the backends that another process has opened; raises ReplacedError if a file has changed since."""
        self.opened.extend(taken_over(self.request, one) for one in handed)
        for one, earlier in zip(self.opened, handed, strict=True):
            if isinstance(one.executor, IsolatedExecutor):
                one.executor.await_import()
            if earlier.first is not None:
                # Every process begins with the same first call.
                one.executor.perform(earlier.first[0])
            self.deviations[one.description.name] = _deviations_of(one)

    @contextmanager
    def closed_by_errors(self) -> Iterator[None]:
        """Close all backends if the block raises."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def hand_over(self) -> list[HandedOver]:
        """What another process needs to judge the open backends; to be called once for each process."""
        return [one.handed_over() for one in self.opened]

    def _check_options(self) -> None:
        """Raise UsageError for options about callables if there is none: an object in a file may be an adapter."""
        origins = [one.description.origin for one in self.opened]
        every = len(origins) == len(self.request.backends)
        if every and self.request.for_callables and all(o is not None and o.kind == "file" for o in origins):
            raise UsageError(self.request.no_callable)

    def _add(self, spec: str, executor: IsolatedExecutor | None) -> None:
        try:
            one = opened(self.request, spec, executor, self.objects.get(spec))
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
        self.opened.append(one)
        name = one.description.name
        if name in self.deviations:
            raise UsageError(f"two backends with the name {name!r}")
        try:
            self._look_at(one)
        except (BrokenBackendError, DeviationError) as error:
            self.broken[spec] = str(error)
            self.opened.pop().executor.close()

    def _look_at(self, one: Opened) -> None:
        """Make a first call of a backend, and read its deviations; raises BrokenBackendError or DeviationError."""
        call = first_call(one.description, one.executor)
        if isinstance(one.executor, IsolatedExecutor) and one.description.device != "cpu":
            one.executor.canary = call
        self.deviations[one.description.name] = _deviations_of(one)

    def __enter__(self) -> Self:
        """It is open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close all backends."""
        for one in self.opened:
            one.executor.close()

    @property
    def left_out(self) -> list[str]:
        """The reasons for the backends that are not judged, a line each."""
        missing = [f"{spec} is not available: {reason}" for spec, reason in self.unavailable.items()]
        return missing + list(self.broken.values())

    @property
    def not_forked(self) -> list[str]:
        """Backends that every new process imports again because their process cannot be forked, with the reason."""
        isolated = [(o.description.name, o.executor) for o in self.opened if isinstance(o.executor, IsolatedExecutor)]
        return [
            f"{name}: every new process imports it again, because {executor.obstacle}"
            for name, executor in isolated
            if executor.obstacle
        ]


def _deviations_of(one: Opened) -> tuple[Deviation, ...]:
    """The known deviations of a backend; raises DeviationError."""
    name, listed = one.description.name, one.description.deviations
    entries = () if listed is None else read_deviations(listed)
    for entry in entries:
        if unknown := [r for r in entry.requirements if r not in load_requirements()]:
            raise DeviationError(f"deviations of {name}: no requirement {', '.join(unknown)}")
    return entries
