"""Requirements by family: a row each, with a cell for each backend, or for each dtype where there is one backend.

An opened row has the verdicts by dtype, with their evidence or the reason why there is none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xent_conformance.records.lines import RequirementLine, VerdictLine
from xent_conformance.records.status import FAILING, SEVERITY, Status
from xent_reports.accuracy import TIGHTEST_TIER
from xent_reports.changes import BETTER_SIGN, WORSE_SIGN
from xent_reports.figures import ratio, size
from xent_reports.headline import look
from xent_reports.model import Run, dtype_order, largest_ratio, worst
from xent_reports.visible import abridged, anchor, one_line, shortened

#: With more verdicts than this, those that simply passed are not listed by dtype.
_IN_FULL = 4000
#: Ratios below it, but 0, are written as about 0.
_NEXT_TO_NOTHING = 1e-3
#: A single backend with at most this many dtypes has a column for each.
_DTYPES = 8
#: Families with failures are open until so many rows are shown.
_OPEN = 36
#: Characters of a reason.
_REASON = 160


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix: ``status`` is None if there is no verdict, ``href`` leads to its failure."""

    status: Status | None
    ratio: str = ""
    href: str = ""
    #: Of those judged, how many problems met the condition; or why there is no result.
    basis: str = ""
    #: Sorting key: how bad the status is, then the largest ratio.
    order: float = 0.0
    #: Whether it is worse or better than in an earlier record.
    sign: str = ""

    @property
    def glyph(self) -> str:
        """Glyph of the status."""
        return look(self.status)[0]

    @property
    def word(self) -> str:
        """Word of the status."""
        return look(self.status)[1]

    @property
    def text(self) -> str:
        """Glyph and ratio, as in every matrix."""
        return f"{self.glyph} {self.ratio}".rstrip()


@dataclass(frozen=True)
class Line:
    """A dtype of a requirement, or several that agree: a cell for each backend, None if there is no verdict."""

    dtype: str
    cells: Sequence[Cell | None]

    def summary(self, labels: Sequence[str]) -> str:
        """The line in words, for many backends: those that do not pass by name, the others together."""
        named: dict[str, list[str]] = {}
        for label, found in zip(labels, self.cells, strict=True):
            if found is not None and found.status is not Status.PASS:
                named.setdefault(found.text, []).append(abridged(one_line(label), 24))
        passing = [c for c in self.cells if c is not None and c.status is Status.PASS]
        best = max(passing, key=lambda c: c.order, default=None)
        said = [f"{text} {', '.join(names)}" for text, names in named.items()]
        if best is not None:
            others = "others" if said else "all"
            said.append(f"{others} {best.glyph} ≤ {best.ratio}" if best.ratio else f"{others} {best.glyph}")
        return "; ".join(said)


@dataclass(frozen=True)
class Row:
    """A requirement: a cell for each column, or one for all if it is judged once for all dtypes."""

    requirement: RequirementLine
    cells: Sequence[Cell]
    by_dtype: Sequence[Line]
    rank: int


@dataclass(frozen=True)
class Family:
    """Requirements of a family, the worst status first; ``cells``: how many hold, for each column."""

    name: str
    rows: Sequence[Row]
    cells: Sequence[Cell]
    is_open: bool

    @property
    def rank(self) -> int:
        """How bad its worst row is."""
        return self.rows[0].rank


def columns(run: Run) -> list[str]:
    """Heads of the columns: the backends, or the dtypes of the only one."""
    return _dtypes(run) or [b.name for b in run.available]


#: Signs of verdicts that are worse or better than in an earlier record, by requirement, backend and dtype.
Signs = Mapping[tuple[str, str, str], str]


def families(run: Run, signs: Signs | None = None) -> list[Family]:
    """Rows by family, those with failures first; ``signs`` of verdicts are on their cells, and on those of families."""
    grouped: dict[str, list[Row]] = {}
    for requirement in run.requirements:
        grouped.setdefault(requirement.family, []).append(_row(run, requirement, signs or {}))
    sorted_families = []
    for name, rows in grouped.items():
        rows.sort(key=lambda row: (row.rank, row.requirement.id))
        width = len(columns(run))
        cells = [_together([row.cells[min(i, len(row.cells) - 1)] for row in rows if row.cells]) for i in range(width)]
        sorted_families.append(Family(name, rows, cells, is_open=False))
    sorted_families.sort(key=lambda family: (min(family.rank, SEVERITY.index(Status.VACUOUS)), family.name))
    shown = 0
    for place, family in enumerate(sorted_families):
        failing = family.rank < SEVERITY.index(Status.WEAK)
        if failing and (shown + len(family.rows) <= _OPEN or not shown):
            sorted_families[place] = replace(family, is_open=True)
            shown += len(family.rows)
    return sorted_families


