"""The text of ``xent coverage``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from xent_conformance.coverage.bands import named
from xent_conformance.coverage.factors import Level
from xent_conformance.coverage.measure import Coverage


def table(coverage: Coverage) -> Iterator[str]:
    """Lines: the share of pairs and triples met, then what was not."""
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
    """A share in per cent, rounded down: 100.0 is all."""
    return f"{met * 1000 // possible / 10:.1f}" if possible else "100.0"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _pairs(missing: Sequence[tuple[Level, Level]]) -> Iterator[str]:
    """One line for each level, with the levels of another factor that it never met."""
    for (one, factor), group in groupby(missing, key=lambda pair: (pair[0], pair[1][0])):
        yield f"  {' '.join(one)} with {factor}: {', '.join(other for _, (_, other) in group)}"
