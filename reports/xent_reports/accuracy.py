"""Errors by class count and dtype: the largest ratio and the largest error in units in the last place, per backend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xent_conformance.records.lines import Bin, VerdictLine
from xent_reports.figures import size
from xent_reports.model import Run, dtype_order

#: The requirement whose observation names the tightest precision tier a backend meets.
TIGHTEST_TIER = "accuracy.tightest-tier"


@dataclass(frozen=True)
class Point:
    """The largest values over all problems with one class count."""

    ratio: float
    ulp: float
    count: int


@dataclass(frozen=True)
class Panel:
    """One backend: a point for each dtype and class count that was judged."""

    backend: str
    points: dict[tuple[str, int], Point]
    dtypes: Sequence[str]
    classes: Sequence[int]

    def series(self, dtype: str) -> list[tuple[int, float]]:
        """Class counts and largest ratios of one dtype, from few classes to many."""
        return [(c, self.points[dtype, c].ratio) for c in self.classes if (dtype, c) in self.points]

    def largest_ulp(self, dtype: str) -> tuple[float, int] | None:
        """The largest error of a dtype in units in the last place, and the fewest classes it is seen with."""
        errors = [(self.points[dtype, c].ulp, c) for c in self.classes if (dtype, c) in self.points]
        return max(errors, key=lambda entry: (size(entry[0]), -entry[1]), default=None)


@dataclass(frozen=True)
class Accuracy:
    """Panels of all backends for one family of requirements, and which those are."""

    family: str
    panels: Sequence[Panel]
    requirements: Sequence[str]


def accuracy(run: Run, families: Sequence[str] = ("accuracy", "gradients")) -> list[Accuracy]:
    """Panels by family: only of MUST requirements, whose ratios are all about the bound of the declared precision."""
    groups = []
    for family in families:
        binned = [
            v for v in run.verdicts if v.bins and v.level == "MUST" and run.catalogue[v.requirement].family == family
        ]
        if binned:
            panels = [panel for panel in (_panel(b.name, binned) for b in run.available) if panel.points]
            groups.append(Accuracy(family, panels, sorted({v.requirement for v in binned})))
    return groups


def _panel(backend: str, verdicts: Sequence[VerdictLine]) -> Panel:
    points: dict[tuple[str, int], Point] = {}
    for verdict in verdicts:
        for entry in verdict.bins if verdict.backend == backend else ():
            key = (verdict.dtype, entry.classes)
            points[key] = _larger(points.get(key), entry)
    dtypes = sorted({dtype for dtype, _ in points}, key=dtype_order)
    return Panel(backend, points, dtypes, sorted({classes for _, classes in points}))


def _larger(point: Point | None, new: Bin) -> Point:
    if point is None:
        return Point(new.ratio, new.ulp, new.count)
    return Point(max(point.ratio, new.ratio, key=size), max(point.ulp, new.ulp, key=size), point.count + new.count)


@dataclass(frozen=True)
class Tier:
    """The tier that a backend meets in one dtype, its largest error as a share of the bound, and the tier it misses."""

    name: str = ""
    share: float | None = None
    missed: str = ""


#: The observation of `accuracy.tightest-tier`.
_TIER = re.compile(r"(?P<name>.+) \(largest ratio (?P<share>[\d.e+-]+)\)(?:; not met: (?P<missed>.+))?")


def tiers(run: Run) -> tuple[list[str], list[tuple[str, list[Tier]]]]:
    """The tightest tier each backend meets: dtypes, and for each backend the tier under each."""
    met = {(v.backend, v.dtype): _tier(v) for v in run.verdicts if v.requirement == TIGHTEST_TIER}
    dtypes = sorted({dtype for _, dtype in met}, key=dtype_order)
    labels = [b.name for b in run.available if any(label == b.name for label, _ in met)]
    return dtypes, [(label, [met.get((label, dtype), Tier()) for dtype in dtypes]) for label in labels]


def _tier(verdict: VerdictLine) -> Tier:
    text = verdict.observed or verdict.reason or ""
    if (match := _TIER.fullmatch(text)) is None:
        return Tier(text)
    try:
        return Tier(match["name"], float(match["share"]), match["missed"] or "")
    except ValueError:
        return Tier(text)
