"""Streams that force a situation, each shared by the requirements about it.

Shapes are whole levels of the menu, so that a backend with static shapes gets the same few in every stream.
"""

from __future__ import annotations

import math
from typing import Any

from xent_conformance.strategies.layouts import REPEATED
from xent_conformance.strategies.logits import MIXED
from xent_conformance.strategies.menu import ANY_SIZE, MENU, MORE, ROOMY, SHAPES
from xent_conformance.strategies.recipe import Recipe
from xent_conformance.strategies.sizes import Sizes
from xent_conformance.strategies.streams import Stream

#: Every level of shapes except the one where several calls on the same problem would be expensive.
MODERATE = {
    level: ANY_SIZE[level] if level == "block edge" else shapes
    for level, shapes in SHAPES.items()
    if level != "many classes"
}
BATCHED = {level: shapes for level, shapes in MODERATE.items() if level != "unbatched"}
INDEX: dict[str, list[Any]] = {"random": ["random"], "extreme class": ["argmax", "argmin", "first", "last"]}
PROBABILITIES = {level: names for level, names in MENU["target"].items() if level not in INDEX}
USUAL_WEIGHTS = {level: names for level, names in MENU["weight"].items() if level != "degenerate"}
#: Weights that differ between classes.
SHOWING_WEIGHTS: dict[str, list[Any]] = {
    "none": ["none"],
    "positive": ["random", "powers of two"],
    "with zero": ["some zero"],
    "negative": ["negative"],
}
NOT_ALL_IGNORED = {level: kinds for level, kinds in MENU["ignore"].items() if level != "all"}
NO_IGNORED: dict[str, list[Any]] = {"none": ["none"]}

#: All options jointly, for other forms of a call, which differ from the first on many problems or on none.
FORMS = Stream(
    "forms",
    only={
        **MORE,
        "shape": {**ANY_SIZE, "thousands of rows": [Sizes((1, 8), (255, 16384))] * 4},
        "cotangent": {**MORE["cotangent"], **ROOMY},
    },
    budget=0.25,
)
#: All options jointly, in sizes of every magnitude.
SIZES = Stream(
    "sizes",
    only={
        **MORE,
        "shape": {
            "classes": [Sizes((66, 4097), (1, 6))],
            "many classes": [
                *[Sizes((4098, 32768), (2, 4))] * 4,
                Sizes((32769, 65536), (1, 2), most=2**17),
                Sizes((65537, 151936)),
            ],
            "rows": [Sizes((1, 4), (130, 65536), axes=axes) for axes in (1, 1, 2, 3)],
            "both": [
                *[Sizes((9, 1100), (9, 1100), most=2**14)] * 6,
                Sizes((513, 1100), (65, 130), most=2**16),
                Sizes((65, 100), (1025, 1300), most=2**17),
                Sizes((9, 12), (8193, 9000), most=2**17),
                Sizes((4098, 7000), (9, 12), most=2**16),
            ],
            "channels": [
                *[Sizes((9, 600), (4, 4096), axes=axes, most=2**14) for axes in (2, 3, 2, 3)],
                *[Sizes((514, 12000), (4, 16), axes=axes) for axes in (2, 3, 2, 3)],
            ],
            "unbatched": [Sizes((34, 16384), axes=0)],
        },
        "ignore": NOT_ALL_IGNORED,
        "weight": SHOWING_WEIGHTS,
    },
    budget=0.18,
)


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


#: Rows in whose sum a single one still shows.
MOST_IN_A_SUM = 64
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
                *[Sizes((2, 6), (1025, 8192), axes=axes) for axes in (1, 1, 1, 2, 3)] * 2,
                *(Sizes((1, 6), (66, 65536), axes=axes) for axes in (1, 2, 3)),
            ],
            "wide": [
                *(Sizes((514, 32767), (1, 4)), Sizes((514, 65536), (1, 2))) * 2,
                *(Sizes((4098, 12000), (2, 8), axes=axes) for axes in (2, 3)),
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
    budget=0.27,
)


def other_dtypes_show(recipe: Recipe) -> bool:
    """Whether the dtype of an operand matters: numbers of few digits are the same in all, others may have no effect."""
    of_few_digits = ("one-hot probabilities", "unnormalised probabilities")
    return (
        recipe.target not in of_few_digits
        and recipe.label_smoothing < 1
        and recipe.regime not in ("equal", "masked span")
    )


