"""Batches of millions of logits, whose rows repeat so that few of them have to be computed exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from xent_conformance.calling.calls import as_float64
from xent_conformance.judging.findings import Compared
from xent_conformance.judging.profiles import foremost_of
from xent_conformance.judging.subject import Need, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import AnyArray, F64Array, Problem
from xent_conformance.requirements.twins import problem_of
from xent_conformance.strategies.sources import listed

#: Classes, not a multiple of a block.
CLASSES = 1031
#: Rows of a batch by the number of its rows that differ, a prime, so that successive blocks of rows differ. The first
#: has about 2^22 logits; the second more than 2^24, beyond which float32 and integers of 24 bits do not count.
ROWS = {31: 4101, 37: 16411}
FEWEST, MOST = ROWS.values()

#: float64 would take twice the time and memory, and kernels split its work in the same way.
NARROW = Need("a dtype narrower than float64", lambda s: s.dtype != "float64")
MANY_CLASSES = Need(f"{CLASSES} classes", lambda s: s.takes_classes(CLASSES), "many classes")


@listed("large batches", least=1)
def large_batches(subject: Subject) -> Iterator[Problem]:
    """The rows of each batch that differ, some of them ignored. One dtype has the larger batch."""
    claims = subject.capabilities
    foremost = subject.dtype == foremost_of(claims.logits_dtypes)
    for different, rows in ROWS.items():
        if rows > FEWEST and not (foremost and subject.takes_rows(rows)):
            continue
        place = np.arange(different * CLASSES)
        logits = ((place * 11 % 37) / 8 + place % 1009 % 5).reshape(different, CLASSES)
        labels = np.arange(different) * 337 % CLASSES
        if claims.default_ignore_index is not None:
            labels[::5] = claims.default_ignore_index
        yield problem_of(subject, logits, labels, "none")


def repeated(few: Problem) -> Problem:
    """The batch of which these are the rows that differ."""
    times = np.arange(ROWS[len(few.logits)]) % len(few.logits)

    def every(array: AnyArray) -> AnyArray:
        return np.ascontiguousarray(array[times])

    cotangent = None if few.cotangent is None else every(few.cotangent)
    return few.with_(logits=every(few.logits), target=every(few.target), cotangent=cotangent)


def worst_compared(
    trial: Trial, batch: Problem, quantity: str, result: AnyArray, exact: Exact, bound: F64Array, **more: Any
) -> Compared:
    """A result for a batch, compared with the exact one of the rows that differ.

    Args:
        trial: The trial of the rows that differ.
        batch: The problem of the batch.
        quantity: What the result is, such as "loss".
        result: That of every row, (rows, ...). Of equal rows, the one that is furthest from the exact result counts.
        exact: That of the rows that differ, (different, ...).
        bound: Its bound, of the same shape.
        more: Further arguments of ``Trial.compare``.
    """
    different, worst = len(exact.value), []
    for row, right in enumerate(exact.value):
        distance = np.abs(as_float64(result[row::different]) - right).reshape(-1, right.size).max(axis=1)
        worst.append(row + different * int(np.argmax(np.where(np.isnan(distance), np.inf, distance))))
    found = trial.compare(quantity, as_float64(result[worst]), exact, bound, **more)
    index = None if found.index is None else (worst[found.index[0]], *found.index[1:])
    return replace(found, index=index, problem=batch)
