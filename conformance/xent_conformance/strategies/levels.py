"""Levels of factors that several streams have, in place of those of the menu."""

from __future__ import annotations

from typing import Any

from xent_conformance.strategies.menu import ANY_SIZE, MENU, SHAPES

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
