"""The definition of cross-entropy in decimal arithmetic: no trick against cancellation, nothing shared with the oracle.

Everything follows from p_j = exp(x_j) / sum_k exp(x_k), evaluated by the standard library's ``decimal`` with so many
digits that cancellation costs nothing. Infinities and 0 * inf are those of the arithmetic itself.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cached_property

import numpy as np

from xent_conformance.conventions import Conventions
from xent_conformance.problem import Problem

#: Digits beyond what the widest gap between two logits takes away.
GUARD = 60
#: Digits that hold every float64 quotient: beyond them a probability is less than the smallest subnormal number.
MOST = 400
#: Largest magnitude of a logit whose exponential is a decimal number.
LARGEST = Decimal(10) ** 6
ZERO, ONE, INFINITY = Decimal(0), Decimal(1), Decimal("inf")

Row = list[Decimal]


@contextmanager
def digits(count: int) -> Iterator[None]:
    """Arithmetic of so many digits, with infinities and nan in place of exceptions."""
    context = decimal.Context(prec=count, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[])
    with decimal.localcontext(context):
        yield


def rows_of(array: np.ndarray) -> list[Row]:
    """An array of the logits' shape as rows of exact numbers."""
    last = np.moveaxis(array.astype(np.float64), min(1, array.ndim - 1), -1)
    return [[Decimal(v) for v in row] for row in last.reshape(-1, last.shape[-1]).tolist()]


class ReferenceRow:
    """Softmax of one row of logits, its target and the quantities that follow, before reduction."""

    def __init__(self, x: Row, target: Row, weight: Row, eps: Decimal, conventions: Conventions, label: int | None):
        self.distances = [max(x) - v for v in x]
        total = sum((v.exp() for v in x), ZERO)
        self.p = [v.exp() / total for v in x]
        self.nlp = [-v.ln() for v in self.p]
        one_each = conventions.smoothing_mass == "other_classes"
        others = max(len(x) - 1, 1) if one_each else len(x)
        smooth = [(ONE - eps) * y + eps / others * (ONE - y if one_each else ONE) for y in target]
        if label is not None and conventions.smoothing_weight == "per_target":
            self.q = [weight[label] * y for y in smooth]
        else:
            self.q = [w * y for w, y in zip(weight, smooth, strict=True)]
        read = range(len(x)) if label is None or eps else [label]
        if conventions.zero_times_infinity == "zero":
            read = [j for j in range(len(x)) if self.q[j] != 0]
        self.loss = sum((self.q[j] * self.nlp[j] for j in read), ZERO)
        self.size = sum((abs(self.q[j]) * self.nlp[j] for j in read), ZERO)
        self.mass, self.magnitude = sum(self.q, ZERO), sum(map(abs, self.q), ZERO)


