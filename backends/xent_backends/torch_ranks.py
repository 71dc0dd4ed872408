"""Processes that call functions of torch together, each as one rank of a group that communicates by gloo.

They are forked, because importing torch anew would take seconds, from the process that calls first. So they end with
it, however it ends: each waits for the end of a pipe whose other end that process alone has open.
"""

from __future__ import annotations

import builtins
import logging
import os
import pickle
import socket
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from time import monotonic
from typing import Any

import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from xent_backends.torch_arrays import numpy_of, tensor_of

#: After a rank has raised an exception, the others have this many seconds to finish the call, and as long as it has
#: taken so far. One that waits for the rank that raised would do so for half an hour.
GRACE = 1.0


class RanksError(RuntimeError):
    """Ranks have not done the same, or one has died; the message names them. The next call has new ones."""


@dataclass(frozen=True)
class Packed:
    """A tensor as it is sent: what its storage has from the first element to the last, its shape and its strides."""

    content: npt.NDArray[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> Packed:
        """The tensor as it is sent."""
        last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
        content = tensor.as_strided((1 + last if tensor.numel() else 0,), (1,))
        return cls(numpy_of(content), tuple(tensor.shape), tensor.stride())

    def tensor(self) -> Tensor:
        """The tensor again."""
        return tensor_of(self.content).as_strided(self.shape, self.strides)


@dataclass(frozen=True)
class Raised:
    """The exception of one rank: the name of its class, and its message."""

    name: str
    message: str

    def error(self) -> Exception:
        """An exception of that class if it is built in, else a RuntimeError that names it."""
        kind = getattr(builtins, self.name, None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            return kind(self.message)
        return RuntimeError(f"{self.name}: {self.message}")


@dataclass(frozen=True)
class Answer:
    """What one rank returned, pickled, or raised; and the state of its torch afterwards."""

    returned: bytes
    raised: Raised | None
    state: Mapping[str, object]


class Ranks:
    """A number of ranks, which are started by the first call. They make one call at a time."""

    def __init__(self, size: int, state: Callable[[], Mapping[str, object]]) -> None:
        """Nothing is started yet. ``state`` reads the global state of torch in a process."""
        self.size = size
        self._look = state
        self._state: Mapping[str, object] | None = None
        self._lock = Lock()
        self._processes: list[BaseProcess] = []
        self._links: list[Connection] = []
        self._lifeline = -1

    def state(self) -> Mapping[str, object]:
        """The state of torch on rank 0 after the last call; without ranks, that of this process."""
        return self._look() if self._state is None else self._state

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What a function, which must be one of a module, returns on every rank for the same arguments.

        Tensors arrive with the same values and strides, in memory of each rank's own. The function returns a tensor, or
        a tuple of tensors and None.

        Raises:
            RanksError: Results or exceptions of two ranks differ, or a rank has died or waits for one that has raised.
            Exception: What the function raised on all ranks.
        """
        given = [_packed(value) for value in arguments], {name: _packed(value) for name, value in options.items()}
        with self._lock:
            try:
                answer = _agreed(self._answers((function, *given)))
            except BaseException:
                # What the ranks do now is unknown.
                self._end()
                raise
            self._state = answer.state
        if answer.raised is not None:
            raise answer.raised.error()
        results = pickle.loads(answer.returned)  # noqa: S301 - sent by a process of ours
        return tuple(map(_unpacked, results)) if isinstance(results, tuple) else _unpacked(results)

    def _answers(self, request: tuple[Any, ...]) -> dict[int, Answer]:
        """The answer of each rank to a request. Raises RanksError if one has died, or waits for another one."""
        if not self._processes:
            self._start()
        began = monotonic()
        for rank, link in enumerate(self._links):
            try:
                link.send(request)
            except OSError:
                raise self._death(rank) from None
        answers: dict[int, Answer] = {}
        waiting: dict[Any, int] = {link: rank for rank, link in enumerate(self._links)}
        while waiting:
            failed = min((rank for rank, answer in answers.items() if answer.raised), default=None)
            ready: list[Any] = connection.wait([*waiting], None if failed is None else GRACE + monotonic() - began)
            if not ready and failed is not None:
                others = f"{_named(sorted(waiting.values()))} did not return"
                raise RanksError(f"rank {failed} of {self.size} raised {_text(answers[failed])}; {others}")
            for link in ready:
                rank = waiting.pop(link)
                try:
                    answers[rank] = link.recv()
                except (EOFError, OSError):
                    raise self._death(rank) from None
        return answers

    def _start(self) -> None:
        fork = get_context("fork")
        alive, self._lifeline = os.pipe()
        with TemporaryDirectory() as folder:
            for rank in range(self.size):
                ours, theirs = fork.Pipe()
                group = rank, self.size, folder
                process = fork.Process(
                    target=_serve, args=(group, theirs, (alive, self._lifeline), self._look), daemon=True
                )
                process.start()
                theirs.close()
                self._processes.append(process)
                self._links.append(ours)
            os.close(alive)
            # They meet by a file in the folder.
            for rank, link in enumerate(self._links):
                try:
                    link.recv()
                except (EOFError, OSError):
                    raise self._death(rank) from None

    def _end(self) -> None:
        """End all ranks; the next call starts others."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for link in self._links:
            link.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._processes, self._links, self._lifeline, self._state = [], [], -1, None

    def _death(self, rank: int) -> RanksError:
        process = self._processes[rank]
        process.join()
        code = process.exitcode or 0
        how = f"died of signal {-code}" if code < 0 else f"ended its process with exit code {code}"
        return RanksError(f"rank {rank} of {self.size} {how}")


def _agreed(answers: Mapping[int, Answer]) -> Answer:
    """The answer of rank 0; raises RanksError if that of another rank differs from it."""
    first = answers[0]
    for rank, answer in sorted(answers.items()):
        same = (answer.raised and answer.raised.name) == (first.raised and first.raised.name)
        if not same or answer.returned != first.returned:
            raise RanksError(f"ranks disagree: rank 0 {_did(first)}, rank {rank} {_did(answer)}")
    return first


def _did(answer: Answer) -> str:
    """What a rank did, for a message."""
    if answer.raised is not None:
        return f"raised {_text(answer)}"
    results = pickle.loads(answer.returned)  # noqa: S301 - sent by a process of ours
    results = results if isinstance(results, tuple) else (results,)
    return f"returned {', '.join(repr(r.content.ravel()[:4].tolist()) for r in results if r is not None)}"


def _text(answer: Answer) -> str:
    return "" if answer.raised is None else f"{answer.raised.name}: {answer.raised.message.partition(chr(10))[0]}"


def _named(ranks: Sequence[int]) -> str:
    return f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}"


def _packed(value: Any) -> Any:
    return Packed.of(value) if isinstance(value, Tensor) else value


def _unpacked(value: Any) -> Any:
    return value.tensor() if isinstance(value, Packed) else value


def _serve(
    group: tuple[int, int, str],
    link: Connection,
    lifeline: tuple[int, int],
    look: Callable[[], Mapping[str, object]],
) -> None:
    """The main function of a rank."""
    alive, other = lifeline
    os.close(other)
    Thread(target=_end_with, args=(alive,), daemon=True).start()
    warnings.simplefilter("ignore")
    # torch reports exceptions of operations on its logger before it raises them.
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    # Without it, gloo looks for an interface that has the address of the machine's name.
    os.environ["GLOO_SOCKET_IFNAME"] = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    rank, size, folder = group
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    link.send(rank)
    while True:
        try:
            function, arguments, options = link.recv()
        except EOFError:
            return
        link.send(_answer(function, arguments, options, look))


def _answer(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    options: Mapping[str, Any],
    look: Callable[[], Mapping[str, object]],
) -> Answer:
    given = {name: _unpacked(value) for name, value in options.items()}
    try:
        results = function(*map(_unpacked, arguments), **given)
    except Exception as error:  # noqa: BLE001 - sent to the process that has called
        return Answer(b"", Raised(type(error).__name__, str(error)), look())
    packed = tuple(map(_packed, results)) if isinstance(results, tuple) else _packed(results)
    return Answer(pickle.dumps(packed), None, look())


def _end_with(alive: int) -> None:
    """End this process with the one that has started it."""
    os.read(alive, 1)
    os._exit(0)
