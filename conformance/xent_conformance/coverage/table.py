"""The text of ``xent coverage``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from xent_conformance.coverage.bands import named
from xent_conformance.coverage.factors import Level
from xent_conformance.coverage.measure import Coverage


def table(coverage: Coverage) -> Iterator[str]:
    """Lines of text: the shares of pairs and triples that occurred, then the levels, bands and pairs that did not."""
    for what, (met, possible) in (("pairs", coverage.pairs()), ("triples", coverage.triples())):
        yield f"{what:<8} {met:>7,} of {possible:>7,} possible ({_percent(met, possible)} %)"
    yield f"levels never met: {_listed([' '.join(level) for level in coverage.never()])}"
    yield f"bands of rows never met: {_listed([named(b) for b in coverage.untouched(coverage.rows)])}"
    yield f"bands of classes never met: {_listed([named(b) for b in coverage.untouched(coverage.classes)])}"
    missing = coverage.missing()
    if missing:
        yield "pairs never met, of levels that were:"
        yield from _pairs(missing)


def _percent(met: int, possible: int) -> str:
    """A percentage, rounded down so that 100.0 means all."""
    return f"{met * 1000 // possible / 10:.1f}" if possible else "100.0"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _pairs(missing: Sequence[tuple[Level, Level]]) -> Iterator[str]:
    """A line for each level and other factor, with the levels of that factor that it never occurred with."""
    for (one, factor), group in groupby(missing, key=lambda pair: (pair[0], pair[1][0])):
        yield f"  {' '.join(one)} with {factor}: {', '.join(other for _, (_, other) in group)}"
