"""Shapes whose sizes are drawn: log-uniformly, so that all orders of magnitude are equally likely, or at an edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

#: (row shape, classes).
Shape = tuple[tuple[int, ...], int]

#: The share of sizes that are a power of two or next to one.
AT_EDGES = 1 / 4
#: What the sizes of a recipe are drawn with, beside its seed: its numbers are drawn with that alone.
SIZES = 1


@dataclass(frozen=True)
class Sizes:
    """Shapes with ranges of classes and rows, the rows in ``axes`` axes; 0 axes are an unbatched row.

    A shape has at most ``most`` elements, if necessary with fewer rows.
    """

    classes: tuple[int, int]
    rows: tuple[int, int] = (1, 1)
    axes: int = 1
    most: int = 2**16

    def drawn(self, rng: np.random.Generator) -> Shape:
        """One such shape."""
        classes = _size(rng, *self.classes)
        if not self.axes:
            return (), classes
        least, largest = self.rows
        rows = _size(rng, least, max(least, min(largest, self.most // classes)))
        shape: list[int] = []
        for _ in range(self.axes - 1):
            shape.append(_size(rng, 1, max(1, math.isqrt(rows))))
            rows //= shape[-1]
        return (*shape, rows), classes


AnyShape = Shape | Sizes


def fixed(shape: AnyShape, seed: int) -> Shape:
    """The shape itself, or one that has such sizes."""
    return shape.drawn(np.random.default_rng((seed, SIZES))) if isinstance(shape, Sizes) else shape


def with_rows(shape: tuple[int, ...], most: int) -> tuple[int, ...]:
    """A row shape with at most so many rows: where it has more, its longest axes are shortened, none to 0.

    >>> with_rows((2, 9, 4), 20), with_rows((700,), 64), with_rows((2, 3), 1)
    ((2, 3, 3), (64,), (1, 1))
    """
    sizes = list(shape)
    while math.prod(sizes) > most:
        place = sizes.index(max(sizes))
        others = math.prod(sizes[:place] + sizes[place + 1 :])
        # Not below the next longest axis, which is then the one to be shortened.
        second = max([1, *sizes[:place], *sizes[place + 1 :]])
        sizes[place] = max(1, most // others, min(second, sizes[place] - 1))
    return tuple(sizes)


def _size(rng: np.random.Generator, least: int, largest: int) -> int:
    """A number in a range, both ends included."""
    size = math.exp(rng.uniform(math.log(least), math.log(largest + 1)))
    if rng.random() < AT_EDGES:
        size = 2.0 ** round(math.log2(size)) + int(rng.integers(-1, 2))
    return max(least, min(largest, int(size)))
