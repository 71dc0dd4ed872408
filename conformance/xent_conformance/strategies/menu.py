"""The discrete choices of a recipe, grouped into the levels that the covering array combines.

Each factor has a few levels, and each level several concrete choices, one of which is drawn for each recipe. Sizes are
around powers of two, where vector lanes, tiles and blocks end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xent_conformance.formats import FLOATING
from xent_conformance.problem import REDUCTIONS
from xent_conformance.strategies.layouts import LAYOUTS, REPEATED
from xent_conformance.strategies.logits import MIXED, REGIMES
from xent_conformance.strategies.recipe import OR_WIDE
from xent_conformance.strategies.sizes import AnyShape, Shape, Sizes

Menu = Mapping[str, Mapping[str, Sequence[Any]]]

SHAPES: dict[str, list[Shape]] = {
    "small": [((1,), 1), ((1,), 2), ((2,), 1), ((3,), 2), ((4,), 3), ((2,), 7), ((5,), 5), ((8,), 10)],
    "unbatched": [((), 1), ((), 2), ((), 5), ((), 33)],
    "spatial": [((2, 3), 4), ((3, 2), 3), ((1, 2, 2), 5), ((2, 1), 9), ((2, 2, 1, 3), 3)],
    "block edge": [
        *(((3,), c) for c in (8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65)),
        *(((2,), c) for c in (127, 128, 129, 255, 256, 257, 258, 511, 513)),
    ],
    "many rows": [((17,), 3), ((18,), 4), ((33,), 2), ((31,), 5), ((65,), 3), ((129,), 2)],
    "many classes": [((2,), 1023), ((2,), 1025), ((1,), 2047), ((1,), 2050), ((1,), 4097)],
}
#: Many rows of many classes, which kernels divide among blocks in both directions. Most are as small as that allows.
MATRICES: list[AnyShape] = [
    Sizes((17, 130), (17, 130), most=2**13),
    Sizes((12, 400), (192, 1000), most=2**16),
    Sizes((9, 30), (1025, 4000), most=2**15),
    *(Sizes((513, 1500), (17, 64), axes=axes, most=2**15) for axes in (1, 1, 1, 2, 3)),
    *(Sizes((513, 800), (65, 130), axes=axes, most=2**16) for axes in (1, 1, 1, 2)),
    *(Sizes((65, 120), (1025, 1300), axes=axes, most=2**17) for axes in (1, 1, 3)),
    Sizes((9, 12), (8193, 9000), most=2**17),
]
#: The same, and sizes between powers of two; few problems have very many classes or rows.
ANY_SIZE: dict[str, list[AnyShape]] = {
    "small": [*SHAPES["small"]],
    "unbatched": [*SHAPES["unbatched"], Sizes((34, 16384), axes=0)],
    "spatial": [*SHAPES["spatial"], *(Sizes((1, 130), (1, 130), axes=axes) for axes in (2, 3))],
    "block edge": [*SHAPES["block edge"], *[Sizes((66, 510), (2, 9))] * 8],
    "many rows": [*SHAPES["many rows"], *[Sizes((2, 8), (17, 254))] * 4],
    "many classes": [
        *SHAPES["many classes"],
        *[Sizes((514, 4096), (1, 3))] * 3,
        *[Sizes((4098, 24000), (1, 6), most=2**15)] * 2,
        *(Sizes((4098, 12000), (4, 9), axes=axes) for axes in (2, 3)),
        Sizes((2, 6), (130, 16384)),
    ],
}

#: Logits that are drawn element by element: ties, which normally distributed numbers never have.
ELEMENTS = (0.0, 1.0, -1.0, 2.0, 0.5, -4.0, 8.0, 30.0, -100.0)

MENU: dict[str, dict[str, list[Any]]] = {
    "shape": {k: list(v) for k, v in SHAPES.items()},
    "regime": {
        "mixed": [MIXED],
        "peaked": ["dominated", "large gap", "wide", "very wide"],
        "flat": ["equal", "two values", "near ties", "narrow", "subnormal"],
        "ordered": ["ascending", "descending", "grid", "normal"],
        "extreme": ["very negative", "offset", "enormous", "huge"],
        "masked": ["masked", "masked span"],
    },
    "target": {
        "random": ["random"],
        "extreme class": ["argmax", "argmin", "first", "last"],
        "probabilities": ["dense probabilities", "peaked probabilities"],
        "special probabilities": ["one-hot probabilities", "unnormalised probabilities"],
    },
    "weight": {
        "none": ["none"],
        "positive": ["random", "powers of two", "constant"],
        "with zero": ["some zero", "one zero"],
        "degenerate": ["negative", "all zero"],
    },
    "ignore": {
        "none": ["none"],
        "default": ["default"],
        "passed": ["outside", "tail", "first"],
        # "a target" twice, because such rows would otherwise rarely coincide with a weight of zero and smoothing.
        "class": ["a target", "a target", "in range"],
        "all": ["all"],
    },
    "reduction": {r: [r] for r in REDUCTIONS},
    "label_smoothing": {"off": [0.0], "on": [0.1, 0.5, 0.25, 0.9], "full": [1.0]},
    "cotangent": {"plain": ["ones"], "varied": ["random", "zero first"], "same": ["same"]},
    "layout": {"contiguous": ["contiguous"], "view": list(LAYOUTS[1:])},
}

#: Further levels for streams whose requirements judge the problem as it is drawn. Relations between several calls
#: replace its layout or cotangent.
MORE: dict[str, dict[str, list[Any]]] = {
    "layout": {"contiguous": ["contiguous"], "view": [*LAYOUTS[1:], REPEATED]},
    "target_layout": {"contiguous": ["contiguous"], "view": [*LAYOUTS[1:], REPEATED]},
    "cotangent": {
        **MENU["cotangent"],
        "of any size": [
            *("large", "largest", "small"),
            *("zero first, small", "zero first, large", "equal, small", "same, large"),
        ],
        "mixed": ["mixed", "zero first, mixed", "strided, mixed", "same along one axis, mixed"],
        "view": [
            *("strided", "reversed", "same along one axis", "equal"),
            *("strided, large", "reversed, small", "same, small"),
        ],
    },
    # Bytes are in few streams: a library that takes them in some calls only would fail all requirements.
    "labels": {"64 bits": ["int64"], "fewer": [f"int32{OR_WIDE}", f"int16{OR_WIDE}"]},
}
#: Dtypes of class weights and probability targets; where it is that of the logits, another one is taken.
OTHER_DTYPES: dict[str, list[Any]] = {name: [name] for name in FLOATING}
#: Cotangents of any size and layout whose second derivatives neither overflow nor underflow.
ROOMY: dict[str, list[Any]] = {
    "of any size": [
        *("large", "less"),
        *("zero first, less", "zero first, large", "equal, less", "same, large"),
    ],
    "mixed": ["uneven", "zero first, uneven", "strided, uneven", "same along one axis, uneven"],
    "view": [
        *("strided", "reversed", "same along one axis", "equal"),
        *("strided, large", "reversed, less", "same, less"),
    ],
}

assert {name for level in MENU["regime"].values() for name in level} <= {*REGIMES, MIXED}
