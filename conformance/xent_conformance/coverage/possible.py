"""Which levels the calls of a backend can have, and which combinations of levels are impossible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from xent_conformance.coverage.factors import FACTORS, LABELS, LAYOUTS, OPERANDS, WITHOUT, Level, relative
from xent_conformance.formats import FLOATING
from xent_conformance.interface import Capabilities
from xent_conformance.strategies.aspects import CLASSES, ROWS

#: Most logits of a problem in profiles other than that for large sizes: rows times classes.
MOST = 2**17

SOFT = FACTORS["target"][1:]
SOME = ("default", "outside", "class")
#: Calls of a single row.
ALONE = (("rows", "1"), ("rank", "unbatched"))
MANY = tuple(CLASSES)[4:]
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")

Levels = tuple[str, Sequence[str]]
Flags = npt.NDArray[np.bool_]


def _not_beside(dtype: str, claimed: Sequence[str] | None) -> set[str]:
    """The levels an operand cannot have beside logits of a dtype; ``claimed``: its other dtypes, None: no operand."""
    return set(OPERANDS).difference(() if claimed is None else (relative(other, dtype) for other in (dtype, *claimed)))


#: Pairs of levels of two factors that no call has.
EXCLUDED: tuple[tuple[str, Sequence[str], str, Sequence[str]], ...] = (
    *(
        (of_shares, levels, factor, FACTORS[factor])
        for of_shares, levels in (("target", SOFT), ("probability dtype", OPERANDS))
        for factor in ("label position", "label dtype", "ignored")
    ),
    ("probability dtype", OPERANDS, "target", ("labels",)),
    ("weight", ("none",), "weight dtype", OPERANDS),
    # There is nothing narrower than logits of 16 bits.
    ("weight dtype", ("narrower",), "probability dtype", ("other half",)),
    ("weight dtype", ("other half",), "probability dtype", ("narrower",)),
    *(
        ("dtype", (dtype,), factor, [*_not_beside(dtype, FLOATING)])
        for dtype in FLOATING
        for factor in ("weight dtype", "probability dtype")
    ),
    ("form", ("fused linear",), "target", SOFT),
    ("form", ("fused linear",), "rank", ("unbatched", "one more axis", "more axes")),
    # A vector of labels has one axis.
    ("form", ("fused linear",), "target layout", ("permuted",)),
    # A single row is ignored or not, and its label and its cotangent are one number each.
    *((one, (level,), "ignored", SOME) for one, level in ALONE),
    *(
        (one, (level,), factor, several)
        for one, level in (*ALONE, ("reduction", "sum"), ("reduction", "mean"))
        for factor, several in (("cotangent", ("repeated", "varied", "strided")), ("cotangent size", ("mixed",)))
    ),
    # One axis has no order.
    *((one, (level,), layout, ("permuted",)) for one, level in ALONE for layout in ("logits layout", "target layout")),
    ("rank", ("unbatched",), "rows", tuple(ROWS)[1:]),
    ("cotangent size", ("mixed",), "cotangent", ("ones", "one number")),
    ("cotangent size", ("tiny", "large"), "cotangent", ("ones",)),
    ("classes", ("1",), "logits", ("tied", "wide", "beyond exp", "masked", "narrow")),
    ("classes", ("1",), "target", ("distribution",)),
    ("classes", ("1",), "weight", ("some zero",)),
    ("classes", ("1",), "label position", ("last",)),
    # Whoever ignores the only class ignores every row.
    ("classes", ("1",), "ignored", ("class",)),
    ("label dtype", ("int8",), "label position", ("128-4095", "4096-")),
    ("label dtype", ("uint8",), "label position", ("4096-",)),
    ("label dtype", UNSIGNED, "ignored", ("default",)),
    ("ignored", ("all",), "label position", FACTORS["label position"]),
    ("ignored", ("all",), "logits", FACTORS["logits"]),
)
VIEWS = LAYOUTS[1:]
UNEQUAL = tuple(level for level in FACTORS["logits"] if level not in ("tied", "far from zero"))
_SIZES = ("cotangent size", FACTORS["cotangent size"])
_OF_LABELS: tuple[Levels, ...] = (
    ("target", ("labels",)),
    *((factor, FACTORS[factor]) for factor in ("label dtype", "label position", "ignored")),
)
#: Triples of levels that no call has, although each pair of them is possible.
EXCLUDED_TRIPLES: tuple[tuple[Levels, Levels, Levels], ...] = (
    # What is repeated in a lone row are its classes.
    *(((one, (level,)), ("logits layout", ("repeated",)), ("logits", UNEQUAL)) for one, level in ALONE),
    *(((one, (level,)), ("target layout", ("repeated",)), ("target", ("one-hot",))) for one, level in ALONE),
    # Single numbers are contiguous, and vectors cannot be permuted.
    (("rows", ("1",)), ("classes", ("1",)), ("logits layout", VIEWS)),
    (("rows", ("1",)), ("classes", ("1",)), ("target layout", VIEWS)),
    *((("rows", ("1",)), of, ("target layout", VIEWS)) for of in _OF_LABELS),
    *((("rank", ("unbatched",)), of, ("target layout", VIEWS)) for of in _OF_LABELS),
    *((("rank", ("flat",)), of, ("target layout", ("permuted",))) for of in _OF_LABELS),
    # Repeated labels are equal: all of them are ignored, or none.
    (("rank", ("flat",)), ("target layout", ("repeated",)), ("ignored", SOME)),
    (("form", ("fused linear",)), ("target layout", ("repeated",)), ("ignored", SOME)),
    # One class, or one row, and one other axis.
    *((("rank", ("flat",)), ("classes", ("1",)), (f, ("permuted",))) for f in ("logits layout", "target layout")),
    # Cotangents that differ have an axis along which they are not repeated.
    (("rank", ("flat",)), ("cotangent", ("repeated",)), ("cotangent size", ("mixed",))),
    (("form", ("fused linear",)), ("cotangent", ("repeated",)), ("cotangent size", ("mixed",))),
    # Beyond the last class there is no number in a byte, nor does it reach the last class.
    (("label dtype", ("uint8",)), ("ignored", ("outside",)), ("classes", MANY)),
    (("label dtype", ("int8", "uint8")), ("label position", ("last",)), ("classes", MANY)),
    # The size of a cotangent is that of its elements other than zero, and here its only element is zero.
    (("rows", ("1",)), ("cotangent", ("some zero",)), _SIZES),
    (("reduction", ("sum", "mean")), ("cotangent", ("some zero",)), _SIZES),
)


def possible_levels(
    claims: Capabilities, forms: tuple[str, ...], dtypes: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """The levels that calls of a backend can have, by factor.

    Args:
        claims: What the backend claims to support.
        forms: The forms of call that it has.
        dtypes: The dtypes of logits to count.
    """
    left_out = {
        "form": {form for form in FACTORS["form"] if form not in _named(forms)},
        "dtype": set(FACTORS["dtype"]) - set(dtypes),
        "reduction": set(FACTORS["reduction"]) - set(claims.reductions),
        "label dtype": set(FACTORS["label dtype"]) - set(claims.target_dtypes),
        "target": _soft_unclaimed(claims),
        "weight": _weights_unclaimed(claims),
        **{
            factor: set(OPERANDS).intersection(*(_not_beside(dtype, claimed) for dtype in dtypes))
            for factor, claimed in _operands(claims).items()
        },
        "smoothing": _smoothing_unclaimed(claims),
        "rank": ({"unbatched"} if not claims.unbatched else set())
        | ({"one more axis", "more axes"} if not claims.spatial else set()),
        "logits": {"masked"} if claims.finite_logits_only else set(),
        "ignored": _sentinels_unclaimed(claims),
        "rows": {name for name, least in ROWS.items() if least > (claims.max_rows or least)},
        "classes": {
            name
            for (name, least), more in zip(CLASSES.items(), [*list(CLASSES.values())[1:], None], strict=True)
            if least > (claims.max_classes or least) or (more is not None and more <= claims.min_classes)
        },
    }
    return {f: tuple(level for level in levels if level not in left_out.get(f, ())) for f, levels in FACTORS.items()}


def unclaimed_pairs(claims: Capabilities, dtypes: Sequence[str]) -> list[tuple[Level, Level]]:
    """Pairs of a dtype of logits and one of operands that a backend does not claim."""
    return [
        (("dtype", dtype), (factor, level))
        for factor, claimed in _operands(claims).items()
        for dtype in dtypes
        for level in _not_beside(dtype, claimed)
    ]


def _operands(claims: Capabilities) -> dict[str, tuple[str, ...] | None]:
    """The dtypes of operands that are claimed beside that of the logits, by factor; None without such an operand."""
    return {
        "weight dtype": claims.weight_dtypes if claims.weight else None,
        "probability dtype": claims.probability_dtypes if claims.probability_targets else None,
    }


def _named(forms: tuple[str, ...]) -> set[str]:
    """The levels of "form" for the forms of a backend: "loss" for cross-entropy of logits, "primitives" for any one of
    them.
    """
    plain = {"loss"} if "cross-entropy" in forms else set()
    return {*forms, *plain, *({"primitives"} if {"softmax", "log_softmax", "nll_loss"}.intersection(forms) else ())}


def _weights_unclaimed(claims: Capabilities) -> set[str]:
    if not claims.weight:
        return set(FACTORS["weight"]) - {"none"}
    return set() if claims.negative_weights else {"negative"}


def _smoothing_unclaimed(claims: Capabilities) -> set[str]:
    if not claims.label_smoothing:
        return {"on", "full"}
    return set() if claims.max_label_smoothing == 1 else {"full"}


def _soft_unclaimed(claims: Capabilities) -> set[str]:
    if not claims.probability_targets:
        return set(SOFT)
    return set() if claims.conventions.unnormalised_targets == "accepted" else {"not normalised"}


def _sentinels_unclaimed(claims: Capabilities) -> set[str]:
    default = claims.default_ignore_index is not None
    if claims.ignore_index:
        return set() if default else {"default"}
    return {"outside", "class"} if default else {"default", "outside", "class", "all"}


def possible_pairs(listed: Sequence[Level], unclaimed: Sequence[tuple[Level, Level]] = ()) -> Flags:
    """A matrix of which two of the listed levels a call can have; False for two levels of one factor, and unclaimed
    pairs.
    """
    place = {level: number for number, level in enumerate(listed)}
    factor = np.array([list(FACTORS).index(name) for name, _ in listed])
    possible = factor[:, None] != factor[None, :]
    for one, other in (*_excluded(), *unclaimed):
        if one in place and other in place:
            possible[place[one], place[other]] = possible[place[other], place[one]] = False
    return np.asarray(possible)


def possible_triples(listed: Sequence[Level], pairs: Flags) -> Flags:
    """A cube of which three of the listed levels a call can have; each triple counts once, with ascending indices."""
    place = {level: number for number, level in enumerate(listed)}
    after = np.triu(np.ones(pairs.shape, dtype=bool), 1)
    possible = (pairs & after)[:, :, None] & (pairs & after)[None, :, :] & pairs[:, None, :]
    for triple in EXCLUDED_TRIPLES:
        for levels in product(*([(factor, level) for level in some] for factor, some in triple)):
            if all(level in place for level in levels):
                possible[tuple(sorted(place[level] for level in levels))] = False
    return np.asarray(possible)


def _excluded() -> Iterator[tuple[Level, Level]]:
    for first, some, second, others in EXCLUDED:
        yield from (((first, a), (second, b)) for a in some for b in others)
    for form, factors in WITHOUT.items():
        yield from ((("form", form), (factor, level)) for factor in factors for level in FACTORS[factor])
    for rows, fewest in ROWS.items():
        yield from ((("rows", rows), ("classes", c)) for c, least in CLASSES.items() if fewest * least > MOST)
    # A label needs as many classes.
    yield from (
        (("rows", rows), ("label position", label))
        for (rows, fewest), (label, least) in product(ROWS.items(), LABELS.items())
        if fewest * (least + 2) > MOST
    )
    for (classes, _), high in zip(CLASSES.items(), [*list(CLASSES.values())[1:], None], strict=True):
        # A label of the last class has the level "last", not that of its band.
        yield from (
            (("classes", classes), ("label position", label))
            for label, first in LABELS.items()
            if high is not None and first and first >= high - 2
        )
