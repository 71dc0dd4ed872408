"""What the choices of a recipe amount to: the levels of which any three are to occur together.

Sizes count by bands, and choices that differ only in their numbers count as one. ``coverage`` measures the same of the
finished problems.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from xent_conformance.strategies.cotangents import BOTH, LARGE_ONLY, SMALL_ONLY, parts
from xent_conformance.strategies.logits import MIXED
from xent_conformance.strategies.recipe import OR_WIDE, Recipe

#: Rows and classes, by the first number of each coarse band.
ROWS = {"1": 1, "2-8": 2, "9-64": 9, "65-1024": 65, "1025-8192": 1025, "8193-": 8193}
CLASSES = {"1": 1, "2-8": 2, "9-64": 9, "65-512": 65, "513-4097": 513, "4098-": 4098}
#: The most axes of rows that are told apart.
AXES = 3

#: Choices that amount to another one.
_REGIMES = {
    **dict.fromkeys(("normal", "grid", "ascending", "descending"), "mild"),
    **dict.fromkeys(("equal", "two values"), "tied"),
    **dict.fromkeys(("dominated", "wide"), "wide"),
    **dict.fromkeys(("very wide", "large gap", "enormous", "huge", "largest", "widest gap", "lowest"), "beyond exp"),
    **dict.fromkeys(("masked", "masked span"), "masked"),
    **dict.fromkeys(("very negative", "offset"), "far from zero"),
    **dict.fromkeys(("near ties", "narrow", "subnormal", "smallest"), "narrow"),
    MIXED: MIXED,
}
_TARGETS = {
    **dict.fromkeys(("random", "argmax", "argmin"), "labels"),
    **dict.fromkeys(("dense probabilities", "peaked probabilities"), "distribution"),
}
_WEIGHTS = {
    **dict.fromkeys(("random", "powers of two", "constant"), "positive"),
    **dict.fromkeys(("some zero", "one zero"), "some zero"),
}
_IGNORED = {
    **dict.fromkeys(("outside", "tail", "first"), "outside"),
    **dict.fromkeys(("a target", "in range"), "class"),
}
_LAYOUTS = {
    **dict.fromkeys(("transposed", "channels last"), "permuted"),
    **dict.fromkeys(("strided", "sliced", "offset"), "gaps"),
}
_COTANGENTS = {
    **dict.fromkeys(("random", "round"), "varied"),
    **dict.fromkeys(("zero first", "zeros"), "some zero"),
}
#: A reduced loss has one number as its cotangent.
_OF_ONE_NUMBER = {"ones": "ones", "zero first": "some zero", "zeros": "some zero"}
_SIZES = {**dict.fromkeys(LARGE_ONLY, "large"), **dict.fromkeys(SMALL_ONLY, "tiny"), **dict.fromkeys(BOTH, "mixed")}


def band(size: int, bands: Mapping[str, int]) -> str:
    """The band of a size of at least 1."""
    return [name for name, first in bands.items() if size >= first][-1]


def operand_dtypes(recipe: Recipe) -> tuple[str, str]:
    """The dtypes of class weights and of probability targets, "" without them and "same" for that of the logits."""
    soft = recipe.target.endswith("probabilities")
    return (
        "" if recipe.weight == "none" else recipe.weight_dtype or "same",
        "" if not soft else recipe.probability_dtype or "same",
    )


def aspects(recipe: Recipe) -> tuple[str, ...]:
    """The levels of a recipe, always in the same order, but for those of ``operand_dtypes``.

    What has no effect together with another choice has the level "" there: labels are of no dtype where the target is a
    distribution.
    """
    axes, rows = len(recipe.row_shape), math.prod(recipe.row_shape)
    alone = rows == 1 or recipe.reduction != "none"
    soft = recipe.target.endswith("probabilities")
    layout = recipe.layout
    form, size = parts(recipe.cotangent)
    return (
        band(rows, ROWS) if rows else "0",
        band(recipe.classes, CLASSES),
        str(min(axes, AXES)),
        "tied" if recipe.values is not None else _REGIMES[recipe.regime],
        _TARGETS.get(recipe.target, recipe.target),
        _WEIGHTS.get(recipe.weight, recipe.weight),
        "" if soft else _IGNORED.get(recipe.ignore, recipe.ignore),
        recipe.reduction,
        "off" if not recipe.label_smoothing else "full" if recipe.label_smoothing == 1 else "on",
        _OF_ONE_NUMBER.get(form, "one number") if alone else _COTANGENTS.get(form, form),
        "" if alone and size in BOTH else _SIZES.get(size, "usual"),
        _LAYOUTS.get(layout, layout),
        _LAYOUTS.get(recipe.target_layout or layout, recipe.target_layout or layout),
        "" if soft else recipe.labels.removesuffix(OR_WIDE),
    )
