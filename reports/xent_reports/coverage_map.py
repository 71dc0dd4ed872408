"""The coverage map of a run: calls by rows and classes, and by each level of each factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from xent_conformance.records.lines import Count
from xent_reports.files import read_as

#: Sizes, factors, levels of a factor and pairs of levels that a file may have.
_MOST_SIZES, _MOST_LEVELS, _MOST_PAIRS = 2000, 100, 5000
#: Shades of the map.
SHADES = 5

Level = tuple[str, str]


class Share(msgspec.Struct, frozen=True):
    """How many combinations were met, of those that are possible."""

    met: Count
    possible: Count

    @property
    def percent(self) -> str:
        """Rounded down: 100 is all."""
        return f"{self.met * 100 // self.possible}" if self.possible else "100"


class CoverageFile(msgspec.Struct, frozen=True):
    """The file that ``xent coverage`` writes. Sizes are rows, classes and the calls that have them."""

    calls: Count
    pairs: Share
    triples: Share
    levels: Annotated[
        dict[str, Annotated[dict[str, Count], Meta(max_length=_MOST_LEVELS)]], Meta(max_length=_MOST_LEVELS)
    ]
    sizes: Annotated[list[tuple[Count, Count, Count]], Meta(max_length=_MOST_SIZES)]
    missing_pairs: Annotated[list[tuple[Level, Level]], Meta(max_length=_MOST_PAIRS)]


@dataclass(frozen=True)
class Tile:
    """So many calls, and how dark that is: 0 for none."""

    name: str
    calls: int
    shade: int


@dataclass(frozen=True)
class CoverageMap:
    """Tiles of all sizes, a line for each number of rows; those of each factor; and which pairs of levels never met."""

    calls: int
    pairs: Share
    triples: Share
    classes: Sequence[int]
    sizes: Sequence[tuple[int, Sequence[Tile]]]
    factors: Sequence[tuple[str, Sequence[Tile]]]
    missing: Sequence[tuple[str, str]]


def read(path: Path) -> CoverageMap:
    """The map of a file; raises RecordError, naming it, unless `xent coverage` wrote it."""
    content = read_as(path, CoverageFile, "a result of `xent coverage`")
    calls = {(rows, classes): count for rows, classes, count in content.sizes}
    rows, classes = sorted({r for r, _ in calls}), sorted({c for _, c in calls})
    return CoverageMap(
        content.calls,
        content.pairs,
        content.triples,
        classes,
        [(r, [_tile(str(c), calls.get((r, c), 0), content.calls) for c in classes]) for r in rows],
        [
            (name, [_tile(n, count, content.calls) for n, count in levels.items()])
            for name, levels in content.levels.items()
        ],
        _by_level(content.missing_pairs),
    )


def _tile(name: str, count: int, total: int) -> Tile:
    """A tile that is the darker the more calls it has: a shade for each factor of ten below all."""
    shade = max(SHADES - len(str(total // count)) + 1, 1) if count and total >= count else SHADES if count else 0
    return Tile(name, count, shade)


def _by_level(pairs: Sequence[tuple[Level, Level]]) -> list[tuple[str, str]]:
    """A line for each level and factor, with the levels of it that were never tried together with it."""
    grouped = groupby(pairs, key=lambda pair: (pair[0], pair[1][0]))
    return [
        (" ".join(one), f"{factor}: {', '.join(other for _, (_, other) in group)}") for (one, factor), group in grouped
    ]