#: All options jointly, with class weights or probability targets of another dtype than the logits.
MIXED_DTYPES = Stream(
    "mixed dtypes",
    only={
        **MORE,
        "shape": {level: ANY_SIZE[level] for level in ("small", "spatial", "block edge", "many rows", "many classes")},
        "target": {
            "labels": ["random", "random", "argmin", "first", "last"],
            "distribution": [name for names in PROBABILITIES.values() for name in names],
        },
        "label_smoothing": {"off": [0.0], "on": [0.1, 0.5, 0.25, 0.9, 1.0]},
        "weight": {level: names for level, names in SHOWING_WEIGHTS.items() if level != "none"},
        "operands": {"single": ["float32"], "double": ["float64"], "half": ["bfloat16", "float16"]},
        "ignore": NOT_ALL_IGNORED,
    },
    telling=other_dtypes_show,
    budget=0.1,
)
#: Class indices without smoothing in confident rows, right or wrong, whose gradients are small differences.
CONFIDENT = Stream(
    "confident rows",
    only={
        **MORE,
        "shape": ANY_SIZE,
        "regime": {"peaked": ["dominated", "wide"], "ordered": ["ascending", "descending"], "plain": ["normal", MIXED]},
        "target": {"likeliest": ["argmax"], "any": ["random", "first", "last"]},
        "weight": {"none": ["none"], "positive": ["random", "powers of two", "constant"]},
        "ignore": {"none": ["none"], "some": ["tail", "outside", "default"]},
        "label_smoothing": {"off": [0.0]},
    },
    budget=0.1,
)
#: All options jointly, for identities between several calls.
RELATIONS = Stream("relations", only={"shape": MODERATE}, budget=0.1)
#: Class weights in every problem, negative ones and single zeros included.
WEIGHTED = Stream(
    "weighted",
    only={
        "shape": MODERATE,
        "weight": {
            "positive": ["random", "powers of two"],
            "with zero": ["some zero", "one zero"],
            "negative": ["negative"],
        },
    },
    budget=0.12,
)
#: Label smoothing in every problem.
SMOOTHED = Stream(
    "smoothed",
    only={"shape": MODERATE, "label_smoothing": {"on": [0.1, 0.5, 0.25, 0.9], "slight": [0.01], "full": [1.0]}},
    budget=0.12,
)
#: Both ignored and other rows in nearly every problem.
IGNORING_ROWS = Stream(
    "ignoring rows",
    only={
        "shape": BATCHED,
        "target": INDEX,
        "ignore": {"default": ["default"], "passed": ["outside", "tail", "first"], "class": ["a target", "in range"]},
    },
    budget=0.12,
)
#: Probability targets in every problem.
PROBABLE = Stream("probabilities", only={"shape": MODERATE, "target": PROBABILITIES, "ignore": NO_IGNORED}, budget=0.1)
#: As many classes as rows, or axes of equal length: using the wrong axis raises no error there, only wrong numbers.
SQUARE = Stream(
    "square",
    only={
        "shape": {
            "flat": [((2,), 2), ((3,), 3), ((5,), 5), ((8,), 8)],
            "spatial": [((2, 2), 2), ((3, 3), 3), ((4, 4), 4), ((3, 3, 3), 3)],
        },
        "regime": {"plain": ["normal", "grid", "dominated", "wide"]},
        "weight": {"none": ["none"], "positive": ["random"], "with zero": ["one zero"]},
    },
    budget=0.15,
)
#: Logits at the ends of the dtype's range.
EXTREME = Stream(
    "extreme",
    only={
        "shape": MODERATE,
        "regime": {
            "largest": ["largest", "huge"],
            "lowest": ["lowest"],
            "smallest": ["subnormal", "smallest"],
            "gap": ["widest gap", "large gap"],
        },
        "weight": USUAL_WEIGHTS,
    },
    budget=0.3,
)
#: Small integers, to which a power of two can be added without rounding.
SHIFTED = Stream(
    "shifted",
    only={"shape": MODERATE, "regime": {"grid": ["grid"], "equal": ["equal"]}, "weight": USUAL_WEIGHTS},
    budget=0.05,
)
#: Plain values in every memory layout and rank: each rank has unusual layouts of its own.
VIEWS = Stream(
    "views",
    only={
        "shape": {
            "flat": [((4,), 3), ((33,), 2), ((2,), 129)],
            "unbatched": [((), 5)],
            "sequence": [((3, 2), 4)],
            "image": [((2, 2, 3), 5), ((2, 3, 2), 3)],
        },
        "regime": {"mixed": ["mixed"], "plain": ["normal"]},
        "layout": {"contiguous": ["contiguous"]},
        "reduction": {"none": ["none"], "reduced": ["sum", "mean"]},
    },
    budget=0.04,
)
#: Cotangents that are zero, partly zero, or one number with a stride of zero.
COTANGENTS = Stream(
    "cotangents",
    only={
        "shape": MODERATE,
        "weight": USUAL_WEIGHTS,
        "cotangent": {"zero": ["zeros"], "zero first": ["zero first"], "varied": ["round"], "same": ["same"]},
    },
    budget=0.12,
)
#: Small integers, which a linear map of small integers computes exactly.
LINEAR = Stream(
    "fused linear",
    only={
        "shape": {
            **{level: SHAPES[level] for level in ("small", "block edge", "many rows")},
            "many classes": [*[Sizes((514, 16384), (2, 4))] * 5, Sizes((4098, 6000), (9, 16), most=2**16)],
            "thousands of rows": [Sizes((2, 6), (255, 8192))] * 3 + [Sizes((1, 4), (8193, 16384))],
            "both": [Sizes((33, 1100), (33, 1024), most=2**15)],
        },
        "regime": {"grid": ["grid"]},
        "target": INDEX,
        "labels": {"64 bits": ["int64"], "others": ["int32", "int16", "int8", "uint8"]},
        "weight": {"none": ["none"]},
        "layout": {"contiguous": ["contiguous"]},
        "target_layout": MORE["target_layout"],
        # Intermediate sums over rows and products with weights must not overflow.
        "cotangent": {
            **MORE["cotangent"],
            "of any size": ["less", "summed", "zero first, summed", "same, less"],
            "view": [
                "strided",
                "reversed",
                "same along one axis",
                "strided, summed",
                "reversed, less",
                "equal, summed",
            ],
        },
    },
    budget=0.1,
)
#: Options of language models: each alone, and several together.
OPTIONS: dict[str, list[Any]] = {
    "divisor": [(("divisor", value),) for value in (3.0, 12.5, 1000.0)],
    "z-loss": [(("lse_square_scale", value),) for value in (1e-4, 0.01, 0.5)],
    "logit scale": [(("logit_scale", value),) for value in (0.0625, 0.3, 1.7, 14.3)],
    "softcap": [(("softcap", value),) for value in (1.5, 30.0, 50.0)],
    "several": [
        (("divisor", 7.0), ("lse_square_scale", 0.05)),
        (("divisor", 9.0), ("softcap", 20.0)),
        (("lse_square_scale", 0.1), ("softcap", 5.0)),
        (("logit_scale", 2.5), ("softcap", 15.0)),
        (("divisor", 40.0), ("lse_square_scale", 0.002), ("logit_scale", 0.7), ("softcap", 8.0)),
    ],
}
#: All options jointly, with some of those of language models; many tokens are ignored.
LANGUAGE_MODELS = Stream(
    "language models",
    only={
        **MORE,
        "shape": {
            # Where a single class or row hides nothing.
            "small": [((4,), 3), ((5,), 5), ((8,), 10), ((2,), 7)],
            "unbatched": [((), 5), ((), 33)],
            "spatial": SHAPES["spatial"],
            "block edge": ANY_SIZE["block edge"],
            "many rows": [*SHAPES["many rows"], *[Sizes((2, 8), (255, 4096))] * 3],
            "many classes": SHAPES["many classes"],
            "thousands of classes": [Sizes((1100, 16384), (1, 3))],
        },
        "target": {**INDEX, "probabilities": ["dense probabilities", "peaked probabilities", "one-hot probabilities"]},
        "weight": {"none": ["none"], "positive": ["random", "powers of two"], "other": ["some zero", "negative"]},
        "ignore": {"none": ["none"], "some": ["default", "outside", "tail", "first", "all"], "class": ["a target"]},
        "label_smoothing": {"off": [0.0], "on": [0.1, 0.25, 0.9, 1.0]},
        "options": OPTIONS,
        "cotangent": MENU["cotangent"],
    },
    budget=0.5,
)
#: One row of several is replaced by nan or infinities afterwards.
SPOILED = Stream(
    "spoiled rows",
    only={
        "shape": BATCHED,
        "regime": {"plain": ["normal", "grid", "wide"]},
        "ignore": {"none": ["none"], "passed": ["tail"]},
    },
    fixed={"reduction": "none"},
    budget=0.05,
)

#: Logits and labels of a call that is made between two others and must not affect them.
BETWEEN = (((30.0, -30.0, 0.0), (1.0, 2.0, 0.5)), (1, 0))
