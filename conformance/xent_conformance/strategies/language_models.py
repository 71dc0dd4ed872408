"""Streams for what language models add: options of the loss, and the linear map that makes logits."""

from __future__ import annotations

from typing import Any

from xent_conformance.strategies.levels import INDEX
from xent_conformance.strategies.menu import ANY_SIZE, MATRICES, MENU, MORE, SHAPES
from xent_conformance.strategies.sizes import Sizes
from xent_conformance.strategies.streams import DEAR_TO_MANY, Stream

#: Small integers, which a linear map of small integers computes exactly.
LINEAR = Stream(
    "fused linear",
    only={
        "shape": {
            **{level: SHAPES[level] for level in ("small", "block edge", "many rows")},
            "many classes": [
                *[Sizes((514, 16384), (2, 4))] * 3,
                Sizes((9, 16384)),
                Sizes((8200, 16384), (2, 4)),
                Sizes((4098, 6000), (9, 16), most=2**16),
            ],
            "thousands of rows": [Sizes((2, 6), (255, 8192))] * 3 + [Sizes((1, 4), (8193, 16384))],
            "both": [
                *[Sizes((33, 1100), (33, 1024), most=2**15)] * 3,
                Sizes((9, 14), (1025, 8192), most=2**16),
                Sizes((65, 110), (1025, 1100), most=2**17),
                Sizes((513, 900), (65, 110), most=2**17),
            ],
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
            "of any size": ["less", "zero first, less", "same, less"],
            "mixed": ["summed", "zero first, summed", "strided, summed"],
            "view": [
                "strided",
                "reversed",
                "same along one axis",
                "reversed, less",
                "equal, summed",
            ],
        },
    },
    budget=0.1,
    about_sizes=True,
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
            "both": MATRICES,
        },
        "target": {**INDEX, "probabilities": ["dense probabilities", "peaked probabilities", "one-hot probabilities"]},
        "weight": {"none": ["none"], "positive": ["random", "powers of two"], "other": ["some zero", "negative"]},
        "ignore": {"none": ["none"], "some": ["default", "outside", "tail", "first", "all"], "class": ["a target"]},
        "label_smoothing": {"off": [0.0], "on": [0.1, 0.25, 0.9, 1.0]},
        "options": OPTIONS,
        "cotangent": MENU["cotangent"],
    },
    budget=0.42,
    dear=DEAR_TO_MANY,
)
