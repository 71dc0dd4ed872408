"""Streams: endless sequences of recipes, one for each group of requirements about the same calls.

The rows of a covering array come first, then recipes that fill what is left of it, then random draws by Hypothesis. Of
the first two each is the best of a few candidates: the one with most combinations of two and three aspects that none
before it has. Each stream has its own seed, derived from the run's: different streams, and runs with different seeds,
have different problems; all backends that do not compile for each shape have the same ones.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from xent_conformance.strategies.aspects import aspects, operand_dtypes
from xent_conformance.strategies.covering import Combinations, covering_array
from xent_conformance.strategies.menu import ANY_SIZE, ELEMENTS, MENU, MORE, SHAPES, Menu
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sizes import AnyShape, Shape, Sizes, fixed
from xent_conformance.strategies.sources import Source

#: The shape that most fixed lists of problems have: one program then serves streams and lists.
SHARED: Shape = ((2,), 3)
#: One shape of each other rank, with its level. Of spatial logits one with equal axes: these are taken for each other
#: without an error.
OTHER_RANKS: dict[str, Shape] = {"spatial": ((2, 3, 3), 4), "unbatched": ((), 5)}
#: With fewer recipes than these, none is drawn at random.
FEW = 12
#: Shares of the recipes that are rows of the covering array, and that are not drawn by Hypothesis.
LISTED, CHOSEN = 0.6, 0.85
#: The share of the recipes chosen to complete it whose logits are drawn element by element.
BY_ELEMENT = 1 / 8
#: Recipes of which one is chosen.
CANDIDATES = 12
#: Elements of a problem that is worth half as much as a small one, since it takes longer; and of one that is judged by
#: many requirements, each of which takes as long.
DEAR, DEAR_TO_MANY = 2**19, 2**17
#: The worth of a recipe in which what the stream is about does not show.
UNTELLING = 1 / 4


@dataclass(frozen=True, eq=False)
class Stream(Source):
    """An endless sequence of recipes. ``only`` restricts factors to some of their levels, or gives new ones.

    ``seed_key``, by default the name, is part of the seed: a renamed stream keeps its old name there to keep its
    problems.

    ``telling`` says whether what the stream is about shows in a recipe; others are chosen less often.

    ``about_sizes``: a backend that compiles each shape gets a shape of every level, and not only a few.

    ``dear`` is the number of elements of a problem that is worth half as much as a small one.

    ``budget`` is the stream's number of examples as a share of the profile's: as many as the kill matrix shows to be
    needed (``kill_budget.py``), and enough to detect faults for which there is no mutant.
    """

    _: KW_ONLY
    only: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    budget: float = 1.0
    seed_key: str = ""
    telling: Callable[[Recipe], bool] | None = None
    about_sizes: bool = False
    dear: int = DEAR

    def __post_init__(self) -> None:
        """Register the stream under its name."""
        if not self.seed_key:
            object.__setattr__(self, "seed_key", self.name)
        super().__post_init__()

    def definition(self) -> object:
        """As for any source; functions of a module that is loaded twice are not the same."""
        return {k: v for k, v in vars(self).items() if k != "telling"}

    def menu(self) -> Menu:
        """Factors to levels to choices."""
        return {**MENU, **self.only}


@dataclass(frozen=True)
class Draw:
    """What a run draws: the number of recipes, the seed, and the number of different shapes (None: no limit).

    ``shared``: the first of the shapes is ``SHARED``. ``ranks`` are levels of ``OTHER_RANKS``, whose shapes are added.
    """

    seed: int
    count: int
    pool: int | None = None
    shared: bool = False
    ranks: tuple[str, ...] = ()


def derived_seed(*parts: object) -> int:
    """A 64-bit seed from values whose text is the same in every run."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def recipes_of(stream: Stream, dtype: str, draw: Draw) -> list[Recipe]:
    """The first ``draw.count`` recipes of a stream: most from the covering array and to complete it, then random ones.

    If ``draw.count`` is small, all are from the covering array, whose first rows cover most.
    """
    seed = derived_seed(draw.seed, stream.seed_key, dtype)
    menu = _pooled(stream, draw, dtype)
    few = draw.count < FEW
    rng, seen = np.random.default_rng(seed), Combinations()
    found = _covering_recipes(menu, stream, rng, draw.count if few else round(draw.count * LISTED), seen)
    chosen = draw.count if few else round(draw.count * CHOSEN)
    every = {factor: [choice for choices in levels.values() for choice in choices] for factor, levels in menu.items()}
    found += [_chosen(every, stream, rng, seen, by_element=BY_ELEMENT) for _ in range(chosen - len(found))]
    if draw.count <= len(found):
        return found
    # Importing Hypothesis takes longer than a quick run has to judge a requirement.
    from xent_conformance.strategies.random_recipes import random_recipes

    return found + random_recipes(menu, stream.fixed, seed, draw.count - len(found))


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
    return chosen


