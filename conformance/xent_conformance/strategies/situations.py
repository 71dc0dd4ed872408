"""Streams that force a situation, each shared by the requirements about it.

Shapes are whole levels of the menu, so that a backend with static shapes gets the same few in every stream.
"""

from __future__ import annotations

from xent_conformance.strategies.levels import BATCHED, INDEX, MODERATE, NO_IGNORED, PROBABILITIES, USUAL_WEIGHTS
from xent_conformance.strategies.streams import Stream

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
    budget=0.1,
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
    budget=0.26,
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
