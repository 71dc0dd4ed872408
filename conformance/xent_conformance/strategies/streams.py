"""Streams: endless sequences of recipes, one for each group of requirements about the same calls.

The rows of a covering array come first, then random draws by Hypothesis. Each stream has its own seed, derived from the
run's: different streams, and runs with different seeds, have different problems; all backends that do not compile for
each shape have the same ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from xent_conformance.strategies.covering import covering_array
from xent_conformance.strategies.menu import ANY_SIZE, MENU, MORE, SHAPES, Menu
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sizes import AnyShape, Sizes, fixed
from xent_conformance.strategies.sources import Source

#: With fewer recipes than these, none is drawn at random.
FEW = 12


@dataclass(frozen=True, eq=False)
class Stream(Source):
    """An endless sequence of recipes. ``only`` restricts factors to some of their levels, or gives new ones.

    ``seed_key``, by default the name, is part of the seed: a renamed stream keeps its old name there to keep its
    problems.

    ``budget`` is the stream's number of examples as a share of the profile's: as many as the kill matrix shows to be
    needed (``kill_budget.py``), and enough to detect faults for which there is no mutant.
    """

    _: KW_ONLY
    only: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    budget: float = 1.0
    seed_key: str = ""

    def __post_init__(self) -> None:
        """Register the stream under its name."""
        if not self.seed_key:
            object.__setattr__(self, "seed_key", self.name)
        super().__post_init__()

    def menu(self) -> Menu:
        """Factors to levels to choices."""
        return {**MENU, **self.only}


@dataclass(frozen=True)
class Draw:
    """What a run draws: the number of recipes, the seed, and the number of different shapes (None: no limit)."""

    seed: int
    count: int
    pool: int | None = None


def derived_seed(*parts: object) -> int:
    """A 64-bit seed from values whose text is the same in every run."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def recipes_of(stream: Stream, dtype: str, draw: Draw) -> list[Recipe]:
    """The first ``draw.count`` recipes of a stream: 60 % from the covering array, then random ones.

    If ``draw.count`` is small, all are from the covering array, whose first rows cover most.
    """
    seed = derived_seed(draw.seed, stream.seed_key, dtype)
    menu = _pooled(stream.menu(), draw, dtype)
    listed = draw.count if draw.count < FEW else round(draw.count * 0.6)
    covering = _covering_recipes(menu, stream, np.random.default_rng(seed), listed)
    if draw.count <= len(covering):
        return covering
    # Importing Hypothesis takes longer than a quick run has to judge a requirement.
    from xent_conformance.strategies.random_recipes import random_recipes

    return covering + random_recipes(menu, stream.fixed, seed, draw.count - len(covering))


def shape_pool(shapes: Mapping[str, list[AnyShape]], size: int, *seeds: object) -> dict[str, list[AnyShape]]:
    """A few shapes of different levels, the same for every stream that has these levels, depending on the seeds.

    The small shape has several rows and a different number of classes, since it may be the only shape.
    """
    first, *others = SHAPES
    rng = np.random.default_rng(derived_seed("shapes", *seeds))
    levels = [first, *(others[i] for i in rng.permutation(len(others)))]
    picks = {level: int(rng.integers(2**32)) for level in levels}
    chosen: dict[str, list[AnyShape]] = {}
    for level in (level for level in levels[:size] if level in shapes):
        choices = [s for s in shapes[level] if level != first or _several(s)] or shapes[level]
        chosen[level] = [fixed(choices[picks[level] % len(choices)], picks[level])]
    # A stream with shapes of its own gets half as many: each is compiled for it alone.
    own = [[*shapes][i] for i in rng.permutation(len(shapes))[: max(1, size // 2)]] if not chosen else []
    return chosen or {level: [fixed(shapes[level][0], derived_seed(level, *seeds))] for level in own}


def _several(shape: AnyShape) -> bool:
    """Whether a shape has several rows and more than two classes, and these numbers differ."""
    if isinstance(shape, Sizes):
        return True
    rows, classes = int(np.prod(shape[0])), shape[1]
    return rows > 1 and classes > 2 and rows != classes  # noqa: PLR2004


def _pooled(menu: Menu, draw: Draw, dtype: str) -> Menu:
    if draw.pool is None:
        return menu
    shapes = {level: list(choices) for level, choices in menu["shape"].items()}
    return {**menu, "shape": shape_pool(shapes, draw.pool, draw.seed, dtype)}


def _covering_recipes(menu: Menu, stream: Stream, rng: np.random.Generator, count: int) -> list[Recipe]:
    # The order of levels depends on the seed, so that the first rows of the array differ between seeds.
    factors = {f: [list(levels.values())[i] for i in rng.permutation(len(levels))] for f, levels in menu.items()}
    found = []
    for row in covering_array(tuple(len(levels) for levels in factors.values()), count):
        chosen = {}
        for (factor, levels), level in zip(factors.items(), row, strict=True):
            choices = levels[level]
            chosen[factor] = choices[int(rng.integers(len(choices)))]
        found.append(Recipe.of({**chosen, **stream.fixed}, int(rng.integers(2**32))))
    return found


#: All options jointly.
JOINT = Stream("joint", only={"shape": ANY_SIZE, **MORE}, budget=0.66)
#: Every problem has ignored rows, with content that would make any result that depends on it wrong.
IGNORED = Stream(
    "ignored content",
    only={
        "ignore": {"default": ["default"], "passed": ["outside", "tail", "first"], "class": ["a target"]},
        "ignored_content": {"nan": ["nan"], "infinite": ["infinite"], "masked": ["masked"]},
        "target": {"random": ["random"], "extreme class": ["first", "last"]},
        "shape": {
            **{k: v for k, v in ANY_SIZE.items() if k not in ("unbatched", "many classes")},
            "many classes": [Sizes((514, 16384), (2, 4))],
        },
    },
    budget=0.2,
)
