"""Hypothesis strategies that generate logits, targets, weights, options and dtypes, biased towards real bugs.

``problems()`` may be used in any Hypothesis test; a run of the suite goes through :mod:`.streams`.
"""

from __future__ import annotations

from hypothesis import strategies as st

from xent_conformance.formats import FLOATING
from xent_conformance.interface import Capabilities
from xent_conformance.problem import Problem
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.streams import recipes

__all__ = ["EVERYTHING", "Recipe", "problems", "recipes"]

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


def problems(dtypes: tuple[str, ...] = FLOATING, capabilities: Capabilities = EVERYTHING) -> st.SearchStrategy[Problem]:
    """Problems with logits of one of the dtypes, within what the capabilities claim."""
    return st.builds(lambda recipe, dtype: recipe.build(dtype, capabilities), recipes(), st.sampled_from(dtypes))
