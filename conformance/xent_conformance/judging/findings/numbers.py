"""Wrong numbers: compared with the exact answer, with another result of the backend, or with a convention.

The ratio of a comparison is the observed error divided by the bound; above 1 it is a failure. It is infinite where a
value is not finite and should be, or is finite and should not be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import Invocation
from xent_conformance.formats import Format
from xent_conformance.judging.findings.base import Finding, ScriptCall, told_apart
from xent_conformance.oracle import Exact
from xent_conformance.problem import F64Array

#: A comparison is conclusive only where its bound is at most this share of the effect it is about.
TELLING = 1 / 8
#: The bits of the exponent in a float64.
EXPONENT = np.int64(0x7FF0_0000_0000_0000)
#: Where a value is accepted although it is not within its bound, or a function that gives it.
Excuse: TypeAlias = "npt.ArrayLike | Callable[[], npt.ArrayLike]"


def literal(value: float) -> str:
    """A number as a Python expression."""
    if math.isfinite(value):
        return repr(value)
    return "np.nan" if math.isnan(value) else ("np.inf" if value > 0 else "-np.inf")


@dataclass(frozen=True, kw_only=True)
class Compared(Finding):
    """The element of a result that is farthest from the exact answer, as a multiple of its bound.

    ``result`` is the result of the call that it is an element of; ``reading`` is an expression in ``{}``, the result by
    row, that was compared. ``note`` says how the call is related to the problem being judged.
    """

    kind: ClassVar[str] = "wrong-value"
    result: str = ""
    index: tuple[int, ...] | None = None
    expected: float = 0.0
    got: float = 0.0
    bound: float = 0.0
    reading: str = "{}"
    note: str = ""

    @property
    def message(self) -> str:
        """Which element, what it is, and what it should be."""
        got, expected = told_apart(self.got, self.expected)
        text = f"{self.quantity}{_place(self.index)} is {got}, expected {expected}"
        if math.isfinite(self.bound) and math.isfinite(self.expected):
            text += f" within {self.bound:.3g}"
        return f"{text} ({self.note})" if self.note else text

    @property
    def signature(self) -> tuple[str, ...]:
        """Wrong finite numbers and values that are not finite are different faults."""
        return self.kind, "finite" if math.isfinite(self.got) else "not finite"

    @property
    def hides_nan(self) -> bool:
        """Whether the exact answer is nan and the result is not."""
        return math.isnan(self.expected) and not math.isnan(self.got)

    @property
    def likeness(self) -> tuple[object, ...]:
        """The result, and whether the expected and the observed value are finite."""
        return *super().likeness, math.isfinite(self.expected)

    def details(self) -> dict[str, Any]:
        """The element."""
        return {"index": self.index, "expected": self.expected, "got": self.got, "bound": self.bound}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The element beside the exact value."""
        rows = self.reading.format(calls[0].rows(self.result))
        lines = [calls[0].assignment, f"got = float({rows}{_place(self.index)})"]
        return [*lines, *beside(self.quantity + _place(self.index), literal(self.expected), self.bound)]


def beside(name: str, expected: str, bound: float) -> list[str]:
    """Lines that print ``got`` and an expected value, and set ``wrong``."""
    return [
        f"expected, bound = {expected}, {literal(bound)}",
        f"print(f'{name}: got {{got!r}}, expected {{expected!r}} within {{bound:.3g}}')",
        "same = got == expected or (got != got and expected != expected)",
        "wrong = not (same or (np.isfinite(expected) and abs(got - expected) <= bound))",
    ]


def compare(
    quantity: str,
    observed: npt.NDArray[Any],
    exact: Exact,
    bound: npt.ArrayLike,
    fmt: Format,
    *,
    overflows: Excuse = False,
    undefined: Excuse = False,
    effect: npt.ArrayLike | None = None,
    call: Invocation | None = None,
    result: str | None = None,
    reading: str = "{}",
) -> Compared:
    """Compare element by element; all arrays broadcast to the shape of ``exact.value``.

    nan is expected where the exact answer is nan, infinity where it is infinite. Infinity of the right sign is also
    accepted where |exact| + bound exceeds the largest finite number.

    Args:
        quantity: Name of what is compared, for messages.
        observed: The result of the backend.
        exact: The exact answer.
        bound: Largest admissible error; an infinite bound admits every value.
        fmt: Format of the logits.
        overflows: Where infinity of the right sign is also accepted, or a function that gives it.
        undefined: Where nan is also accepted, or a function that gives it.
        effect: Size of the effect that the comparison is about, by default the answer itself, but at least 1.
        call: The call that gave the result.
        result: Name of the compared result of ``call``, by default the quantity, or else the only one.
        reading: See :class:`Compared`.
    """
    calls = () if call is None else (call,)
    if result is None:
        result = quantity if call is None or quantity in call.results else call.results[0]
    if not exact.value.size:
        return Compared(quantity=quantity, calls=calls, result=result, ratio=0.0, exercised=False)
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
            overflows, undefined = (excuse() if callable(excuse) else excuse for excuse in (overflows, undefined))
            ratios = _ratios(got, exact, tolerance, fmt, np.asarray(overflows, dtype=bool))
            ratios = np.where(np.isnan(got) & np.asarray(undefined, dtype=bool), 0.0, ratios)
        effects = np.maximum(size, 1.0) if effect is None else np.asarray(effect)
        telling = bool(np.any((tolerance <= TELLING * effects) | ~np.isfinite(size)))
        ulp = _ulp(error, size, fmt)
    place = int(np.argmax(ratios))
    index = tuple(int(i) for i in np.unravel_index(place, exact.value.shape))
    return Compared(
        quantity=quantity,
        calls=calls,
        result=result,
        ratio=float(ratios.reshape(-1)[place]),
        index=index,
        expected=float(exact.value[index]),
        got=float(got[index]),
        bound=float(tolerance[index]),
        ulp=ulp,
        exercised=telling,
        reading=reading,
    )


