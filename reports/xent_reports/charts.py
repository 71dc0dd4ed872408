"""Small charts as SVG, written by hand: one panel for each backend, all on the same axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from xent_reports.accuracy import Panel
from xent_reports.figures import ratio
from xent_reports.visible import abridged, one_line

_WIDTH, _HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 92, 26, 20, 70
#: Decades of the ratio that are drawn at most; what lies outside is clipped: drawn at the border, and marked.
_LOWEST, _HIGHEST = -3, 4
#: Width of the column in which the pointer brings up the numbers of a class count, as in report.css.
_COLUMN = 26
#: Series have a colour, a dash and a marker each; further dtypes share the last.
STYLES = 4


class Axes:
    """Where a class count and a ratio lie: both logarithmic, the same for every panel."""

    def __init__(self, panels: Sequence[Panel]) -> None:
        """Fit the axes to all points of all panels."""
        classes = [c for panel in panels for c in panel.classes if c > 0]
        ratios = [p.ratio for panel in panels for p in panel.points.values() if 0 < p.ratio < math.inf]
        self.low = max(min((math.floor(math.log10(r)) for r in ratios), default=-2), _LOWEST)
        self.high = min(max((math.ceil(math.log10(r)) for r in ratios), default=1), _HIGHEST)
        self.low, self.high = min(self.low, -1), max(self.high, 1)
        self.first = math.floor(math.log2(min(classes, default=1)))
        self.last = max(math.ceil(math.log2(max(classes, default=2))), self.first + 1)

    def x(self, classes: int) -> int:
        """Horizontal place of a class count."""
        share = (math.log2(max(classes, 1)) - self.first) / (self.last - self.first)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))

    def clipped(self, value: float) -> int:
        """1 for a ratio above the highest that is drawn, -1 for one below the lowest, 0 for all between."""
        if math.isnan(value) or value > 10.0**self.high:
            return 1
        return -1 if value < 10.0**self.low else 0

    def y(self, value: float) -> int:
        """Vertical place of a ratio; nan is drawn as infinite, at the top."""
        if math.isnan(value) or value == math.inf:
            return _TOP
        decade = math.log10(value) if value > 0 else self.low
        share = (min(max(decade, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))


def definitions(axes: Axes) -> Markup:
    """Axes with their titles, the bound, and markers, once for all panels."""
    middle, bound = (_TOP + _HEIGHT - _BOTTOM) // 2, axes.y(1.0)
    parts = [f'<path class="over" d="M{_LEFT} {_TOP}H{_WIDTH - _RIGHT}V{bound}H{_LEFT}z"/>']
    for decade in range(axes.low, axes.high + 1):
        y = axes.y(10.0**decade)
        kind = "one" if decade == 0 else "grid"
        parts.append(f'<path class="{kind}" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 13}" y="{y + 6}" text-anchor="end">{10.0**decade:g}</text>')
    step = max(1, math.ceil((axes.last - axes.first) / 6))
    for power in range(axes.first, axes.last + 1, step):
        x = axes.x(2**power)
        parts.append(f'<path class="grid" d="M{x} {_HEIGHT - _BOTTOM}v6"/>')
        parts.append(f'<text x="{x}" y="{_HEIGHT - 42}" text-anchor="middle">{binary(2**power)}</text>')
    parts.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) // 2}" y="{_HEIGHT - 10}" text-anchor="middle">classes</text>')
    parts.append(
        f'<text transform="rotate(-90 20 {middle})" x="20" y="{middle}" text-anchor="middle">error / bound</text>'
    )
    parts.append(f'<text class="one" x="{_WIDTH - _RIGHT - 4}" y="{bound - 6}" text-anchor="end">fails above</text>')
    drawn = f'<defs><g id="axes">{"".join(parts)}</g>{_MARKERS}</defs>'
    return Markup(f'<svg class="defs" aria-hidden="true" width="0" height="0">{drawn}</svg>')  # noqa: S704 - numbers only


_SHAPES = ('<circle r="3"/>', '<path d="M-3-3h6v6h-6z"/>', '<path d="M0-4L4 3h-8z"/>', '<path d="M0-4L4 0 0 4-4 0z"/>')
_MARKER = 'viewBox="-5 -5 10 10" markerWidth="16" markerHeight="16" markerUnits="userSpaceOnUse"'
_MARKERS = "".join(f'<marker id="m{i}" class="m{i}" {_MARKER}>{shape}</marker>' for i, shape in enumerate(_SHAPES))


def chart(panel: Panel, axes: Axes, dtypes: Sequence[str], *, columns: bool = True) -> Markup:
    """One backend's panel: a line of largest ratios for each dtype.

    Its numbers are in a tooltip, and with ``columns`` in one for each class count.
    """
    drawn = []
    for dtype in panel.dtypes:
        series, number = panel.series(dtype), style(dtype, dtypes)
        drawn.append(f'<path class=s{number} d="{_path(axes, series)}"/>')
        if clipped := "".join(_mark(axes, *point) for point in series if axes.clipped(point[1])):
            drawn.append(f'<path class="k s{number}" d="{clipped}"/>')
    if columns:
        drawn.append(f"<g class=at>{''.join(_column(panel, axes, classes) for classes in panel.classes)}</g>")
    text = escape(f"{abridged(one_line(panel.backend))}: {_in_words(panel)}")
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return Markup(f'<svg role=img {size}><title>{text}</title><use href="#axes"/>{"".join(drawn)}</svg>')  # noqa: S704


def _mark(axes: Axes, classes: int, value: float) -> str:
    """A triangle over a clipped point that shows where it lies."""
    up = axes.clipped(value)
    return f"M{axes.x(classes)} {axes.y(value) - 9 * up}l-9{15 * up:+}h18z".replace("+", " ")


def clipped(panels: Sequence[Panel], axes: Axes) -> list[str]:
    """The marks of clipped points that occur, each with its meaning."""
    where = {axes.clipped(p.ratio) for panel in panels for p in panel.points.values()}
    meanings = {1: f"△ above {10.0**axes.high:,g}, or not finite", -1: f"▽ below {10.0**axes.low:,g}, or exact"}
    return [meaning for side, meaning in meanings.items() if side in where]


def _column(panel: Panel, axes: Axes, classes: int) -> str:
    """The numbers of a class count, where the pointer is above or below its points."""
    said = [f"{one_line(d)} {ratio(p.ratio)}" for d in panel.dtypes if (p := panel.points.get((d, classes)))]
    counted = f"C = {classes}" if classes <= 1 else f"C = {classes} to {2 * classes - 1}"
    text = escape(abridged(f"{counted}: {', '.join(said)}"))
    return f"<rect x={axes.x(classes) - _COLUMN // 2}><title>{text}</title></rect>"


def _path(axes: Axes, series: Sequence[tuple[int, float]]) -> str:
    """Points as a path, each relative to the one before: the shortest spelling."""
    places = [(axes.x(classes), axes.y(value)) for classes, value in series]
    x, y = places[0]
    steps = [f"M{x} {y}l"]
    for right, down in places[1:] or places[:1]:
        steps.append(f"{' ' if len(steps) > 1 else ''}{right - x}{down - y:+}".replace("+", " "))
        x, y = right, down
    return "".join(steps)


def bar(share: float) -> Markup:
    """A horizontal bar of a share of its width."""
    filled = f'<path d="M0 5h{100 * min(max(share, 0.0), 1.0):.3g}"/>' if share > 0 else ""
    return Markup(f'<svg class=bar aria-hidden=true viewBox="0 0 100 10" preserveAspectRatio=none>{filled}</svg>')  # noqa: S704


def key(index: int) -> Markup:
    """The sample of a series for the legend."""
    line = f'<path class="s{min(index, STYLES - 1)}" d="M6 12h24h24"/>'
    return Markup(f'<svg class="key" aria-hidden="true" viewBox="0 0 60 24">{line}</svg>')  # noqa: S704 - numbers only


def style(dtype: str, dtypes: Sequence[str]) -> int:
    """Number of a dtype's style among all dtypes of the page."""
    return min(dtypes.index(dtype), STYLES - 1)


def _in_words(panel: Panel) -> str:
    said = []
    for dtype in panel.dtypes:
        classes, largest = max(panel.series(dtype), key=lambda p: math.inf if math.isnan(p[1]) else p[1])
        said.append(f"{one_line(dtype)} {ratio(largest)} at C={classes}")
    return "largest " + ", ".join(said)


def binary(count: int) -> str:
    """A power of two, short: 64, 4k."""
    thousands, rest = divmod(count, 1024)
    return f"{thousands}k" if thousands and not rest else str(count)
