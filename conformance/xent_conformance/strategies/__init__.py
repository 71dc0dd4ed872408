"""Hypothesis strategies that generate logits, targets, weights, options and dtypes, biased towards real bugs.

``problems()`` and ``recipes()`` may be used in any Hypothesis test; a run of the suite goes through :mod:`.streams`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xent_conformance.formats import FLOATING
from xent_conformance.interface import Capabilities
from xent_conformance.problem import Problem

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from xent_conformance.strategies.recipe import Recipe

__all__ = ["EVERYTHING", "problems", "recipes"]

#: Capabilities of a backend that supports everything, as PyTorch does.
EVERYTHING = Capabilities(
    logits_dtypes=FLOATING,
    probability_targets=True,
    weight=True,
    ignore_index=True,
    default_ignore_index=-100,
    label_smoothing=True,
    unbatched=True,
    spatial=True,
)


def recipes() -> SearchStrategy[Recipe]:
    """A Hypothesis strategy for recipes of all options jointly; a recipe's method ``build`` makes its problem."""
    from xent_conformance.strategies.random_recipes import recipes as drawn_from
    from xent_conformance.strategies.streams import JOINT

    return drawn_from(JOINT.menu(), JOINT.fixed)


def problems(dtypes: tuple[str, ...] = FLOATING, capabilities: Capabilities = EVERYTHING) -> SearchStrategy[Problem]:
    """A Hypothesis strategy for problems, with all options jointly.

    Args:
        dtypes: dtypes of the logits, by name.
        capabilities: What an implementation supports; no problem needs anything else.

    Example:
        >>> import numpy as np
        >>> from hypothesis import given, settings
        >>> from xent_conformance.conventions import Conventions
        >>> from xent_conformance.interface import Capabilities
        >>> from xent_conformance.oracle import Answer
        >>> from xent_conformance.strategies import problems
        >>> @settings(max_examples=5)
        ... @given(problems(("float32",), Capabilities(reductions=("none",))))
        ... def test_losses_are_not_negative(problem):
        ...     assert (Answer(problem, Conventions()).loss.value >= 0).all()
        >>> test_losses_are_not_negative()
    """
    from hypothesis import strategies as st

    return st.builds(lambda recipe, dtype: recipe.build(dtype, capabilities), recipes(), st.sampled_from(dtypes))