def worst_of(found: Sequence[Compared]) -> Compared:
    """One comparison from those of parts of a result, in order: their worst element, and the largest error in ulps."""
    worst = found[int(np.argmax([each.ratio for each in found]))]
    return replace(worst, ulp=max(each.ulp for each in found), exercised=any(each.exercised for each in found))


def _ratios(
    got: F64Array, exact: Exact, tolerance: F64Array, fmt: Format, overflows: npt.NDArray[np.bool_]
) -> F64Array:
    """Ratios if some values or bounds are infinite or nan."""
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
    """Largest error in units in the last place of the exact values, whose magnitudes are ``size``."""
    # Without its fraction a float64 is a power of two; frexp and ldexp give the same in almost twice the time.
    power = (np.maximum(size, fmt.smallest_normal).view(np.int64) & EXPONENT).view(np.float64)
    ulps = error / (2 * fmt.unit_roundoff) / power
    largest = float(ulps.max())
    return largest if math.isfinite(largest) else float(np.where(np.isfinite(ulps), ulps, 0.0).max())


@dataclass(frozen=True, kw_only=True)
class Disagreement(Finding):
    """Two results of the backend that must agree and do not, though each may be within its bound of the exact answer.

    ``formulas`` are the two compared values as expressions in ``{0}``, ``{1}`` and so on: for each call the result by
    row that ``results`` names. ``otherwise`` says in the message how the second value was computed.
    """

    kind: ClassVar[str] = "calls-disagree"
    results: tuple[str, ...]
    formulas: tuple[str, str]
    index: tuple[int, ...] | None
    expected: float
    got: float
    bound: float
    otherwise: str

    @property
    def message(self) -> str:
        """Both values."""
        within = f"; they may differ by {self.bound:.3g}" if self.bound else ""
        got, expected = told_apart(self.got, self.expected)
        return f"{self.quantity}{_place(self.index)} is {got}, but {expected} {self.otherwise}{within}"

    def details(self) -> dict[str, Any]:
        """Both values."""
        return {"index": self.index, "expected": self.expected, "got": self.got, "bound": self.bound}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """All calls, and the two results."""
        rows = [call.rows(result) for call, result in zip(calls, self.results, strict=True)]
        got, expected = (f"float(({text.format(*rows)}){_place(self.index)})" for text in self.formulas)
        lines = [call.assignment for call in calls]
        return [*lines, f"got = {got}", *beside(self.quantity + _place(self.index), expected, self.bound)]


#: What a convention requires of a value, as a condition on ``got``.
CONVENTIONS = {
    "nan": "np.isnan(got).all()",
    "zero": "(got == 0).all()",
    "not finite": "(~np.isfinite(got)).any()",
    "zero or more": "(got >= 0).all()",
    "zero or less": "(got <= 0).all()",
    "inf": "(got == np.inf).all()",
    "nan or zero": "(np.isnan(got) | (got == 0)).all()",
    "nan, -inf or zero": "(np.isnan(got) | (got == -np.inf) | (got == 0)).all()",
}
Expected = Literal[
    "nan", "zero", "not finite", "zero or more", "zero or less", "inf", "nan or zero", "nan, -inf or zero"
]


@dataclass(frozen=True, kw_only=True)
class WrongConvention(Finding):
    """A value that is not what a convention requires: zero, nan, infinity, or a sign.

    ``index`` is that of a row or an element, () for all of them. ``because`` is the reason in the message, and
    ``convention`` the choice that a backend declares, such as "infinite_row=nan"; "" where there is no choice.
    """

    kind: ClassVar[str] = "wrong-value"
    index: tuple[int, ...] = ()
    expected: Expected
    got: str
    because: str
    convention: str = ""

    @property
    def message(self) -> str:
        """The value, what it should be, and why."""
        by = f" (by the convention {self.convention})" if self.convention else ""
        return f"{self.quantity}{_place(self.index)} is {self.got}, expected {self.expected}: {self.because}{by}"

    @property
    def hides_nan(self) -> bool:
        """Whether the convention requires nan, or allows it."""
        return self.expected.startswith("nan")

    @property
    def signature(self) -> tuple[str, ...]:
        """As for any wrong value: whether the observed value is finite."""
        return self.kind, "not finite" if self.expected == "zero" and ("nan" in self.got or "inf" in self.got) else (
            "finite"
        )

    def details(self) -> dict[str, Any]:
        """The value, as text."""
        return {"index": self.index or None, "expected": self.expected, "got": self.got}

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The value and the convention."""
        return [
            calls[0].assignment,
            f"got = np.asarray({calls[0].rows(self.quantity)}{_place(self.index)})",
            f"print('{self.quantity}{_place(self.index)}: got', got.tolist(), 'expected {self.expected}')",
            f"wrong = not {CONVENTIONS[self.expected]}",
        ]


@dataclass(frozen=True, kw_only=True)
class NumberAccepted(WrongConvention):
    """A number where the call should have been rejected, or have returned what a convention requires."""

    kind: ClassVar[str] = "accepted"

    @property
    def message(self) -> str:
        """The value, what it may be instead, and why."""
        place = f"{self.quantity}{_place(self.index)}"
        return f"{place} is {self.got}, expected an error or {self.expected}: {self.because}"

    def script(self, calls: Sequence[ScriptCall]) -> list[str]:
        """The value and the convention; an exception is right as well."""
        caught = ["except Exception as error:", "    print('raised', error)", "    wrong = False"]
        return ["try:", *(f"    {line}" for line in super().script(calls)), *caught]


def _place(index: Sequence[int] | None) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""
