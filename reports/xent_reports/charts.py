"""Small charts as SVG, written by hand: one panel for each backend, all on the same axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from xent_reports.accuracy import Panel
from xent_reports.figures import ratio
from xent_reports.visible import abridged, one_line

_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 16, 16, 44
#: Decades of the ratio that are drawn at most; what lies outside is drawn at the border.
_LOWEST, _HIGHEST = -3, 4
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

    def y(self, value: float) -> int:
        """Vertical place of a ratio; nan is drawn as infinite, at the top."""
        if math.isnan(value) or value == math.inf:
            return _TOP
        decade = math.log10(value) if value > 0 else self.low
        share = (min(max(decade, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))


def definitions(axes: Axes) -> Markup:
    """Axes and markers, once for all panels."""
    parts = []
    for decade in range(axes.low, axes.high + 1):
        y = axes.y(10.0**decade)
        kind = "one" if decade == 0 else "grid"
        parts.append(f'<path class="{kind}" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 6}" text-anchor="end">{10.0**decade:g}</text>')
    step = max(1, math.ceil((axes.last - axes.first) / 6))
    for power in range(axes.first, axes.last + 1, step):
        x = axes.x(2**power)
        parts.append(f'<path class="grid" d="M{x} {_HEIGHT - _BOTTOM}v6"/>')
        parts.append(f'<text x="{x}" y="{_HEIGHT - 16}" text-anchor="middle">{_short(2**power)}</text>')
    drawn = f'<defs><g id="axes">{"".join(parts)}</g>{_MARKERS}</defs>'
    return Markup(f'<svg class="defs" aria-hidden="true" width="0" height="0">{drawn}</svg>')  # noqa: S704 - numbers only


_SHAPES = ('<circle r="3"/>', '<path d="M-3-3h6v6h-6z"/>', '<path d="M0-4L4 3h-8z"/>', '<path d="M0-4L4 0 0 4-4 0z"/>')
_MARKER = 'viewBox="-5 -5 10 10" markerWidth="16" markerHeight="16" markerUnits="userSpaceOnUse"'
_MARKERS = "".join(f'<marker id="m{i}" class="m{i}" {_MARKER}>{shape}</marker>' for i, shape in enumerate(_SHAPES))


def chart(panel: Panel, axes: Axes, dtypes: Sequence[str]) -> Markup:
    """One backend's panel: a line of largest ratios for each dtype. What it shows is also said in words."""
    lines = "".join(
        f'<path class=s{style(dtype, dtypes)} d="{_path(axes, panel.series(dtype))}"/>' for dtype in panel.dtypes
    )
    text = escape(f"{abridged(one_line(panel.backend))}: {_in_words(panel)}")
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return Markup(f'<svg role="img" aria-label="{text}" {size}><use href="#axes"/>{lines}</svg>')  # noqa: S704


def _path(axes: Axes, series: Sequence[tuple[int, float]]) -> str:
    """Points as a path, each relative to the one before: the shortest spelling."""
    places = [(axes.x(classes), axes.y(value)) for classes, value in series]
    x, y = places[0]
    steps = [f"M{x} {y}l"]
    for right, down in places[1:] or places[:1]:
        steps.append(f"{' ' if len(steps) > 1 else ''}{right - x}{down - y:+}".replace("+", " "))
        x, y = right, down
    return "".join(steps)


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


def _short(count: int) -> str:
    thousands, rest = divmod(count, 1024)
    return f"{thousands}k" if thousands and not rest else str(count)
