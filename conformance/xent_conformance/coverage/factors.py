"""The factors of a call (such as "target") and the levels of each (such as "labels") that a problem has.

The terms are those of the design of experiments. Some factors are properties of a row, so a problem may have several of
their levels: the position of the label, the kind of logits, and the kind of target probabilities. A problem has no
level of a factor that its form of call has no argument for: a loss has no cotangent, a softmax no labels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import FLOATING, HALVES, INTEGER, name_of
from xent_conformance.problem import REDUCTIONS, AnyArray, F64Array, Problem
from xent_conformance.strategies.aspects import CLASSES, ROWS, band

#: Bands of label positions, each with its first number.
LABELS = {"first": 0, "1-127": 1, "128-4095": 128, "4096-": 4096}
LAYOUTS = ("contiguous", "gaps", "permuted", "reversed", "repeated")
#: Differences between the largest and the smallest logit of a row. Beyond RANGE, exp underflows in float32.
NARROW, WIDE, RANGE = 2.0**-6, 20.0, 88.0
#: The dtype of an operand beside that of the logits. Of float16 and bfloat16 neither has all numbers of the other.
OPERANDS = ("same", "narrower", "wider", "other half")

FACTORS: dict[str, tuple[str, ...]] = {
    "form": ("loss", "gradient", "layer", "second order", "primitives", "fused linear"),
    "dtype": FLOATING,
    "rows": tuple(ROWS),
    "classes": tuple(CLASSES),
    "rank": ("unbatched", "flat", "one more axis", "more axes"),
    "logits": ("mild", "tied", "wide", "beyond exp", "masked", "far from zero", "narrow"),
    "logits layout": LAYOUTS,
    "target": ("labels", "one-hot", "distribution", "not normalised"),
    "label position": (*LABELS, "last"),
    "label dtype": INTEGER,
    "target layout": LAYOUTS,
    "ignored": ("none", "default", "outside", "class", "all"),
    "weight": ("none", "positive", "some zero", "all zero", "negative"),
    "weight dtype": OPERANDS,
    "probability dtype": OPERANDS,
    "smoothing": ("off", "on", "full"),
    "reduction": REDUCTIONS,
    "cotangent": ("ones", "one number", "repeated", "varied", "some zero", "strided"),
    "cotangent size": ("tiny", "usual", "large", "mixed"),
}
#: The factors that each form of call does not have.
WITHOUT: dict[str, tuple[str, ...]] = {
    "loss": ("cotangent", "cotangent size"),
    "gradient": (),
    "layer": (),
    "second order": (),
    "primitives": (
        *("target", "label position", "label dtype", "target layout", "ignored", "weight", "weight dtype"),
        *("probability dtype", "smoothing", "reduction", "cotangent", "cotangent size"),
    ),
    # Its logits are products of small integers, computed by the backend and never stored.
    "fused linear": ("logits", "logits layout", "weight", "weight dtype", "probability dtype"),
}
#: Cotangents with elements below SMALL or above LARGE are unusual.
SMALL, LARGE = 2.0**-10, 2.0**4

Rows = npt.NDArray[np.bool_]
Level = tuple[str, str]


def levels_of(problem: Problem) -> tuple[set[Level], list[set[Level]]]:
    """The levels of a problem, before those are removed that a form of call does not have.

    Returns:
        The levels of the problem as a whole, and the distinct sets of levels of its rows. Ignored rows do not count.
    """
    whole = {
        ("dtype", problem.dtype),
        ("rows", band(problem.rows, ROWS)),
        ("classes", band(problem.classes, CLASSES)),
        ("rank", FACTORS["rank"][min(problem.logits.ndim - 1, 3)]),
        ("logits layout", layout_of(problem.logits)),
        ("target layout", layout_of(problem.target)),
        ("weight", _weights(problem)),
        ("smoothing", "off" if not problem.label_smoothing else "full" if problem.label_smoothing == 1 else "on"),
        ("reduction", problem.reduction),
    }
    if problem.weight is not None:
        whole.add(("weight dtype", relative(name_of(problem.weight.dtype), problem.dtype)))
    if problem.has_probabilities:
        whole.add(("probability dtype", relative(name_of(problem.target.dtype), problem.dtype)))
    else:
        whole |= {("target", "labels"), ("label dtype", problem.target.dtype.name), ("ignored", _ignored(problem))}
    if problem.cotangent is not None:
        whole |= _of_cotangent(problem.cotangent)
    return whole, _kinds_of_rows(problem)


def relative(operand: str, logits: str) -> str:
    """The dtype of an operand beside that of the logits, one of OPERANDS.

    >>> relative("float64", "float32"), relative("bfloat16", "float16")
    ('wider', 'other half')
    """
    if operand == logits:
        return "same"
    if {operand, logits} == {*HALVES}:
        return "other half"
    return "wider" if FLOATING.index(operand) > FLOATING.index(logits) else "narrower"


def layout_of(array: AnyArray) -> str:
    """The memory layout of an array, one of LAYOUTS."""
    steps = [s for s, n in zip(array.strides, array.shape, strict=True) if n > 1]
    if array.flags.c_contiguous:
        return "contiguous"
    if 0 in steps:
        return "repeated"
    if min(steps) < 0:
        return "reversed"
    return "gaps" if steps == sorted(steps, reverse=True) else "permuted"


def _kinds_of_rows(problem: Problem) -> list[set[Level]]:
    """The distinct sets of levels that rows have."""
    met = {("logits", name): rows for name, rows in _spreads(problem.logits_by_row()).items()}
    if problem.has_probabilities:
        met |= {("target", name): rows for name, rows in _shares(problem).items()}
    else:
        met |= {("label position", name): rows for name, rows in _positions(problem).items()}
    judged = ~problem.ignored()
    bits = sum((rows[judged].astype(np.int64) << place for place, rows in enumerate(met.values())), np.int64(0))
    listed = list(met)
    return [{level for place, level in enumerate(listed) if kind >> place & 1} for kind in np.unique(bits).tolist()]


def _spreads(x: F64Array) -> dict[str, Rows]:
    """For each level of "logits", a mask of the rows of ``x`` (rows, C) that have it; rows without finite logits have
    none.
    """
    finite = np.isfinite(x)
    top = np.where(finite, x, -np.inf).max(axis=1)
    bottom = np.where(finite, x, np.inf).min(axis=1)
    seen = finite.any(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = top - bottom
    kinds = {
        "mild": (spread <= WIDE) & (np.abs(top) <= WIDE) & ((spread >= NARROW) | (x.shape[1] == 1)),
        "tied": (x == top[:, None]).sum(axis=1) > 1,
        "wide": (spread > WIDE) & (spread <= RANGE),
        "beyond exp": spread > RANGE,
        "masked": np.isneginf(x).any(axis=1),
        "far from zero": (np.abs(top) > RANGE) & (np.abs(bottom) > RANGE),
        "narrow": (spread > 0) & (spread < NARROW),
    }
    return {name: rows & seen for name, rows in kinds.items()}


def _positions(problem: Problem) -> dict[str, Rows]:
    """For each level of "label position", a mask of the rows that have it."""
    labels, last = problem.labels(), problem.classes - 1
    starts = np.array(list(LABELS.values()))
    bands = np.searchsorted(starts, labels, side="right") - 1
    at_end = (labels == last) & (last > 0)
    return {name: (bands == place) & ~at_end for place, name in enumerate(LABELS)} | {"last": at_end}


def _shares(problem: Problem) -> dict[str, Rows]:
    """For each level of "target" other than "labels", a mask of the rows that have it."""
    q = problem.probabilities()
    total = q.sum(axis=1)
    whole = (np.abs(total - 1) <= problem.classes * problem.format.unit_roundoff) & (q >= 0).all(axis=1)
    hot = whole & (q == 1).any(axis=1)
    return {"one-hot": hot, "distribution": whole & ~hot, "not normalised": ~whole}


def _ignored(problem: Problem) -> str:
    ignored = problem.ignored()
    if not ignored.any():
        return "none"
    if ignored.all():
        return "all"
    if problem.ignore_index is None:
        return "default"
    return "class" if 0 <= problem.ignore_index < problem.classes else "outside"


def _weights(problem: Problem) -> str:
    if problem.weight is None:
        return "none"
    weight = problem.class_weights()
    if not weight.any():
        return "all zero"
    if (weight < 0).any():
        return "negative"
    return "positive" if weight.all() else "some zero"


def _of_cotangent(cotangent: AnyArray) -> set[Level]:
    values = np.abs(cotangent.astype(np.float64))
    used = values[values > 0]
    if not used.size:
        return {("cotangent", "some zero")}
    small, large = used.min() < SMALL, used.max() > LARGE
    size = "mixed" if small and large else "tiny" if small else "large" if large else "usual"
    return {("cotangent", _kind(cotangent)), ("cotangent size", size)}


def _kind(cotangent: AnyArray) -> str:
    layout = layout_of(cotangent)
    if layout != "contiguous":
        return "repeated" if layout == "repeated" else "strided"
    if (cotangent == 0).any():
        return "some zero"
    if (cotangent == cotangent.reshape(-1)[0]).all():
        return "ones" if (cotangent == 1).all() else "one number"
    return "varied"
