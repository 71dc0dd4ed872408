"""Running a command's work on several machines, as tasks of a dask cluster.

A task is the unit that one local process would take: a group of a run, a source of a kill matrix, a round of a
campaign. The result of a task depends only on its arguments, so it is the same on every worker, and a task whose worker
is lost is repeated by another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from operator import itemgetter
from types import TracebackType
from typing import Any, Self, TypeVar

from xent_conformance.loading.errors import UsageError

T = TypeVar("T")

#: Seconds to wait for an answer of the scheduler.
PATIENCE = 20


class ClusterError(Exception):
    """A task was lost with several workers in turn, or the connection to the scheduler was."""


class Cluster:
    """The workers of a dask scheduler, connected until the end of ``with``.

    They need the suite, the backends and every file named on the command line at the same paths as here, and the same
    working directory.
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
        """Results of a function for the arguments of each task, in the order of completion.

        Raises what the function raises, and ClusterError for a task that is lost with several workers in turn.
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
        """The same as a list, in the order of the tasks."""
        numbered = self.done(_numbered, [(number, function, *arguments) for number, arguments in enumerate(tasks)])
        return [result for _, result in sorted(numbered, key=itemgetter(0))]


def _numbered(number: int, function: Callable[..., T], *arguments: Any) -> tuple[int, T]:
    return number, function(*arguments)