def abbreviated(run: Run) -> bool:
    """Whether there are so many verdicts that each dtype has one text for all backends."""
    return len(run.verdicts) > _IN_FULL


def _dtypes(run: Run) -> list[str]:
    """Dtypes of the only backend; empty if there are several backends or too many dtypes."""
    dtypes = sorted({v.dtype for v in run.verdicts} - {"all"}, key=dtype_order)
    return dtypes if len(run.available) == 1 and len(dtypes) <= _DTYPES else []


def _row(run: Run, requirement: RequirementLine, signs: Signs) -> Row:
    backends = [run.cells.get((requirement.id, b.name), []) for b in run.available]
    verdicts = [v for column in backends for v in column]
    if (dtypes := _dtypes(run)) and not any(v.dtype == "all" for v in verdicts):
        shown = [[v for v in verdicts if v.dtype == dtype] for dtype in dtypes]
    else:
        shown = backends
    names = sorted({v.dtype for v in verdicts}, key=dtype_order)
    lines = [Line(name, [_at(column, name) for column in backends]) for name in names]
    rank = min((SEVERITY.index(v.status) for v in verdicts), default=len(SEVERITY))
    cells = [replace(cell(column), sign=_sign([signs.get(_place(v), "") for v in column])) for column in shown]
    return Row(requirement, cells, _grouped(lines), rank)


def _place(verdict: VerdictLine) -> tuple[str, str, str]:
    return verdict.requirement, verdict.backend, verdict.dtype


def _sign(signs: Iterable[str]) -> str:
    """The sign of several changes: worse if any is."""
    present = set(signs)
    return next((sign for sign in (WORSE_SIGN, BETTER_SIGN) if sign in present), "")


def _at(column: Sequence[VerdictLine], dtype: str) -> Cell | None:
    verdicts = [v for v in column if v.dtype == dtype]
    return cell(verdicts) if verdicts else None


def cell(verdicts: Sequence[VerdictLine]) -> Cell:
    """The worst status of the dtypes and the largest ratio, with a link to the failure."""
    worst_verdict = worst(verdicts)
    if worst_verdict is None:
        return Cell(None)
    largest = largest_ratio(verdicts)
    return Cell(
        worst_verdict.status,
        _shown_ratio(worst_verdict, largest),
        _href(worst_verdict),
        _basis(worst_verdict),
        _order(worst_verdict.status, largest),
    )


def _order(status: Status, largest: float | None) -> float:
    """How bad a result is: a whole number for the status, and a share below 1 for the ratio."""
    share = 0.0 if largest is None else 1.0 if math.isinf(size(largest)) else size(largest) / (1 + size(largest))
    return len(SEVERITY) - 1 - SEVERITY.index(status) + 0.999 * share


def _together(cells: Sequence[Cell]) -> Cell:
    """Of the rows of a family, how many have the worst status."""
    counts = Counter(c.status for c in cells)
    ranks: list[Status | None] = [*SEVERITY[: SEVERITY.index(Status.PASS)], None, *SEVERITY[-3:]]
    status = next((s for s in ranks if counts[s]), None)
    return Cell(status, f"{counts[status]:,}" if cells else "", sign=_sign(c.sign for c in cells))


def _shown_ratio(verdict: VerdictLine, largest: float | None) -> str:
    """The largest ratio, if meaningful: an observation has no bound, and ratios far below 1 need no digits."""
    if verdict.status is Status.OBSERVED:
        return ""
    return "≈0" if largest is not None and 0 < largest < _NEXT_TO_NOTHING else ratio(largest)


def _basis(verdict: VerdictLine) -> str:
    """How many problems met the condition, of those judged; why it was not judged."""
    if verdict.status is Status.NOT_APPLICABLE:
        return shortened((verdict.reason or "").removeprefix(f"{verdict.backend} "), _REASON)
    return f"{verdict.exercised:,}/{verdict.examples:,}"


def _href(verdict: VerdictLine) -> str:
    if verdict.status in FAILING:
        return f"#{anchor(verdict.requirement, verdict.backend, verdict.dtype)}"
    if verdict.status is Status.DEVIATION and verdict.deviations:
        return f"#known--{anchor(verdict.requirement, verdict.backend)}"
    if verdict.status is Status.OBSERVED and verdict.observed:
        return "#tiers" if verdict.requirement == TIGHTEST_TIER else "#observed"
    return ""


def _grouped(lines: Sequence[Line]) -> list[Line]:
    """Dtypes with the same cells share one line."""
    grouped: list[Line] = []
    for line in lines:
        same = next((i for i, other in enumerate(grouped) if other.cells == line.cells), None)
        if same is None:
            grouped.append(line)
        else:
            grouped[same] = replace(grouped[same], dtype=f"{grouped[same].dtype}, {line.dtype}")
    return grouped
