"""Requirements by backends: the worst status of each cell, and each dtype below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from xent_conformance.records.lines import RequirementLine, VerdictLine
from xent_conformance.records.record import GLYPHS, Status
from xent_reports.accuracy import TIGHTEST_TIER
from xent_reports.figures import ratio
from xent_reports.headline import NOT_RUN
from xent_reports.model import FAILING, Run, dtype_order, largest_ratio, worst
from xent_reports.standing import standings
from xent_reports.visible import abridged, anchor, one_line

#: More verdicts than these are not all listed by dtype; what is not simply passed always is.
_IN_FULL = 4000
#: Ratios below it, but 0, are written as about 0.
_NEXT_TO_NOTHING = 1e-3


@dataclass(frozen=True)
class Cell:
    """One field of the matrix: ``status`` None where there is no verdict, ``href`` where there is more to read."""

    status: Status | None
    ratio: str = ""
    href: str = ""

    @property
    def glyph(self) -> str:
        """Glyph of the status."""
        return NOT_RUN[0] if self.status is None else GLYPHS[self.status][0]

    @property
    def word(self) -> str:
        """Word of the status."""
        return NOT_RUN[1] if self.status is None else GLYPHS[self.status][1]

    @property
    def text(self) -> str:
        """Glyph and ratio, as in every matrix."""
        return f"{self.glyph} {self.ratio}".rstrip()


@dataclass(frozen=True)
class Line:
    """A dtype of a requirement: a cell for each backend, None where there is no verdict; or one cell for all."""

    dtype: str
    cells: Sequence[Cell | None]
    together: Cell | None = None
    #: Of the backends that pass where others do not: the largest ratio.
    passing: str = ""

    @property
    def text(self) -> str:
        """What the one cell says: the glyph, and the largest ratio where the backends differ."""
        if self.together is None or not self.together.ratio:
            return "" if self.together is None else self.together.glyph
        return f"{self.together.glyph} {'≤ ' if len(set(self.cells)) > 1 else ''}{self.together.ratio}"

    def told(self, labels: Sequence[str]) -> str:
        """The line in words, for many backends: those that do not pass by name, the others together."""
        named: dict[str, list[str]] = {}
        for label, found in zip(labels, self.cells, strict=True):
            if found is not None and found.status is not Status.PASS:
                named.setdefault(found.text, []).append(abridged(one_line(label), 24))
        said = [f"{text} {', '.join(names)}" for text, names in named.items()]
        return "; ".join([*said, *([f"others {self.passing}"] if self.passing else [])])


@dataclass(frozen=True)
class Row:
    """A requirement: one cell for each backend, and a line for each dtype, or for dtypes that agree in all cells.

    Lines that have one cell for all backends stand together in ``briefly``.
    """

    requirement: RequirementLine
    cells: Sequence[Cell]
    by_dtype: Sequence[Line]
    issues: int

    @property
    def briefly(self) -> str:
        """Each dtype that has one cell for all backends, with what that says."""
        return ", ".join(f"{line.dtype} {line.text}" for line in self.by_dtype if line.together is not None)

    @property
    def apart(self) -> Sequence[Line]:
        """The other dtypes: those with a cell for each backend."""
        return [line for line in self.by_dtype if line.together is None]


def families(run: Run) -> list[tuple[str, list[Row]]]:
    """Rows grouped by family; in a family those with the most issues come first, then by id."""
    grouped: dict[str, list[Row]] = {}
    for requirement in run.requirements:
        grouped.setdefault(requirement.family, []).append(_row(run, requirement))
    return [
        (family, sorted(rows, key=lambda r: (-r.issues, r.requirement.id))) for family, rows in sorted(grouped.items())
    ]


def totals(run: Run) -> list[tuple[str, list[Cell]]]:
    """For each level that can be met a cell for each backend: how many of the requirements that apply it meets."""
    found = []
    for level in ("MUST", "SHOULD"):
        standing = standings(run, level).values()
        if any(s.applicable for s in standing):
            cells = [Cell(s.worst, f"{s.met}/{s.applicable}" if s.applicable else "") for s in standing]
            found.append((level, cells))
    return found


def abbreviated(run: Run) -> bool:
    """Whether there are so many verdicts that a dtype which every backend passes gets one cell for all."""
    return len(run.verdicts) > _IN_FULL


def _row(run: Run, requirement: RequirementLine) -> Row:
    columns = [run.cells.get((requirement.id, b.name), []) for b in run.available]
    dtypes = sorted({v.dtype for column in columns for v in column}, key=dtype_order)
    lines = [_line(columns, dtype, brief=abbreviated(run)) for dtype in dtypes]
    issues = sum(v.status in FAILING for column in columns for v in column)
    return Row(requirement, [cell(column) for column in columns], _grouped(lines), issues)


def _line(columns: Sequence[Sequence[VerdictLine]], dtype: str, *, brief: bool) -> Line:
    verdicts = [[v for v in column if v.dtype == dtype] for column in columns]
    cells = [cell(found) if found else None for found in verdicts]
    statuses = {c.status if c else None for c in cells}
    one = statuses in ({Status.PASS}, {Status.OBSERVED}) and (brief or len(set(cells)) == 1)
    passed = [v for found in verdicts for v in found if v.status is Status.PASS]
    best = cell(passed)
    passing = "" if not passed else f"{best.glyph} ≤ {best.ratio}" if best.ratio else best.glyph
    return Line(dtype, cells, cell([v for found in verdicts for v in found]) if one else None, passing)


def cell(verdicts: Sequence[VerdictLine]) -> Cell:
    """The worst status of the dtypes and the largest ratio, leading to what there is to read about it."""
    found = worst(verdicts)
    if found is None:
        return Cell(None)
    return Cell(found.status, _told(found, largest_ratio(verdicts)), _href(found))


def _told(verdict: VerdictLine, largest: float | None) -> str:
    """The largest ratio, where it says something: an observation has no bound, and far below it all are alike."""
    if verdict.status is Status.OBSERVED:
        return ""
    return "≈0" if largest is not None and 0 < largest < _NEXT_TO_NOTHING else ratio(largest)


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
