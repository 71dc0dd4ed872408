"""Times backends: a measurement for each call whose loss is right at that shape, a reason for every other call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xent_conformance.calling.calls import Invocation
from xent_conformance.calling.exceptions import message_of
from xent_conformance.interface import Backend
from xent_conformance.judging.subject import Subject
from xent_conformance.precision import Precision
from xent_conformance.problem import Problem
from xent_conformance.speed.cells import QUANTITIES, Cell, calls
from xent_conformance.speed.judged import Judged
from xent_conformance.speed.timing import SlowError, Times, call_of, copy_of, timed


@dataclass(frozen=True)
class Measured:
    """The measurement of one call of a backend.

    Attributes:
        backend: Its name.
        device: Its device.
        cell: Shape and dtype of the logits.
        quantity: What is computed, as in ``cells.QUANTITIES``.
        nbytes: The fewest bytes that the call has to move: forward reads the logits, backward writes as many.
        times: The times; None if the call was not timed.
        copy: Those of a copy of the logits; None if it could not be timed.
        why: The reason for which the call was not timed.
        wrong: Whether that reason is an exception or a wrong loss, rather than a claim or a limit.
    """

    backend: str
    device: str
    cell: Cell
    quantity: str
    nbytes: int
    times: Times | None = None
    copy: Times | None = None
    why: str | None = None
    wrong: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """Backend, device, quantity, dtype and shape as JSON data."""
        shape = self.cell.shape
        named = {"backend": self.backend, "device": self.device, "quantity": self.quantity, "dtype": self.cell.dtype}
        return {**named, "rows": math.prod(shape) // shape[1], "classes": shape[1], "shape": list(shape)}

    @property
    def of_copy(self) -> float | None:
        """The median time as a multiple of that of a copy of the logits."""
        return self.times.median / self.copy.median if self.times and self.copy else None

    def as_data(self) -> dict[str, Any]:
        """An entry in the format of pytest-benchmark, for `xent report --speed`. Only for calls that were timed."""
        assert self.times is not None
        rates = {"bytes": self.nbytes, "bytes_per_second": self.nbytes / self.times.median, "of_copy": self.of_copy}
        copied = {"copy_seconds": self.copy.median if self.copy else None}
        stats = {"median": self.times.median, "iqr": self.times.iqr, "rounds": self.times.rounds}
        return {"stats": stats, "extra_info": {**self.about, **rates, **copied}}


def as_data(lines: Sequence[Measured]) -> dict[str, Any]:
    """The file of `xent bench --output`: the calls that were timed, and the reason for each that was not."""
    timed = [line.as_data() for line in lines if line.times is not None]
    return {"benchmarks": timed, "left_out": [{**line.about, "why": line.why} for line in lines if line.times is None]}


def measured(
    backends: Sequence[Backend], cells: Sequence[Cell], seconds: float, memory: float
) -> Iterator[list[Measured]]:
    """Measure the calls of all backends.

    All backends are called at one shape before the next, so that a change of the machine's load affects them alike.

    Args:
        backends: The backends, loaded.
        cells: Shapes and dtypes; backends are skipped at dtypes that they do not claim.
        seconds: Time for repeated calls of each kind.
        memory: Limit in bytes for judging a loss.

    Yields:
        The measurements of a backend at a cell.
    """
    for cell in cells:
        problem: Problem | None = None
        judged: dict[Precision, Judged] = {}
        for backend in backends:
            subject = Subject.of(backend, cell.dtype)
            if cell.dtype not in subject.capabilities.logits_dtypes:
                continue
            why = cell.obstacle(subject, memory)
            if why is None:
                problem = problem or cell.problem()
                asked = subject.within_claims(problem)
                if asked is not None:
                    if subject.precision not in judged:
                        judged[subject.precision] = Judged(subject, asked)
                    against = judged[subject.precision]
                    if against.obstacle is None:
                        asked_for = calls(subject, asked)
                        yield [_measured(subject, backend, cell, c, asked, against, seconds) for c in asked_for]
                        continue
                why = "labels of this size are not claimed" if asked is None else against.obstacle
            yield [Measured(subject.name, subject.device, cell, "loss", cell.nbytes, why=why)]


def _measured(
    subject: Subject,
    backend: Backend,
    cell: Cell,
    invocation: Invocation,
    problem: Problem,
    judged: Judged,
    seconds: float,
) -> Measured:
    quantity = QUANTITIES[invocation.method]
    nbytes = cell.nbytes * len(invocation.results[:2])
    times = copy = why = None
    wrong = True
    try:
        why = judged.complaint(call_of(backend, judged.invocation(invocation.method, problem))())
        times = None if why else timed(call_of(backend, invocation), seconds)
        wrong = why is not None
    except SlowError as error:
        why, wrong = str(error), False
    except Exception as error:  # noqa: BLE001 - a backend is foreign code
        why = f"raised {type(error).__name__}: {message_of(error).strip().partition(chr(10))[0]}"[:200]
    if times is not None:
        try:
            copy = timed(copy_of(backend, subject.device, problem.logits), seconds / 4)
        except TypeError:
            copy = None
    return Measured(subject.name, subject.device, cell, quantity, nbytes, times, copy, why, wrong)


def table(lines: Sequence[Measured]) -> list[str]:
    """The measurements as lines of a text table, with a heading."""
    rows = [("shape", "dtype", "backend", "", "median", "GB/s", "of a copy")]
    notes = {}
    for line in lines:
        shape = "x".join(map(str, line.cell.shape))
        front = (shape, line.cell.dtype, line.backend, line.quantity)
        if line.times is None:
            notes[len(rows)] = line.why
            rows.append((*front, "-", "", ""))
            continue
        rate, ratio = line.nbytes / line.times.median / 1e9, line.of_copy
        figures = f"{line.times.median * 1e3:.3f} ms", f"{rate:.2f}", "" if ratio is None else f"{ratio:.1f}"
        rows.append((*front, *figures))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = []
    for number, row in enumerate(rows):
        left = [text.ljust(width) for text, width in zip(row[:4], widths, strict=False)]
        right = [text.rjust(width) for text, width in zip(row[4:], widths[4:], strict=True)]
        texts.append("  ".join([*left, notes[number] or ""] if number in notes else [*left, *right]).rstrip())
    return texts
