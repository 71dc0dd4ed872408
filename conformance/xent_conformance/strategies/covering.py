"""Covering arrays: a short list of rows in which every combination of the levels of any three factors occurs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

STRENGTH = 3
#: Rows tried for each row kept. More shortens the array by a few rows and costs time in proportion.
CANDIDATES = 48


@cache
def covering_array(levels: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Rows of level numbers, one column for each factor, ``levels[f]`` levels in factor f.

    Greedy and deterministic: of a number of candidates that each contain a combination still missing, the one that
    covers most. The first rows therefore cover most, so a prefix is a good smaller choice.
    """
    rng = np.random.default_rng(0)
    triples = list(combinations(range(len(levels)), min(STRENGTH, len(levels))))
    missing = {t: np.ones([levels[f] for f in t], dtype=bool) for t in triples}
    rows = []
    while any(m.any() for m in missing.values()):
        candidates = rng.integers(0, levels, size=(CANDIDATES, len(levels)))
        _seed_with_missing(candidates, missing, rng)
        gains = np.sum([m[tuple(candidates[:, f] for f in t)] for t, m in missing.items()], axis=0)
        best = candidates[int(np.argmax(gains))]
        for factors, m in missing.items():
            m[tuple(best[f] for f in factors)] = False
        rows.append(tuple(int(v) for v in best))
    return tuple(rows)


def _seed_with_missing(
    candidates: npt.NDArray[np.int64],
    missing: dict[tuple[int, ...], npt.NDArray[np.bool_]],
    rng: np.random.Generator,
) -> None:
    """Write one missing combination into every candidate, so that the array always grows."""
    open_triples = [t for t, m in missing.items() if m.any()]
    for row in candidates:
        factors = open_triples[int(rng.integers(len(open_triples)))]
        places = np.argwhere(missing[factors])
        row[list(factors)] = places[int(rng.integers(len(places)))]