class Reference:
    """Every quantity of a problem as numbers of many digits, and the size that its rounding errors are relative to."""

    def __init__(self, problem: Problem, conventions: Conventions) -> None:
        self.problem, self.conventions = problem, conventions
        self.eps = Decimal(problem.label_smoothing)
        x = rows_of(problem.logits)
        ones = [1.0] * len(x[0]) if x else []
        self.weight = [Decimal(v) for v in (ones if problem.weight is None else problem.weight.tolist())]
        self.indices = problem.target.dtype.kind in "iu"
        if self.indices:
            ignored = problem.sentinel if problem.ignore_index is None else problem.ignore_index
            self.labels = [None if v == ignored else v for v in problem.target.reshape(-1).tolist()]
            self.targets = [[Decimal(int(j == label)) for j in range(len(self.weight))] for label in self.labels]
        else:
            self.targets = rows_of(problem.target)
            self.labels = [None] * len(self.targets)
        finite = [
            v for row, label in zip(x, self.labels, strict=True) for v in row if v.is_finite() and self.kept(label)
        ]
        gap = float(max(finite) - min(finite)) if finite else 0.0
        self.count = min(GUARD + math.ceil(gap / math.log(10)), MOST + GUARD)
        self.x = x

    def kept(self, label: int | None) -> bool:
        """Whether the row of a label is not ignored."""
        return label is not None or not self.indices

    @cached_property
    def defined(self) -> bool:
        """Whether every row that is not ignored has a softmax: no nan, no +inf, not -inf alone; and moderate logits."""
        rows = [row for row, label in zip(self.x, self.labels, strict=True) if self.kept(label)]
        return all(
            max(row).is_finite() and not any(v.is_nan() or LARGEST < abs(v) < INFINITY for v in row) for row in rows
        )

    @cached_property
    def rows(self) -> list[ReferenceRow | None]:
        """One for each row, None for an ignored one."""
        with digits(self.count):
            return [
                ReferenceRow(x, target, self.weight, self.eps, self.conventions, label) if self.kept(label) else None
                for x, target, label in zip(self.x, self.targets, self.labels, strict=True)
            ]

    @cached_property
    def divisor_terms(self) -> Row:
        """What the divisor of the mean is the sum of."""
        kept = [row is not None for row in self.rows]
        if not self.indices:
            if self.conventions.probability_divisor == "batch":
                return [ONE] * len(kept)
            return [w * y for row in self.targets for w, y in zip(self.weight, row, strict=True)]
        choice = self.conventions.mean_divisor
        if choice == "target_weight":
            return [ZERO if label is None else self.weight[label] for label in self.labels]
        return [ONE if choice == "all_rows" or k else ZERO for k in kept]

    @cached_property
    def divisor(self) -> Decimal:
        """Of the mean; 1 for the other reductions."""
        return sum(self.divisor_terms, ZERO) if self.problem.reduction == "mean" else ONE

    @cached_property
    def condition(self) -> Decimal:
        """How much the divisor's cancellation magnifies an error of its terms."""
        return sum(map(abs, self.divisor_terms), ZERO) / abs(self.divisor) if self.problem.reduction == "mean" else ONE

    def loss(self) -> tuple[Row, Row]:
        """Values (rows,) for none, else one; sizes."""
        with digits(self.count):
            values = [ZERO if row is None else row.loss for row in self.rows]
            sizes = [ZERO if row is None else row.size for row in self.rows]
            if self.problem.reduction == "none":
                return values, sizes
            if self.problem.reduction == "mean" and not any(self.rows):
                empty, ignored = self.conventions.empty_batch_loss, self.conventions.all_ignored_loss
                return [Decimal("nan") if (ignored if self.rows else empty) == "nan" else ZERO], [ONE]
            if self.divisor == 0 and self.conventions.zero_weight_loss == "zero":
                return [ZERO], [ONE]
            size = sum(sizes, ZERO) / abs(self.divisor) * self.condition
            return [sum(values, ZERO) / self.divisor], [size]

    def grad_logits(self) -> tuple[list[Row], list[Row]]:
        """G (p S - q) by row; sizes."""
        values, sizes = [], []
        with digits(self.count):
            for row, scale in zip(self.rows, self._scales(), strict=True):
                if row is None:
                    values.append([ZERO] * len(self.weight))
                    sizes.append([ZERO] * len(self.weight))
                    continue
                values.append([scale * (p * row.mass - q) for p, q in zip(row.p, row.q, strict=True)])
                spread = [_spread(*each) for each in zip(row.p, row.distances, strict=True)]
                total, factor = sum(spread, ZERO), abs(scale) * self.condition
                # p (S - Q) and Q (1 - p), the latter the sum of the other probabilities.
                pairs = zip(spread, map(abs, row.q), strict=True)
                sizes.append([factor * (p * (row.magnitude - q) + q * (total - p)) for p, q in pairs])
        return values, sizes

    def grad_target(self) -> tuple[list[Row], list[Row]]:
        """G w_j (1 - eps) nlp_j by row: of the loss with smoothing over all classes; sizes."""
        with digits(self.count):
            values = [
                [scale * w * (ONE - self.eps) * v for w, v in zip(self.weight, row.nlp, strict=True)]
                for row, scale in zip(self.rows, self._scales(), strict=True)
                if row is not None
            ]
            return values, [[abs(v) * self.condition for v in row] for row in values]

    def hessian_times(self, vector: list[list[float]]) -> tuple[list[Row], list[Row]]:
        """G S (p_j v_j - p_j sum_k p_k v_k) by row; sizes."""
        values, sizes = [], []
        with digits(self.count):
            for row, scale, floats in zip(self.rows, self._scales(), vector, strict=True):
                if row is None:
                    values.append([ZERO] * len(floats))
                    sizes.append([ZERO] * len(floats))
                    continue
                v = [Decimal(f) for f in floats]
                mean = sum((p * f for p, f in zip(row.p, v, strict=True)), ZERO)
                size = sum((p * abs(f) for p, f in zip(row.p, v, strict=True)), ZERO)
                factor = scale * row.mass
                values.append([factor * (p * f - p * mean) for p, f in zip(row.p, v, strict=True)])
                wide = abs(scale) * row.magnitude * self.condition
                triples = zip(row.p, v, row.distances, strict=True)
                sizes.append([wide * _spread(p, d) * (abs(f) + size) for p, f, d in triples])
        return values, sizes

    def log_softmax(self) -> tuple[list[Row], list[Row]]:
        """Logarithms by row, of ignored rows too; sizes."""
        with digits(self.count):
            return [[-v for v in row.nlp] for row in self._all_rows], [row.nlp for row in self._all_rows]

    def softmax(self) -> tuple[list[Row], list[Row]]:
        """Probabilities by row; sizes."""
        rows = self._all_rows
        return [row.p for row in rows], [
            [_spread(*each) for each in zip(row.p, row.distances, strict=True)] for row in rows
        ]

    @cached_property
    def _all_rows(self) -> list[ReferenceRow]:
        with digits(self.count):
            one_hot = [ONE] + [ZERO] * (len(self.weight) - 1)
            return [ReferenceRow(x, one_hot, self.weight, ZERO, self.conventions, 0) for x in self.x]

    def _scales(self) -> Row:
        flat = [1.0] if self.problem.cotangent is None else self.problem.cotangent.astype(np.float64).reshape(-1)
        return [Decimal(float(v)) / self.divisor for v in np.broadcast_to(flat, (len(self.x),))]


def _spread(p: Decimal, distance: Decimal) -> Decimal:
    """Size of p for its error: exp(-d) is off by d times the rounding of d."""
    return p * (ONE + distance) if p else ZERO
