"""Streams of all options jointly: other forms of a call, sizes of every magnitude, and rows with small gradients."""

from __future__ import annotations

from xent_conformance.formats import FLOATING
from xent_conformance.strategies.levels import NOT_ALL_IGNORED, SHOWING_WEIGHTS
from xent_conformance.strategies.logits import MIXED
from xent_conformance.strategies.menu import ANY_SIZE, MATRICES, MORE, ROOMY
from xent_conformance.strategies.recipe import OR_WIDE
from xent_conformance.strategies.sizes import Sizes
from xent_conformance.strategies.streams import DEAR_TO_MANY, Stream

#: All options jointly, for other forms of a call, which differ from the first on many problems or on none.
FORMS = Stream(
    "forms",
    only={
        **MORE,
        "shape": {
            **ANY_SIZE,
            # Few problems are drawn, so that most of these have several tiles in both directions.
            "both": [*MATRICES, *[Sizes((513, 900), (33, 72), axes=axes, most=2**16) for axes in (1, 1, 2)] * 5],
            "thousands of rows": [Sizes((1, 8), (255, 16384))] * 4,
            # Labels of 4096 and more, often enough to meet the levels of every other factor.
            "thousands of classes": [Sizes((8200, 12000), (2, 4)), ((2, 2), 8195), ((2, 3), 8200)],
        },
        "cotangent": {**MORE["cotangent"], **ROOMY, "same": ["same", "zeros"]},
        "labels": {**MORE["labels"], "bytes": [f"int8{OR_WIDE}", f"uint8{OR_WIDE}"]},
        **{
            operand: {"of the logits": [None], "others": [*FLOATING]}
            for operand in ("weight_dtype", "probability_dtype")
        },
    },
    budget=0.31,
    dear=DEAR_TO_MANY,
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
            "rows": [
                *(Sizes((1, 4), (130, 65536), axes=axes) for axes in (1, 1, 2, 3)),
                *(Sizes((1, 8), (8193, 16384), axes=axes) for axes in (1, 1, 2, 3)),
            ],
            # A level of their own: among others they are too large to be chosen.
            "most rows": [
                Sizes((2, 3), (16385, 32768), most=2**17),
                *[Sizes((2, 2), (32769, 65536), most=2**17)] * 2,
            ],
            "both": [
                *[Sizes((9, 1100), (9, 1100), most=2**14)] * 4,
                *(Sizes((12, 400), (192, 1000), axes=axes, most=2**17) for axes in (1, 1, 1, 2)),
                Sizes((513, 1100), (65, 130), most=2**16),
                *[Sizes((65, 100), (1025, 1300), most=2**17)] * 2,
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
    budget=0.2,
    about_sizes=True,
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
