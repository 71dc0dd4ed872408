"""Streams: endless sequences of recipes, one for each group of requirements about the same calls.

The covering array comes first, random draws by Hypothesis after it. Each stream has a seed of its own, made from the
run's seed, so no two streams and no two runs see the same problems, and every backend with the same shape policy does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from unittest.mock import patch

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import HypothesisProvider

from xent_conformance.strategies.covering import covering_array
from xent_conformance.strategies.menu import ANY_SIZE, MENU, MORE, SHAPES, Menu
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sizes import AnyShape, Shape, Sizes
from xent_conformance.strategies.sources import Source

#: What the sizes of a recipe are drawn with, beside its seed: its numbers are drawn with that alone.
SIZES = 1
#: With fewer recipes than these, none is drawn at random.
FEW = 12


@dataclass(frozen=True, eq=False)
class Stream(Source):
    """An endless sequence of recipes. ``only`` narrows factors to some of their levels or gives new ones.

    They are drawn with ``seed_key``, by default the name: a stream that is renamed keeps its old name there, and with
    it its problems.

    ``budget`` is the share of a profile's examples that the stream gets: what the kill matrix says it needs
    (``kill_budget.py``), and never so few that faults without a mutant would be found by chance alone.
    """

    _: KW_ONLY
    only: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    budget: float = 1.0
    seed_key: str = ""

    def __post_init__(self) -> None:
        """Enter the stream under its name."""
        if not self.seed_key:
            object.__setattr__(self, "seed_key", self.name)
        super().__post_init__()

    def menu(self) -> Menu:
        """Factors to levels to choices."""
        return {**MENU, **self.only}


@dataclass(frozen=True)
class Draw:
    """What a run draws: how many recipes, from which seed, and from how many shapes (None: from any)."""

    seed: int
    count: int
    pool: int | None = None


def derived_seed(*parts: object) -> int:
    """A seed of 64 bits from anything whose text is the same in every run."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def recipes_of(stream: Stream, dtype: str, draw: Draw) -> list[Recipe]:
    """The first ``draw.count`` recipes of a stream: the covering array, then random ones, about half each.

    A few are of the covering array alone, whose first rows differ most.
    """
    seed = derived_seed(draw.seed, stream.seed_key, dtype)
    menu = _pooled(stream.menu(), draw, dtype)
    listed = draw.count if draw.count < FEW else round(draw.count * 0.6)
    covering = _covering_recipes(menu, stream, np.random.default_rng(seed), listed)
    random = _random_recipes(recipes(menu, stream.fixed), seed, draw.count - len(covering))
    return covering + random


#: Made once: making and checking a strategy costs more than drawing from it.
_SEEDS, _EIGHT = st.integers(0, 2**32 - 1), st.integers(0, 7)
_ELEMENT = st.sampled_from((0.0, 1.0, -1.0, 2.0, 0.5, -4.0, 8.0, 30.0, -100.0))
_VALUES = st.lists(st.tuples(_ELEMENT, _ELEMENT, _ELEMENT), min_size=1, max_size=4)


def recipes(menu: Menu | None = None, fixed: Mapping[str, Any] | None = None) -> st.SearchStrategy[Recipe]:
    """Hypothesis strategy for recipes: every choice is a ``sampled_from``, the bulk one drawn integer.

    One in eight draws its logits element by element, small and round: Hypothesis finds exact ties where a generator
    of normals never does.
    """
    chosen = JOINT.menu() if menu is None else menu
    return _drawn({factor: st.sampled_from(_flat(levels)) for factor, levels in chosen.items()}, fixed or {})


@st.composite
def _drawn(draw: st.DrawFn, choices: Mapping[str, st.SearchStrategy[Any]], fixed: Mapping[str, Any]) -> Recipe:
    chosen = {factor: draw(strategy) for factor, strategy in choices.items()}
    values = tuple(draw(_VALUES)) if draw(_EIGHT) == 0 else None
    return _recipe(chosen, draw(_SEEDS), values, fixed)


def shape_pool(shapes: Mapping[str, list[AnyShape]], size: int, *seeds: object) -> dict[str, list[AnyShape]]:
    """A few shapes of different levels, the same for every stream that has those levels, others for other seeds.

    The small shape has several rows and another number of classes, since it may be the only shape.
    """
    first, *others = SHAPES
    rng = np.random.default_rng(derived_seed("shapes", *seeds))
    levels = [first, *(others[i] for i in rng.permutation(len(others)))]
    picks = {level: int(rng.integers(2**32)) for level in levels}
    chosen: dict[str, list[AnyShape]] = {}
    for level in (level for level in levels[:size] if level in shapes):
        choices = [s for s in shapes[level] if level != first or _several(s)] or shapes[level]
        chosen[level] = [_fixed(choices[picks[level] % len(choices)], picks[level])]
    # A stream with shapes of its own gets half as many: each is compiled for it alone.
    own = [[*shapes][i] for i in rng.permutation(len(shapes))[: max(1, size // 2)]] if not chosen else []
    return chosen or {level: [_fixed(shapes[level][0], derived_seed(level, *seeds))] for level in own}


def _fixed(shape: AnyShape, seed: int) -> Shape:
    """The shape itself, or one that has such sizes."""
    return shape.drawn(np.random.default_rng((seed, SIZES))) if isinstance(shape, Sizes) else shape


def _several(shape: AnyShape) -> bool:
    """Whether there are several rows, and more classes than two, but not as many as rows."""
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
    # The levels in an order of the seed's own: the first rows of the array have other combinations for other seeds.
    factors = {f: [list(levels.values())[i] for i in rng.permutation(len(levels))] for f, levels in menu.items()}
    found = []
    for row in covering_array(tuple(len(levels) for levels in factors.values()), count):
        chosen = {}
        for (factor, levels), level in zip(factors.items(), row, strict=True):
            choices = levels[level]
            chosen[factor] = choices[int(rng.integers(len(choices)))]
        found.append(_recipe(chosen, int(rng.integers(2**32)), None, stream.fixed))
    return found


def _random_recipes(strategy: st.SearchStrategy[Recipe], seed: int, count: int) -> list[Recipe]:
    """Distinct recipes that Hypothesis generates from a seed."""
    drawn: list[Recipe] = []
    if count < 1:
        return drawn

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(recipe: Recipe) -> None:
        drawn.append(recipe)

    with _without_constants():
        collect()
    return drawn


@contextmanager
def _without_constants() -> Iterator[None]:
    """Keeps Hypothesis from drawing constants that it finds in the sources of loaded modules.

    Which modules are loaded, and which of them count as the user's own, differs from process to process; the problems
    of a seed must not. Hypothesis has no setting for that.
    """
    with ExitStack() as stack:
        if hasattr(HypothesisProvider, "_maybe_draw_constant"):
            stack.enter_context(patch.object(HypothesisProvider, "_maybe_draw_constant", lambda *_, **__: None))
        yield


def _recipe(chosen: Mapping[str, Any], seed: int, values: Any, fixed: Mapping[str, Any]) -> Recipe:
    rest = {k: v for k, v in chosen.items() if k != "shape"}
    row_shape, classes = _fixed(chosen["shape"], seed)
    return Recipe(row_shape=row_shape, classes=classes, seed=seed, values=values, **{**rest, **fixed})


def _flat(levels: Mapping[str, Any]) -> list[Any]:
    return [choice for choices in levels.values() for choice in choices]


#: All options jointly.
JOINT = Stream("joint", only={"shape": ANY_SIZE, **MORE}, budget=0.66)
#: Every problem has ignored rows, and their content would spoil any answer that it reached.
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
