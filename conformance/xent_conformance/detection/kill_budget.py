"""Estimates how many examples a stream needs, from the examples until its declared kills."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

from xent_conformance.detection.kill_matrix import Matrix
from xent_conformance.judging.profiles import PROFILES
from xent_conformance.strategies.streams import Stream

#: Accepted probability that a kill is missed with a seed.
MISSED = 1e-3


def needed(kills: int, examples: int) -> int:
    """Examples after which a kill is missed with one seed in a thousand: n = log(miss) / log(1 - p).

    p, the probability that an example kills, is estimated as the number of kills over the examples to them.
    """
    chance = kills / examples
    return 1 if chance == 1 else math.ceil(math.log(MISSED) / math.log1p(-chance))


def spent(matrix: Matrix, profile: str) -> list[dict[str, Any]]:
    """For each stream: its examples for one dtype, the number of declared pairs of mutant and requirement, the median
    and the largest number of examples to their kills, and the number that the hardest pair needs, with that pair.
    """
    sources = {r.id: r.source for r in matrix.requirements}
    found: dict[Stream, dict[tuple[str, str], list[int]]] = {}
    for mutant in matrix.mutants:
        for identifier in mutant.killed_by:
            source = sources.get(identifier)
            by_seed = matrix.found.get((mutant.name, identifier))
            if isinstance(source, Stream) and by_seed:
                found.setdefault(source, {})[mutant.name, identifier] = list(by_seed.values())
    return [_line(stream, pairs, profile) for stream, pairs in sorted(found.items(), key=lambda s: -s[0].budget)]


def _line(stream: Stream, pairs: Mapping[tuple[str, str], list[int]], profile: str) -> dict[str, Any]:
    count = max(PROFILES[profile].least, round(PROFILES[profile].examples * stream.budget))
    # A mutant of several dtypes is killed in one of them; examples of earlier dtypes do not count.
    took = {pair: [(e - 1) % count + 1 for e in examples] for pair, examples in pairs.items()}
    needs = {pair: needed(len(examples), sum(examples)) for pair, examples in took.items()}
    hardest = max(needs, key=lambda pair: (needs[pair], pair))
    every = [e for examples in took.values() for e in examples]
    return {
        "name": stream.name,
        "examples": count,
        "pairs": len(pairs),
        "median": statistics.median(every),
        "most": max(every),
        "needed": needs[hardest],
        "hardest": list(hardest),
    }
