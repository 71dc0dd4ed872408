"""Comparing two results of one backend, each of which must be within its own bound of its exact value.

If they do not agree, usually at least one of them is also beyond its own bound of the exact answer. Then the finding is
about that call, and not about the comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.calls import Invocation, backward, forward, primitive
from xent_conformance.judging.findings import Compared, Disagreement, Finding, compare
from xent_conformance.judging.findings.numbers import TELLING
from xent_conformance.judging.subject import GRADIENT
from xent_conformance.judging.trial import Trial
from xent_conformance.oracle import Exact
from xent_conformance.problem import F64Array

#: Unit roundoff of float64, in which results of backends are combined here.
ROUNDING = 2.0**-53
#: Smallest effect of a gradient comparison, for gradients that are zero or tiny.
SMALLEST_EFFECT = 1e-30


def effect_of(gradient: F64Array) -> F64Array:
    """The effect that a comparison of a gradient is about: its largest finite element, for all elements."""
    finite = np.abs(gradient[np.isfinite(gradient)])
    return np.full(gradient.shape, max(float(finite.max(initial=0.0)), SMALLEST_EFFECT))


@dataclass(frozen=True)
class Term:
    """One result of one call: ``beside_exact`` compares it with its own exact answer."""

    trial: Trial
    call: Invocation
    result: str
    beside_exact: Callable[[], Compared]


@dataclass(frozen=True)
class Measured:
    """Numbers that a backend returned, or that are computed from such, each with a bound of its error.

    A bound is infinite if the exact value is not finite: two results need not agree there. ``overflows`` marks where
    infinity is accepted as well. ``formula`` gives the Python expression for the numbers from one expression for the
    result of each of ``terms``.
    """

    value: F64Array
    bound: F64Array
    overflows: npt.NDArray[np.bool_]
    terms: tuple[Term, ...] = ()
    formula: Callable[..., str] = str

    def __getitem__(self, index: Any) -> Measured:
        """Some of the numbers."""
        return replace(
            self,
            value=np.asarray(self.value[index]),
            bound=np.asarray(self.bound[index]),
            overflows=np.asarray(self.overflows[index]),
            formula=lambda *texts: f"{self.formula(*texts)}[{_index_text(index)}]",
        )

    def __add__(self, other: Measured) -> Measured:
        """Sums, element by element."""
        with np.errstate(all="ignore"):
            value = np.asarray(self.value + other.value)
            too_large = np.isfinite(self.value) & np.isfinite(other.value) & ~np.isfinite(value)
            bound = self.bound + other.bound + ROUNDING * _finite(value)
        overflows = np.asarray(self.overflows | other.overflows | too_large)
        terms, own = self.terms + other.terms, len(self.terms)

        def formula(*texts: str) -> str:
            return f"({self.formula(*texts[:own])} + {other.formula(*texts[own:])})"

        return Measured(value, np.asarray(bound), overflows, terms, formula)

    def times(self, factor: npt.ArrayLike) -> Measured:
        """Products with exact numbers."""
        exact = np.asarray(factor, dtype=np.float64)
        with np.errstate(all="ignore"):
            value = np.asarray(self.value * exact)
            scaled = np.where(np.isfinite(self.bound), np.abs(exact) * self.bound, np.inf)
            too_large = np.isfinite(self.value) & ~np.isfinite(value)
        return replace(
            self,
            value=value,
            bound=np.asarray(scaled + ROUNDING * _finite(value)),
            overflows=np.asarray(self.overflows | too_large),
            formula=lambda *texts: f"({self.formula(*texts)} * np.array({exact.tolist()!r}))",
        )

    def sum(self) -> Measured:
        """The sum of all the numbers."""
        with np.errstate(all="ignore"):
            value = np.asarray(self.value.sum())
            too_large = np.isfinite(self.value).all() & ~np.isfinite(value)
            bound = self.bound.sum() + self.value.size * ROUNDING * _finite(self.value).sum()
        overflows = np.asarray(self.overflows.any() | too_large)
        return replace(
            self,
            value=np.asarray(value),
            bound=np.asarray(bound),
            overflows=overflows,
            formula=lambda *texts: f"{self.formula(*texts)}.sum()",
        )

    def exactly(self, where: npt.ArrayLike) -> Measured:
        """The same numbers with a bound of zero where ``where`` is true and the bound is finite."""
        return replace(self, bound=np.where(where, np.where(np.isfinite(self.bound), 0.0, np.inf), self.bound))

    def bounded_as(self, other: Measured) -> Measured:
        """The same numbers with the bounds of others that must be equal."""
        return replace(self, bound=other.bound, overflows=other.overflows)


def _index_text(index: Any) -> str:
    """An index as a Python expression."""
    if isinstance(index, tuple):
        return ", ".join(map(_index_text, index))
    if isinstance(index, slice):
        return ":".join("" if end is None else str(end) for end in (index.start, index.stop))
    return str(np.asarray(index).tolist())


def _finite(values: F64Array) -> F64Array:
    return np.abs(np.where(np.isfinite(values), values, 0.0))


def loss_of(trial: Trial, call: Invocation | None = None, *, strict: bool = False) -> Measured:
    """The loss of a call, by default of the function form.

    ``strict``: judge also where the exact value is not finite, for two forms of one call, which must then agree too.
    """
    call = forward(trial.problem) if call is None else call
    value, answer, bounds = trial.loss(call), trial.answer, trial.bounds
    judged = ~bounds.undefined & (strict | np.isfinite(answer.loss.value))
    bound = np.where(judged, bounds.loss, np.inf)
    overflows = np.broadcast_to(np.asarray(bounds.overflows, dtype=bool), value.shape)

    def beside_exact() -> Compared:
        return trial.compare("loss", value, answer.loss, bounds.loss, call=call, **bounds.loss_excuses)

    return Measured(value, bound, overflows, (Term(trial, call, "loss", beside_exact),))


def gradient_of(trial: Trial, call: Invocation | None = None, *, strict: bool = False) -> Measured:
    """The gradient of the logits of a call, (rows, C), by default of the function form; ``strict`` as above."""
    call = backward(trial.problem) if call is None else call
    value, exact = trial.gradients(call).logits, trial.answer.grad_logits
    bound = np.where(strict | np.isfinite(exact.value), trial.bounds.grad_logits, np.inf)

    def beside_exact() -> Compared:
        return trial.compare("grad_logits", value, exact, trial.bounds.grad_logits, call=call)

    overflows = np.zeros(value.shape, dtype=bool)
    return Measured(value, bound, overflows, (Term(trial, call, "grad_logits", beside_exact),))


def primitive_of(trial: Trial, name: str) -> Measured:
    """The result of ``softmax`` or ``log_softmax``, (rows, C)."""
    call, value = primitive(name, trial.problem.logits), trial.primitive(name)
    exact, bound = getattr(trial.answer, name), getattr(trial.bounds, name)

    def beside_exact() -> Compared:
        return trial.compare(name, value, exact, bound, call=call)

    never = np.zeros(value.shape, dtype=bool)
    return Measured(value, bound, never, (Term(trial, call, name, beside_exact),))


def agree(
    trial: Trial,
    quantity: str,
    got: Measured,
    expected: Measured,
    otherwise: str,
    *,
    effect: npt.ArrayLike | None = None,
    place: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple,
) -> Finding:
    """Whether two results agree within the sum of their bounds; ``otherwise`` says how the second was computed.

    ``effect`` is the size of what is compared: by default the expected value, but at least 1. If only some of the
    trial's rows are compared, ``place`` maps the index of an element to that among all rows.
    """
    fmt = trial.problem.format
    with np.errstate(all="ignore"):
        tolerance = got.bound + expected.bound
        doubtful = np.isinf(expected.value) & (np.abs(got.value) + tolerance >= fmt.max_finite)
        # Values with an intermediate overflow are judged only against the exact value.
        doubtful |= (got.overflows | expected.overflows) & ~(np.isfinite(got.value) & np.isfinite(expected.value))
        tolerance = np.where(doubtful | np.isnan(tolerance), np.inf, tolerance)
        size = np.maximum(np.abs(expected.value), 1.0) if effect is None else np.asarray(effect)
        finite, number = np.isfinite(expected.value), np.isfinite(tolerance)
        telling = bool(np.any((tolerance <= TELLING * size) & finite | ~finite & number))
    compared = compare(quantity, got.value, Exact(expected.value), tolerance, fmt, call=got.terms[0].call)
    index = None if compared.index is None else place(compared.index)
    if not compared.failed:
        return replace(compared, index=index, exercised=telling)
    wrong = _beyond_its_bound(trial, (*got.terms, *expected.terms), otherwise)
    return replace(wrong or _disagreement(got, expected, compared, otherwise), exercised=telling)


def _disagreement(got: Measured, expected: Measured, compared: Compared, otherwise: str) -> Disagreement:
    """The finding for two results whose comparison has failed."""
    terms = (*got.terms, *expected.terms)
    names = [f"{{{number}}}" for number in range(len(terms))]
    return Disagreement(
        quantity=compared.quantity,
        calls=tuple(term.call for term in terms),
        results=tuple(term.result for term in terms),
        formulas=(got.formula(*names[: len(got.terms)]), expected.formula(*names[len(got.terms) :])),
        ratio=compared.ratio,
        ulp=compared.ulp,
        index=compared.index,
        expected=compared.expected,
        got=compared.got,
        bound=compared.bound,
        otherwise=otherwise,
    )


def _beyond_its_bound(trial: Trial, terms: tuple[Term, ...], otherwise: str) -> Finding | None:
    """The finding for the first of some results that is beyond its own bound; None if all are within theirs."""
    for term in terms:
        compared = term.beside_exact()
        if compared.failed:
            own = term.trial.problem is trial.problem
            note = f"not what it gives {otherwise}" if own else f"in the other call: {otherwise}"
            return replace(compared, problem=None if own else term.trial.problem, note=note)
    return None


def gradients_agree(trial: Trial, got: Measured, expected: Measured, otherwise: str, **details: Any) -> Finding:
    """As ``agree``, for gradients of the logits, whose effect is the largest of them."""
    return agree(trial, "grad_logits", got, expected, otherwise, effect=effect_of(expected.value), **details)


def both_agree(trial: Trial, twin: Trial, otherwise: str, *, equally: bool = False) -> Iterator[Finding]:
    """Whether the losses of two problems agree, and their gradients if there are any.

    ``equally``: the exact results are the same numbers, so that the bounds of the first hold for both.
    """
    loss, other = loss_of(trial), loss_of(twin)
    yield agree(trial, "loss", loss, other.bounded_as(loss) if equally else other, otherwise)
    if GRADIENT.met_by(trial.subject):
        gradient, other = gradient_of(trial), gradient_of(twin)
        yield gradients_agree(trial, gradient, other.bounded_as(gradient) if equally else other, otherwise)
