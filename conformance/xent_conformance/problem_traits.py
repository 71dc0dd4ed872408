"""Properties of a problem, by the names that a deviation's ``where`` may use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import FLOATING, INTEGER, format_of, is_floating, name_of
from xent_conformance.problem import REDUCTIONS, AnyArray, F64Array, Problem, ignored_rows

#: The largest finite float16: above this, a count overflows in that dtype.
MANY = 65504


@dataclass(frozen=True)
class _Seen:
    """A problem, and what several traits look at."""

    problem: Problem

    @cached_property
    def ignored(self) -> npt.NDArray[np.bool_]:
        """Ignored rows, (rows,)."""
        return ignored_rows(self.problem)

    @cached_property
    def logits(self) -> F64Array:
        """Logits, (rows, C); (rows, 0) where they are not floating-point numbers."""
        return self.problem.logits_by_row() if self.is_floating else np.zeros((self.problem.rows, 0))

    @cached_property
    def weight(self) -> F64Array:
        """Class weights, (C,); a single 1 without any."""
        return self.problem.class_weights() if self.problem.weight is not None else np.ones(1)

    @property
    def is_floating(self) -> bool:
        """Whether the logits are floating-point numbers."""
        return is_floating(self.problem.logits.dtype)


def _overlaps(array: AnyArray) -> bool:
    """Whether some elements of an array share memory."""
    reach = array.itemsize - 1
    for step, length in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if step <= reach:
            return True
        reach += (length - 1) * step
    return False


def _has_vanishing_shares(seen: _Seen) -> bool:
    """Whether the softmax of a finite logit, relative to its row's largest, is less than four times the smallest normal
    number: implementations begin to lose shares somewhat above that number.
    """
    if not seen.is_floating:
        return False
    rows = seen.logits[~seen.ignored]
    finite = np.isfinite(rows)
    largest = np.where(finite, rows, -np.inf).max(axis=1, initial=-np.inf)
    smallest = np.where(finite, rows, np.inf).min(axis=1, initial=np.inf)
    with np.errstate(over="ignore"):
        gap = float((largest - smallest).max(initial=-np.inf))
    return gap > -math.log(4 * format_of(seen.problem.logits).smallest_normal)


def _has_large_cotangent(seen: _Seen) -> bool:
    """Whether a cotangent, added once for each class, overflows the format of the logits."""
    if not seen.is_floating or seen.problem.cotangent is None:
        return False
    cotangent = np.abs(seen.problem.cotangent.astype(np.float64))
    largest = float(cotangent.max(initial=0, where=np.isfinite(cotangent)))
    return largest > format_of(seen.problem.logits).max_finite / max(seen.problem.classes, 1)


def _has_extra(name: str) -> Callable[[_Seen], bool]:
    return lambda seen: name in seen.problem.extras


def _has_labels(dtype: str) -> Callable[[_Seen], bool]:
    return lambda seen: name_of(seen.problem.target.dtype) == dtype


def _is_mixed(claim: str, dtype: str) -> Callable[[_Seen], bool]:
    return lambda seen: seen.problem.mixed_dtypes().get(claim) == dtype


def _is_reduced_by(reduction: str) -> Callable[[_Seen], bool]:
    return lambda seen: seen.problem.reduction == reduction


#: Every trait, and whether a problem has it.
TRAITS: Mapping[str, Callable[[_Seen], bool | np.bool_]] = {
    "probability-targets": lambda seen: seen.problem.has_probabilities,
    "smoothing": lambda seen: bool(seen.problem.label_smoothing),
    "full-smoothing": lambda seen: seen.problem.label_smoothing == 1.0,
    "smoothing-below-zero": lambda seen: seen.problem.label_smoothing < 0,
    "smoothing-nan": lambda seen: math.isnan(seen.problem.label_smoothing),
    "weight": lambda seen: seen.problem.weight is not None,
    "zero-weight": lambda seen: (seen.weight == 0).any(),
    "negative-weight": lambda seen: (seen.weight < 0).any(),
    "ignored-rows": lambda seen: seen.ignored.any(),
    "every-row-ignored": lambda seen: seen.ignored.size > 0 and seen.ignored.all(),
    "not-finite-in-ignored-row": lambda seen: (~np.isfinite(seen.logits[seen.ignored])).any(),
    "masked-logits": lambda seen: np.isneginf(seen.logits[~seen.ignored]).any(),
    "shared-logits": lambda seen: _overlaps(seen.problem.logits),
    "strided-logits": lambda seen: (
        seen.problem.logits.shape[-1:] > (1,) and seen.problem.logits.strides[-1] != seen.problem.logits.itemsize
    ),
    "large-logits": lambda seen: (np.abs(seen.logits[np.isfinite(seen.logits)]) > 1e4).any(),  # noqa: PLR2004
    "vanishing-shares": _has_vanishing_shares,
    "large-cotangent": _has_large_cotangent,
    **{f"labels-{dtype}": _has_labels(dtype) for dtype in INTEGER},
    **{
        f"{kind}-{dtype}": _is_mixed(f"{kind}_dtypes", dtype)
        for kind in ("weight", "probability")
        for dtype in FLOATING
    },
    "unbatched": lambda seen: seen.problem.logits.ndim == 1,
    "spatial": lambda seen: seen.problem.logits.ndim > 2,  # noqa: PLR2004
    "one-class": lambda seen: seen.problem.classes == 1,
    "many-classes": lambda seen: seen.problem.classes > MANY,
    "many-rows": lambda seen: seen.problem.rows > MANY,
    "empty-batch": lambda seen: seen.problem.rows == 0,
    "divisor": _has_extra("divisor"),
    "z-loss": _has_extra("lse_square_scale"),
    "logit-scale": _has_extra("logit_scale"),
    "softcap": _has_extra("softcap"),
    **{f"reduction-{reduction}": _is_reduced_by(reduction) for reduction in REDUCTIONS},
}


def has_all(problem: Problem, names: Iterable[str]) -> bool:
    """Whether a problem has all traits with these names; the others are not looked at."""
    seen = _Seen(problem)
    return all(TRAITS[name](seen) for name in names)


def traits(problem: Problem) -> set[str]:
    """The traits of a problem."""
    seen = _Seen(problem)
    return {name for name, holds in TRAITS.items() if holds(seen)}
