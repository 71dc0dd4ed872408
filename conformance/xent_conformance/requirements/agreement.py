"""Two results of one backend beside each other: neither is the truth, each is within its bound of its exact value.

Where they do not agree, at least one of the calls behind them is usually beyond its own bound of the exact answer: then
that call is what the finding is about, and not the one that it was compared with.
"""

from __future__ import annotations

from collections.abc import Callable
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

#: Unit roundoff of the float64 arithmetic done here on what backends returned.
ROUNDING = 2.0**-53
#: A gradient is distinguished from zero where its bound is small beside the largest element of the problem.
SMALLEST_EFFECT = 1e-30


def effect_of(gradient: F64Array) -> F64Array:
    """Size of what a comparison of a gradient is about: its largest finite element, everywhere."""
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
    """Numbers that a backend returned, or made from such, each with a bound of its error.

    A bound is infinite where there is no finite exact value: there two results need not agree. ``overflows`` marks
    where infinity stands beside the values within the bound. ``formula`` says in Python how they are made of the
    results of ``terms``, given as one text for each.
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
        """The same numbers without a bound where that is asked for."""
        return replace(self, bound=np.where(where, np.where(np.isfinite(self.bound), 0.0, np.inf), self.bound))

    def bounded_as(self, other: Measured) -> Measured:
        """These numbers, known as well as others that must be the same."""
        return replace(self, bound=other.bound, overflows=other.overflows)


def _index_text(index: Any) -> str:
    """An index as Python has it."""
    if isinstance(index, tuple):
        return ", ".join(map(_index_text, index))
    if isinstance(index, slice):
        return ":".join("" if end is None else str(end) for end in (index.start, index.stop))
    return str(np.asarray(index).tolist())


def _finite(values: F64Array) -> F64Array:
    return np.abs(np.where(np.isfinite(values), values, 0.0))


def loss_of(trial: Trial, call: Invocation | None = None, *, strict: bool = False) -> Measured:
    """The loss that a call gives, by default the function form.

    ``strict``: two forms of one call are not finite in the same places, also where there is no finite exact value.
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
    """The gradient of the logits that a call gives, (rows, C), by default the function form; ``strict`` as above."""
    call = backward(trial.problem) if call is None else call
    value, exact = trial.gradients(call).logits, trial.answer.grad_logits
    bound = np.where(strict | np.isfinite(exact.value), trial.bounds.grad_logits, np.inf)

    def beside_exact() -> Compared:
        return trial.compare("grad_logits", value, exact, trial.bounds.grad_logits, call=call)

    overflows = np.zeros(value.shape, dtype=bool)
    return Measured(value, bound, overflows, (Term(trial, call, "grad_logits", beside_exact),))


def primitive_of(trial: Trial, name: str) -> Measured:
    """What ``softmax`` or ``log_softmax`` gives, (rows, C)."""
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
    """Whether two results agree within the sum of their bounds; ``otherwise`` says how the second came about.

    ``effect`` is the size of what is compared: by default the expected value, or 1. ``place`` turns the index of an
    element into that among all of the trial's rows, where only some of them are compared.
    """
    fmt = trial.problem.format
    with np.errstate(all="ignore"):
        tolerance = got.bound + expected.bound
        doubtful = np.isinf(expected.value) & (np.abs(got.value) + tolerance >= fmt.max_finite)
        # What may overflow on the way is judged once, beside the exact value.
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
    if wrong is not None:
        return replace(wrong, exercised=telling)
    terms = (*got.terms, *expected.terms)
    names = [f"{{{place}}}" for place in range(len(terms))]
    return Disagreement(
        quantity=quantity,
        calls=tuple(term.call for term in terms),
        results=tuple(term.result for term in terms),
        formulas=(got.formula(*names[: len(got.terms)]), expected.formula(*names[len(got.terms) :])),
        ratio=compared.ratio,
        exercised=telling,
        ulp=compared.ulp,
        index=compared.index,
        expected=compared.expected,
        got=compared.got,
        bound=compared.bound,
        otherwise=otherwise,
    )


def _beyond_its_bound(trial: Trial, terms: tuple[Term, ...], otherwise: str) -> Finding | None:
    """What is wrong with the first of some results that is beyond its own bound; None where all are within theirs."""
    for term in terms:
        compared = term.beside_exact()
        if compared.failed:
            own = term.trial.problem is trial.problem
            note = f"not what it gives {otherwise}" if own else f"in the call {otherwise}"
            return replace(compared, problem=None if own else term.trial.problem, note=note)
    return None


def gradients_agree(trial: Trial, got: Measured, expected: Measured, otherwise: str, **details: Any) -> Finding:
    """As ``agree``, for gradients of the logits: what matters is their size beside the largest of them."""
    finite = _finite(expected.value)
    effect = np.full(finite.shape, max(float(finite.max(initial=0.0)), SMALLEST_EFFECT))
    return agree(trial, "grad_logits", got, expected, otherwise, effect=effect, **details)


def both_agree(trial: Trial, twin: Trial, otherwise: str) -> list[Finding]:
    """Whether loss and, where there is one, gradient of two problems agree as they stand."""
    findings = [agree(trial, "loss", loss_of(trial), loss_of(twin), otherwise)]
    if GRADIENT.met_by(trial.subject):
        findings.append(gradients_agree(trial, gradient_of(trial), gradient_of(twin), otherwise))
    return findings
