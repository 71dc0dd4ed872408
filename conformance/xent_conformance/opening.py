"""Opening the backends of a run, and handing open ones over to its other processes."""

from __future__ import annotations

from dataclasses import dataclass

from xent_conformance.calling.calls import Executor
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.isolation.executor import HandedOver, IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.description import Description, as_data, from_data
from xent_conformance.loading.loader import Imported, load
from xent_conformance.loading.sources import check_unchanged
from xent_conformance.request import Request


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
