"""More than one machine: the work of a command as tasks of a dask cluster.

A task is what a process of one machine would take: the groups of a run, the sources of a kill matrix, the rounds of a
campaign. What a task gives depends on nothing but its arguments, so the result is the same wherever it is carried out,
and a task whose worker is lost is carried out again by another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from operator import itemgetter
from types import TracebackType
from typing import Any, Self, TypeVar

from xent_conformance.loading.loader import UsageError

T = TypeVar("T")

#: Seconds that a scheduler has to answer.
PATIENCE = 20


class ClusterError(Exception):
    """A task was lost with several workers, one after the other, or the scheduler is gone."""


class Cluster:
    """The workers of a dask scheduler, until the end of ``with``.

    They need the suite, the backends and every file of the command at the same paths as here, and the same working
    directory.
    """

    def __init__(self, address: str) -> None:
        """Connect; raises UsageError without dask.distributed, or where no scheduler answers."""
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise UsageError("--dask needs dask.distributed: python -m pip install 'xent-conformance[dask]'") from error
        try:
            self._client: Any = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(f"no dask scheduler answers at {address}: {error}") from error
        self._completed = distributed.as_completed
        self._lost: tuple[type[BaseException], ...] = (
            distributed.scheduler.KilledWorker,
            distributed.client.FuturesCancelledError,
        )

    def __enter__(self) -> Self:
        """Connected already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        """Disconnect; tasks that are not done are dropped."""
        self._client.close()

    def done(self, function: Callable[..., T], tasks: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        """What a function gives for the arguments of each task, as they come; raises what the function raises.

        Raises ClusterError for a task that is lost with several workers, one after the other.
        """
        futures = [self._client.submit(function, *arguments, pure=False) for arguments in tasks]
        try:
            for future in self._completed(futures, loop=self._client.loop):
                try:
                    yield future.result()
                except self._lost as error:
                    raise ClusterError(f"the cluster lost a task: {error}") from error
        finally:
            self._client.cancel(futures)

    def in_order(self, function: Callable[..., T], tasks: Sequence[tuple[Any, ...]]) -> list[T]:
        """The same, all at once and in the order of the tasks."""
        numbered = self.done(_numbered, [(number, function, *arguments) for number, arguments in enumerate(tasks)])
        return [found for _, found in sorted(numbered, key=itemgetter(0))]


def _numbered(number: int, function: Callable[..., T], *arguments: Any) -> tuple[int, T]:
    return number, function(*arguments)
