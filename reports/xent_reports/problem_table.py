"""A problem as a readable table: logits by rows and classes, special elements marked, repetition collapsed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from xent_reports.call import Call

#: More columns or rows than these are cut to the marked ones and those at both ends.
_COLUMNS, _ROWS = 14, 10
#: No class index is written with as many digits.
_DIGITS = 20
#: Replaces what was cut.
_CUT = "…"


@dataclass(frozen=True)
class Entry:
    """One element: its value, whether its class is the row's target, whether it is the wrong one."""

    text: str
    target: bool = False
    wrong: bool = False


@dataclass(frozen=True)
class Line:
    """A row of the table: logits, probability targets or weights over the classes."""

    head: str
    entries: Sequence[Entry]
    target: str = ""
    cotangent: str = ""
    ignored: bool = False
    wrong: bool = False


@dataclass(frozen=True)
class Table:
    """Columns with their classes, and the lines below them."""

    columns: Sequence[str]
    lines: Sequence[Line]
    targets: bool = False
    cotangents: bool = False


class _Span(NamedTuple):
    """A run of equal rows or classes from the first to the last; ``cut``: of unequal ones that are not shown."""

    first: int
    last: int
    cut: bool = False


@dataclass(frozen=True)
class _Grid:
    """The table before collapsing: texts by row and class, and marks."""

    logits: list[list[str]]
    weight: list[str]
    probabilities: list[list[str]]
    labels: list[str]
    cotangents: list[str]
    wrong_row: int | None
    wrong_class: int | None
    wrong_target: bool


def table_of(call: Call, index: Sequence[int] | None = None, quantity: str = "") -> Table | None:
    """The table of a problem with the wrong element marked; None if its logits are given by a recipe or empty."""
    logits = call.by_row("logits")
    if not logits or not call.classes:
        return None
    row, label = call.place(index)
    grid = _Grid(
        logits=logits,
        weight=call.per_class("weight"),
        probabilities=call.by_row("target"),
        labels=[] if call.by_row("target") else call.per_row("target"),
        cotangents=call.per_row("cotangent") if call.row_shape else [],
        wrong_row=row,
        wrong_class=label,
        wrong_target="target" in quantity,
    )
    columns = _kept(_columns(grid, call), _marked_classes(grid, call), _COLUMNS)
    rows = _kept(_rows(grid), {row} - {None}, _ROWS)
    lines = [line for span in rows for line in _lines(grid, call, span, columns)]
    if grid.weight:
        lines.append(Line("weight", [Entry(_text(grid.weight, span)) for span in columns]))
    return Table([_name(span, str) for span in columns], lines, bool(grid.labels), bool(grid.cotangents))


def _columns(grid: _Grid, call: Call) -> list[_Span]:
    """Runs of classes that hold the same in every row and are not marked."""
    marked = _marked_classes(grid, call)
    sides = [*grid.logits, *grid.probabilities, *([grid.weight] if grid.weight else [])]
    return _runs([c if c in marked else tuple(side[c] for side in sides) for c in range(call.classes)])


def _rows(grid: _Grid) -> list[_Span]:
    """Runs of rows that hold the same and are not marked."""
    sides: list[list[Any]] = [grid.logits, grid.probabilities, grid.labels, grid.cotangents]
    rows = range(len(grid.logits))
    return _runs([r if r == grid.wrong_row else tuple(_hashable(side[r]) for side in sides if side) for r in rows])


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _marked_classes(grid: _Grid, call: Call) -> set[int | None]:
    """Classes that are some row's target or hold the wrong element."""
    labels = {int(label) for label in grid.labels if label.isdecimal() and len(label) < _DIGITS} - {call.ignored}
    return {label for label in labels if 0 <= label < call.classes} | ({grid.wrong_class} - {None})


def _runs(keys: Sequence[Any]) -> list[_Span]:
    spans: list[_Span] = []
    for place, key in enumerate(keys):
        if spans and key == keys[place - 1]:
            spans[-1] = _Span(spans[-1].first, place)
        else:
            spans.append(_Span(place, place))
    return spans


def _kept(spans: list[_Span], marked: set[int | None], limit: int) -> list[_Span]:
    """At most ``limit`` spans: the marked ones, then those at the beginning, and the last; the others as cut runs."""
    if len(spans) <= limit:
        return spans
    order = sorted(range(len(spans)), key=lambda i: (spans[i].first not in marked, i != len(spans) - 1, i))
    keep = set(order[: limit - 1])
    kept: list[_Span] = []
    for i, span in enumerate(spans):
        if i in keep:
            kept.append(span)
        elif kept and kept[-1].cut:
            kept[-1] = _Span(kept[-1].first, span.last, cut=True)
        else:
            kept.append(span._replace(cut=True))
    return kept


def _lines(grid: _Grid, call: Call, span: _Span, columns: Sequence[_Span]) -> list[Line]:
    row, head = span.first, _name(span, call.row_name)
    if span.cut:
        cut = [Entry(_CUT) for _ in columns]
        return [Line(head, cut, _CUT if grid.labels else "", _CUT if grid.cotangents else "")]
    label = grid.labels[row] if grid.labels else ""
    ignored = call.ignored is not None and label == str(call.ignored)
    wrong = row == grid.wrong_row
    target_class = "" if ignored else label
    wrong_class = grid.wrong_class if wrong else None
    in_logits, in_target = (None, wrong_class) if grid.wrong_target else (wrong_class, None)
    entries = [
        Entry(
            _text(grid.logits[row], c), str(c.first) == target_class and not c.cut, c.first == in_logits and not c.cut
        )
        for c in columns
    ]
    cotangent = grid.cotangents[row] if grid.cotangents else ""
    lines = [Line(head, entries, label, cotangent, ignored, wrong and wrong_class is None)]
    if grid.probabilities:
        shares = [Entry(_text(grid.probabilities[row], c), wrong=c.first == in_target) for c in columns]
        lines.append(Line("target", shares))
    return lines


def _text(side: Sequence[str], span: _Span) -> str:
    return _CUT if span.cut else side[span.first]


def _name(span: _Span, one: Callable[[int], str]) -> str:
    return one(span.first) if span.first == span.last else f"{one(span.first)} – {one(span.last)}"
