"""Judging: from what a backend returned and what it should have been to a finding.

The ratio of a finding is observed error over bound; above 1 it is a failure. It is infinite where a value is not
finite and should be, is finite and should not be, or where no number describes what went wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import Format
from xent_conformance.oracle import Exact
from xent_conformance.problem import F64Array

#: A comparison says something only where its bound is at most this share of the effect it is about.
TELLING = 1 / 8


@dataclass(frozen=True)
class Finding:
    """What one comparison of a requirement on one problem found.

    ``index`` is the place of the worst element, ``call`` the backend's method that returned it. ``exercised`` is False
    where the comparison could not have failed; ``ulp`` is the error in units in the last place. ``variation`` and
    ``inputs`` are what the call took beside the problem's own arrays and options. ``fate`` says how the call's process
    ended, None where it is still there. ``declined`` is the reason where the backend chooses not to give what would be
    compared, and may.
    """

    quantity: str
    ratio: float
    message: str = ""
    call: str = "cross_entropy"
    index: tuple[int, ...] | None = None
    expected: float | str | None = None
    got: float | str | None = None
    bound: float | None = None
    ulp: float = 0.0
    exercised: bool = True
    variation: tuple[tuple[str, Any], ...] = ()
    inputs: Mapping[str, npt.NDArray[Any] | None] = field(default_factory=dict)
    fate: str | None = None
    declined: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the error exceeds the bound."""
        return not self.ratio <= 1.0

    @property
    def kind(self) -> tuple[str, str | None, bool, bool]:
        """What findings of the same failure have in common, however large the problem."""
        return self.quantity, self.fate, _finite(self.expected), _finite(self.got)


def _finite(value: float | str | None) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def broken(quantity: str, message: str, *, call: str = "cross_entropy", **details: Any) -> Finding:
    """A failure that no error measures."""
    return Finding(quantity, math.inf, message, call, **details)


def declined(quantity: str, reason: str, *, call: str = "cross_entropy") -> Finding:
    """Nothing to compare, by the backend's own choice; the reason follows its name."""
    return Finding(quantity, 0.0, call=call, exercised=False, declined=reason)


def held(quantity: str, *, call: str = "cross_entropy") -> Finding:
    """A statement without a number that held."""
    return Finding(quantity, 0.0, call=call)


def compare(
    quantity: str,
    observed: npt.NDArray[Any],
    exact: Exact,
    bound: npt.ArrayLike,
    fmt: Format,
    *,
    overflows: npt.ArrayLike = False,
    undefined: npt.ArrayLike = False,
    effect: npt.ArrayLike | None = None,
    call: str = "cross_entropy",
) -> Finding:
    """Compare element by element; all arrays broadcast to the shape of ``exact.value``.

    nan is expected where the exact answer is nan, infinity where it is infinite; infinity of the right sign is also
    accepted where |exact| + bound passes the largest finite number, or where ``overflows``; so is nan where
    ``undefined``. An infinite bound excuses every value. ``effect`` is the size of what the comparison is about (by
    default the answer itself, or 1).
    """
    if not exact.value.size:
        return Finding(quantity, 0.0, call=call, exercised=False)
    got = np.asarray(observed, dtype=np.float64)
    tolerance = np.asarray(bound, dtype=np.float64)
    if tolerance.shape != exact.value.shape:
        tolerance = np.broadcast_to(tolerance, exact.value.shape)
    with np.errstate(all="ignore"):
        size = np.abs(exact.value)
        error = np.abs(exact.minus(got))
        if np.isfinite(error).all() and np.isfinite(tolerance).all():
            ratios = np.where(error == 0, 0.0, error / tolerance)
        else:
            ratios = _ratios(got, exact, tolerance, fmt, np.asarray(overflows, dtype=bool))
            ratios = np.where(np.isnan(got) & np.asarray(undefined, dtype=bool), 0.0, ratios)
        effects = np.maximum(size, 1.0) if effect is None else np.asarray(effect)
        telling = bool(np.any((tolerance <= TELLING * effects) | ~np.isfinite(size)))
        ulp = _ulp(error, size, fmt)
    place = int(np.argmax(ratios))
    index = tuple(int(i) for i in np.unravel_index(place, exact.value.shape))
    return Finding(
        quantity,
        float(ratios.reshape(-1)[place]),
        call=call,
        index=index,
        expected=float(exact.value[index]),
        got=float(got[index]),
        bound=float(tolerance[index]),
        ulp=ulp,
        exercised=telling,
    )


def _ratios(
    got: F64Array, exact: Exact, tolerance: F64Array, fmt: Format, overflows: npt.NDArray[np.bool_]
) -> F64Array:
    """Ratios where something is infinite or nan."""
    want = exact.value
    finite_want, finite_got = np.isfinite(want), np.isfinite(got)
    both = finite_want & finite_got
    judged = ~np.isinf(tolerance) & ~np.isnan(tolerance)
    error = np.abs(np.where(both, exact.minus(np.where(both, got, 0.0)), 0.0))
    ratio = np.where(error == 0, 0.0, error / np.where(judged, tolerance, 1.0))
    may_overflow = overflows | (np.abs(want) + tolerance >= fmt.max_finite)
    right_sign = (np.sign(got) == np.sign(want)) | (want == 0)
    excused = finite_want & np.isinf(got) & may_overflow & right_sign
    wrong = (finite_want & ~finite_got & ~excused) | (np.isinf(want) & (got != want))
    wrong |= np.isnan(want) & ~np.isnan(got)
    result: F64Array = np.where(wrong, np.inf, ratio)
    return np.where(judged, result, 0.0)


def _ulp(error: F64Array, size: F64Array, fmt: Format) -> float:
    """Largest error in units in the last place of the exact values, which have these sizes."""
    # frexp has its fraction in [1/2, 1): size is 2**(exponent - 1) and more.
    exponent = np.frexp(np.maximum(size, fmt.smallest_normal))[1]
    ulps = np.asarray(np.ldexp(error / (2 * fmt.unit_roundoff), 1 - exponent))
    largest = float(ulps.max())
    return largest if math.isfinite(largest) else float(np.where(np.isfinite(ulps), ulps, 0.0).max())
