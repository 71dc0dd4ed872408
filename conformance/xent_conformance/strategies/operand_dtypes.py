"""Streams of all options jointly in which an operand has another dtype: class indices, weights, probabilities."""

from __future__ import annotations

import math

from xent_conformance.strategies.layouts import REPEATED
from xent_conformance.strategies.levels import INDEX, NOT_ALL_IGNORED, SHOWING_WEIGHTS
from xent_conformance.strategies.menu import ANY_SIZE, MORE, OTHER_DTYPES
from xent_conformance.strategies.recipe import OR_WIDE, Recipe
from xent_conformance.strategies.sizes import Sizes
from xent_conformance.strategies.streams import Stream

#: Rows in whose sum a single one still shows.
MOST_IN_A_SUM = 64


def wrong_labels_show(recipe: Recipe) -> bool:
    """Whether the wrong label of a single row makes the loss wrong, as far as the choices tell."""
    alike = recipe.target in ("first", "last") or REPEATED in (recipe.layout, recipe.target_layout)
    hidden = (
        recipe.classes == 1
        or recipe.label_smoothing == 1
        or recipe.regime in ("equal", "near ties", "subnormal", "masked span")
        # One row of many is lost in the bound of their sum.
        or (recipe.reduction != "none" and math.prod(recipe.row_shape) > MOST_IN_A_SUM)
        # Labels that are alike are ignored together.
        or (recipe.ignore == "a target" and alike)
    )
    return not hidden


#: All options jointly, with class indices of every dtype except int64. What is listed several times is drawn as often.
LABEL_DTYPES = Stream(
    "label dtypes",
    only={
        **MORE,
        "shape": {
            **{level: shapes for level, shapes in ANY_SIZE.items() if level != "many rows"},
            # A single label that is always 0 tests nothing.
            "unbatched": [((), 2), ((), 5), ((), 33)] * 2,
            "unbatched, long": [Sizes((34, 4096), axes=0)] * 6,
            "rows": [Sizes((2, 8), (65, 1024), axes=axes) for axes in (1, 1, 1, 2, 3)] * 2,
            "thousands of rows": [
                *[Sizes((2, 6), (1025, 16384), axes=axes) for axes in (1, 1, 1, 2, 3)] * 2,
                *(Sizes((1, 6), (66, 65536), axes=axes) for axes in (1, 2, 3)),
            ],
            "wide": [
                *(Sizes((514, 32767), (1, 4)), Sizes((514, 65536), (1, 2))) * 2,
                *[Sizes((514, 1000), (33, 64))] * 2,
                *(Sizes((4098, 12000), (4, 8), axes=axes) for axes in (2, 3)),
            ],
            "channels": [Sizes((9, 600), (4, 4096), axes=axes, most=2**14) for axes in (2, 3)] * 4,
        },
        "target": INDEX,
        "labels": {
            "32 bits": ["int32", "uint32", "int32", "uint64"],
            "16 bits": ["int16", "int16", "uint16"],
            "signed bytes": ["int8"] * 3,
            "bytes": ["uint8"] * 3,
        },
        # A wrong label has no effect in batches that are entirely ignored, or where weights or smoothing hide it.
        "ignore": NOT_ALL_IGNORED,
        "weight": SHOWING_WEIGHTS,
        "label_smoothing": {"off": [0.0], "on": [0.1, 0.5, 0.25, 0.9, 1.0]},
    },
    telling=wrong_labels_show,
    budget=0.24,
)


def other_dtypes_show(recipe: Recipe) -> bool:
    """Whether the dtype of an operand matters: numbers of few digits are the same in all, others may have no effect."""
    of_few_digits = ("one-hot probabilities", "unnormalised probabilities")
    soft = recipe.target.endswith("probabilities")
    weighted = recipe.weight not in ("none", "all zero") and recipe.weight_dtype is not None
    shared = soft and recipe.target not in of_few_digits and recipe.probability_dtype is not None
    return (weighted or shared) and recipe.label_smoothing < 1 and recipe.regime not in ("equal", "masked span")


#: All options jointly, with class weights or probability targets of another dtype than the logits.
MIXED_DTYPES = Stream(
    "mixed dtypes",
    only={
        **MORE,
        "shape": {
            **ANY_SIZE,
            "thousands of rows": [
                Sizes((1, 8), (1025, 8192)),
                *(Sizes((1, 6), (8193, 16384), axes=axes) for axes in (1, 2, 3)),
                *[Sizes((9, 12), (1025, 9000), most=2**17)] * 2,
                *(Sizes((513, 900), (33, 100), axes=axes, most=2**16) for axes in (1, 1, 2, 3)),
                Sizes((65, 110), (1025, 1100), most=2**17),
            ],
            # Labels of 4096 and more, often enough to meet the levels of every other factor.
            "thousands of classes": [Sizes((8200, 12000), (2, 6)), ((2, 2), 8195)],
        },
        "labels": {**MORE["labels"], "bytes": [f"int8{OR_WIDE}", f"uint8{OR_WIDE}"]},
        # Those without an effect are in levels with others, which are preferred.
        "weight": {
            **{level: names for level, names in SHOWING_WEIGHTS.items() if level not in ("none", "negative")},
            "others": ["none", "all zero", "negative", "negative"],
        },
        "weight_dtype": {level: [*names, *names, None] for level, names in OTHER_DTYPES.items()},
        "probability_dtype": {level: [*names, *names, None] for level, names in OTHER_DTYPES.items()},
        "ignore": NOT_ALL_IGNORED,
    },
    telling=other_dtypes_show,
    budget=0.24,
)
