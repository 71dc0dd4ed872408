"""Batches of millions of logits, whose rows repeat so that few of them have to be computed exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from xent_conformance.bounds import Bounds
from xent_conformance.calling.calls import as_float64
from xent_conformance.judging.findings import Compared
from xent_conformance.judging.profiles import foremost_of
from xent_conformance.judging.subject import Need, Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import AnyArray, F64Array, Problem
from xent_conformance.requirements.twins import in_reduction, problem_of
from xent_conformance.strategies.sources import listed
from xent_conformance.subproblems import keep_rows

#: Classes, not a multiple of a block.
CLASSES = 1031


class Size(NamedTuple):
    """The rows of a batch, and what it is reduced to where that is claimed."""

    rows: int
    reduction: str


#: Batches by the number of their rows that differ, a prime, so that successive blocks of rows differ. The first has
#: about 2^22 logits; the second more than 2^24, beyond which float32 and integers of 24 bits do not count.
BATCHES = {31: Size(4101, "mean"), 37: Size(16411, "sum")}
FEWEST, MOST = (size.rows for size in BATCHES.values())

#: float64 would take twice the time and memory, and kernels split its work in the same way.
NARROW = Need("a dtype narrower than float64", lambda s: s.dtype != "float64")
MANY_CLASSES = Need(f"{CLASSES} classes", lambda s: s.takes_classes(CLASSES), "many classes")


@listed("large batches", least=1)
def large_batches(subject: Subject) -> Iterator[Problem]:
    """The rows of each batch that differ, some of them ignored. One dtype has the larger batch."""
    claims = subject.capabilities
    foremost = subject.dtype == foremost_of(claims.logits_dtypes)
    for different, (rows, _) in BATCHES.items():
        if rows > FEWEST and not (foremost and subject.takes_rows(rows)):
            continue
        place = np.arange(different * CLASSES)
        logits = ((place * 11 % 37) / 8 + place % 1009 % 5).reshape(different, CLASSES)
        labels = np.arange(different) * 337 % CLASSES
        if claims.default_ignore_index is not None:
            labels[::5] = claims.default_ignore_index
        yield problem_of(subject, logits, labels, "none" if "none" in claims.reductions else claims.reductions[0])


@dataclass(frozen=True)
class Batch:
    """A large batch: its trial, for calls, and its bounds, with the exact answer.

    ``few`` is the trial of the rows that differ, ``first`` the bounds of the first of each of them in the batch.
    """

    trial: Trial
    few: Trial
    bounds: Bounds

    @property
    def problem(self) -> Problem:
        """The problem of the batch."""
        return self.trial.problem

    @cached_property
    def first(self) -> Bounds:
        """The bounds of the first rows, which differ, as rows of the batch."""
        return self.bounds.block(slice(0, self.few.problem.rows))

    def compare(self, quantity: str, result: AnyArray, exact: Exact, bound: F64Array, **more: Any) -> Compared:
        """A result for every row, (rows, ...), compared with the exact one of the rows that differ, (different, ...).

        Of equal rows the one that is furthest from the exact result counts. ``bound`` is for the rows that differ,
        ``more`` are further arguments of ``Trial.compare``.
        """
        different, worst = len(exact.value), []
        for row, right in enumerate(exact.value):
            distance = np.abs(as_float64(result[row::different]) - right).reshape(-1, right.size).max(axis=1)
            worst.append(row + different * int(np.argmax(np.where(np.isnan(distance), np.inf, distance))))
        found = self.few.compare(quantity, as_float64(result[worst]), exact, bound, **more)
        index = None if found.index is None else (worst[found.index[0]], *found.index[1:])
        return replace(found, index=index, problem=self.problem)


def batches(trial: Trial) -> Iterator[Batch]:
    """The batch of which a problem has the rows that differ: with "none", and in one reduction."""
    few, claimed = trial.problem, trial.subject.capabilities.reductions
    rows = np.arange(BATCHES[few.rows].rows) % few.rows
    whole = keep_rows(few, rows)
    assert whole is not None
    reduced, others = BATCHES[few.rows].reduction, [reduction for reduction in claimed if reduction != "none"]
    for reduction in ["none"] * ("none" in claimed) + ([reduced] if reduced in others else others[:1]):
        own, batch = (in_reduction(problem, reduction) for problem in (few, whole))
        differ = trial if own is few else trial.related(own)
        yield Batch(trial.related(batch), differ, differ.bounds.repeated(batch, rows))
