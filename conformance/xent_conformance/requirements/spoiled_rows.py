"""A row of several that holds nan or infinities, of which no other row may know."""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import Invocation
from xent_conformance.judging.findings import Finding
from xent_conformance.problem import F64Array, Problem
from xent_conformance.requirements.checks import nan_or_zero
from xent_conformance.requirements.twins import with_logits

#: Reports of numbers of one row that reached others.
LEAKS = [
    "https://github.com/pytorch/pytorch/issues/11551",
    "https://github.com/allenai/allennlp/issues/890",
    "https://github.com/pytorch/pytorch/pull/71502",
]


def row_to_spoil(problem: Problem) -> int | None:
    """A row that is not ignored, in the middle of such rows; None if there is no other row to look at."""
    counted = np.flatnonzero(~problem.ignored())
    return int(counted[len(counted) // 2]) if problem.rows > 1 and counted.size else None


def with_spoiled_row(problem: Problem) -> Iterable[Problem]:
    """Put a nan, a +inf, or only -inf into one row that is not ignored: the first two into any of its classes."""
    row, rows = row_to_spoil(problem), problem.logits_by_row()
    if row is None:
        return
    # By chance, and the same for the same logits: a maximum often starts from the first class.
    chance = np.random.default_rng(crc32(rows.tobytes()))
    for kind in ("nan", "inf", "-inf"):
        spoiled = rows.copy()
        spoiled[row, slice(None) if kind == "-inf" else chance.integers(problem.classes)] = float(kind)
        yield with_logits(problem, spoiled)


def all_nan(quantity: str, result: F64Array, rows: npt.NDArray[np.bool_], call: Invocation) -> Finding:
    """Whether a result, (rows,) or (rows, C), is nan in all of some rows."""
    judged = rows.reshape(-1, *[1] * (result.ndim - 1))
    return nan_or_zero(quantity, np.where(judged, result, np.nan), "nan", call, "a logit of the row is nan")