def _several(shape: AnyShape) -> bool:
    """Whether a shape has several rows and more than two classes, and these numbers differ."""
    if isinstance(shape, Sizes):
        return True
    rows, classes = int(np.prod(shape[0])), shape[1]
    return rows > 1 and classes > 2 and rows != classes  # noqa: PLR2004


def shape_of_each(shapes: Mapping[str, list[AnyShape]], size: int, *seeds: object) -> dict[str, list[AnyShape]]:
    """One shape of each level, or of ``size`` of them, depending on the seeds; the first is not an unbatched one."""
    rng = np.random.default_rng(derived_seed("sizes", *seeds))
    levels = [[*shapes][i] for i in rng.permutation(len(shapes))]
    if levels[0] == "unbatched":
        levels.append(levels.pop(0))
    chosen: dict[str, list[AnyShape]] = {}
    for level in levels[:size]:
        pick = int(rng.integers(2**32))
        chosen[level] = [fixed(shapes[level][pick % len(shapes[level])], pick)]
    return chosen


def _pooled(stream: Stream, draw: Draw, dtype: str) -> Menu:
    menu = stream.menu()
    if draw.pool is None:
        return menu
    shapes = {level: list(choices) for level, choices in menu["shape"].items()}
    first = next(iter(SHAPES))
    # A stream without the first level has shapes of its own, which are compiled for it alone.
    if stream.about_sizes or first not in shapes:
        return {**menu, "shape": shape_of_each(shapes, draw.pool, draw.seed, dtype)}
    pool = shape_pool(shapes, draw.pool, draw.seed, dtype)
    if draw.shared:
        ranks: list[AnyShape] = [OTHER_RANKS[level] for level in draw.ranks if level in shapes]
        # More than half of the problems have the shared shape, because most options are combined there.
        pool = {**pool, first: [*[SHARED] * (1 + len(ranks)), *ranks]}
    return {**menu, "shape": pool}


def _covering_recipes(
    menu: Menu, stream: Stream, rng: np.random.Generator, count: int, seen: Combinations
) -> list[Recipe]:
    # The order of levels depends on the seed, so that the first rows of the array differ between seeds.
    factors = {f: [list(levels.values())[i] for i in rng.permutation(len(levels))] for f, levels in menu.items()}
    return [
        _chosen({f: levels[level] for (f, levels), level in zip(factors.items(), row, strict=True)}, stream, rng, seen)
        for row in covering_array(tuple(len(levels) for levels in factors.values()), count)
    ]


def _chosen(
    choices: Mapping[str, Sequence[Any]],
    stream: Stream,
    rng: np.random.Generator,
    seen: Combinations,
    *,
    by_element: float = 0.0,
) -> Recipe:
    """Of a few recipes with some of these choices the one with most that is new, for what it costs.

    A share ``by_element`` has logits drawn element by element.
    """
    sizes = np.array([len(some) for some in choices.values()])
    drawn = rng.integers(0, sizes, size=(CANDIDATES, len(sizes))).tolist()
    seeds = rng.integers(2**32, size=CANDIDATES).tolist()
    values = tuple(map(tuple, rng.choice(ELEMENTS, size=(3, 3)).tolist())) if rng.random() < by_element else None
    candidates = [
        Recipe.of(
            {**{f: some[i] for (f, some), i in zip(choices.items(), row, strict=True)}, **stream.fixed}, seed, values
        )
        for row, seed in zip(drawn, seeds, strict=True)
    ]
    worth = [1 / (1 + math.prod(recipe.row_shape) * recipe.classes / stream.dear) for recipe in candidates]
    if stream.telling is not None:
        worth = [w if stream.telling(r) else w * UNTELLING for w, r in zip(worth, candidates, strict=True)]
    # Few streams draw dtypes of operands.
    mixed = "weight_dtype" in choices
    combined = [(*aspects(recipe), *(operand_dtypes(recipe) if mixed else ())) for recipe in candidates]
    return candidates[seen.take(combined, worth)]


#: All options jointly.
JOINT = Stream("joint", only={"shape": ANY_SIZE, **MORE}, budget=0.66)
#: Every problem has ignored rows, with content that would make any result that depends on it wrong. Most often that is
#: nan, which spreads through any arithmetic, and without smoothing, where a kernel reads one class of a row.
IGNORED = Stream(
    "ignored content",
    only={
        "ignore": {"default": ["default"], "passed": ["outside", "tail", "first"], "class": ["a target"]},
        "ignored_content": {"nan": ["nan"], "others": ["infinite", "masked", "nan"]},
        "label_smoothing": {"off": [0.0], "any": [0.0, 0.1, 0.5, 1.0]},
        "target": {"random": ["random"], "extreme class": ["first", "last"]},
        "shape": {
            **{k: v for k, v in ANY_SIZE.items() if k not in ("unbatched", "many classes")},
            "many classes": [Sizes((514, 16384), (2, 4))],
        },
    },
    budget=0.16,
)
