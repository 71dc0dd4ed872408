"""The diagram of the suite's folders, as SVG: ``PYTHONPATH=tests/house python tools/architecture.py > FILE``.

An arrow leads from a folder to one that it imports. ``tests/house`` finds out which do, and holds
``docs/explanation/architecture.svg`` against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

_WIDTH, _HEIGHT = 110, 28
_ACROSS, _DOWN = 24, 40
_MARGIN = 12

Edge = tuple[str, str]
Point = tuple[float, float]


def drawn(folders: Iterable[str], edges: Iterable[Edge]) -> str:
    """The diagram of folders and of pairs of them, of which the first imports the second."""
    used = sorted(edges)
    depths = {name: _depth(name, used) for name in sorted(folders)}
    routes = {edge: _route(edge, depths) for edge in used}
    steps = {step for route in routes.values() for step in pairwise(route)}
    stops = {
        stop: depth
        for edge, route in routes.items()
        for depth, stop in zip(_between(edge, depths), route[1:-1], strict=True)
    }
    layers = [[n for n, d in {**depths, **stops}.items() if d == depth] for depth in range(max(depths.values()) + 1)]
    across: dict[str, float] = {}
    for layer in layers:
        layer.sort(key=lambda name: (_mean([across[b] for a, b in steps if a == name]), name))
        across |= {name: place - (len(layer) - 1) / 2 for place, name in enumerate(layer)}
    width = max(map(len, layers)) * (_WIDTH + _ACROSS) - _ACROSS + 2 * _MARGIN
    height = len(layers) * (_HEIGHT + _DOWN) - _DOWN + 2 * _MARGIN
    middles = {
        name: (width / 2 + across[name] * (_WIDTH + _ACROSS), _MARGIN + _HEIGHT / 2 + depth * (_HEIGHT + _DOWN))
        for name, depth in {**depths, **stops}.items()
    }
    said = "; ".join(f"{a} imports {b}" for a, b in used)
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    marker = 'id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" orient="auto"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} font-family="sans-serif" font-size="13">',
        f"<title>Folders of the suite: {said}</title>",
        f'<marker {marker}><path d="M0 0L8 4 0 8z" fill="#6b7686"/></marker>',
        *(_arrow([middles[stop] for stop in route]) for route in routes.values()),
        *(_box(name, *middles[name]) for name in depths),
        "</svg>\n",
    ]
    return "\n".join(lines)


def _depth(name: str, edges: Sequence[Edge]) -> int:
    """The length of the longest path of imports from a folder: what imports nothing is at the top."""
    return max((1 + _depth(b, edges) for a, b in edges if a == name), default=0)


def _between(edge: Edge, depths: dict[str, int]) -> range:
    """Depths that an arrow passes, from its folder up."""
    return range(depths[edge[0]] - 1, depths[edge[1]], -1)


def _route(edge: Edge, depths: dict[str, int]) -> list[str]:
    """Where an arrow leads along: it has a place of its own beside the folders of each depth that it passes."""
    return [edge[0], *(f"{edge[0]}-{edge[1]}-{depth}" for depth in _between(edge, depths)), edge[1]]


def _mean(places: Sequence[float]) -> float:
    return sum(places) / len(places) if places else 0.0


def _arrow(stops: Sequence[Point]) -> str:
    (x, y), *_ = stops
    path = f"M{x:g} {y - _HEIGHT / 2:g}"
    for (left, low), (right, high) in pairwise(stops):
        start, end, bend = low - _HEIGHT / 2, high + _HEIGHT / 2, _DOWN / 2
        path += f"L{left:g} {start:g}C{left:g} {start - bend:g} {right:g} {end + bend:g} {right:g} {end:g}"
    return f'<path d="{path}" fill="none" stroke="#6b7686" stroke-width="1.5" marker-end="url(#head)"/>'


def _box(name: str, x: float, y: float) -> str:
    left, top = x - _WIDTH / 2, y - _HEIGHT / 2
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#eaf2fb" stroke="#0b4687"/>'
        f'<text x="{x:g}" y="{y + 5:g}" text-anchor="middle" fill="#0b2540">{name}</text>'
    )


if __name__ == "__main__":
    from test_documentation import imported

    print(drawn(*imported()), end="")
