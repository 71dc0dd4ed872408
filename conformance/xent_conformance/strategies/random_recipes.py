"""Recipes drawn by Hypothesis: every choice of a menu, and the seed of the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import HypothesisProvider

from xent_conformance.strategies.menu import ELEMENTS, Menu
from xent_conformance.strategies.recipe import Recipe

#: Built once: building and validating a strategy costs more than drawing from it.
_SEEDS, _EIGHT = st.integers(0, 2**32 - 1), st.integers(0, 7)
_ELEMENT = st.sampled_from(ELEMENTS)
_VALUES = st.lists(st.tuples(_ELEMENT, _ELEMENT, _ELEMENT), min_size=1, max_size=4)


def recipes(menu: Menu, fixed: Mapping[str, Any]) -> st.SearchStrategy[Recipe]:
    """Hypothesis strategy for recipes: every choice is a ``sampled_from``, the numbers one drawn integer seed.

    One in eight recipes draws its logits element by element from small round numbers: this gives exact ties, which
    normally distributed numbers never have.
    """
    return _drawn({factor: st.sampled_from(_flat(levels)) for factor, levels in menu.items()}, fixed)


@st.composite
def _drawn(draw: st.DrawFn, choices: Mapping[str, st.SearchStrategy[Any]], fixed: Mapping[str, Any]) -> Recipe:
    chosen = {factor: draw(strategy) for factor, strategy in choices.items()}
    values = tuple(draw(_VALUES)) if draw(_EIGHT) == 0 else None
    return Recipe.of({**chosen, **fixed}, draw(_SEEDS), values)


def _flat(levels: Mapping[str, Any]) -> list[Any]:
    return [choice for choices in levels.values() for choice in choices]


def random_recipes(menu: Menu, fixed: Mapping[str, Any], seed: int, count: int) -> list[Recipe]:
    """Distinct recipes that Hypothesis generates from a seed."""
    drawn: list[Recipe] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(recipes(menu, fixed))
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
