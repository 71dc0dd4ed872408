"""The constants of the bounds for a declared precision."""

from __future__ import annotations

import math

import numpy as np

from xent_conformance.formats import Format, format_named
from xent_conformance.precision import Precision
from xent_conformance.problem import F64Array

#: exp is off by at most one unit in the last place, two unit roundoffs; the same holds for log.
K_EXP = 2.0
K_LOG = 2.0
#: exp(x) evaluated as exp2(x log2 e) adds a relative error of two unit roundoffs to the argument.
K_EXP2 = 2.0
#: A fast logf has absolute error 2**-22 near 1, four unit roundoffs of float32.
C_LOG = 4.0


def underflow(fmt: Format, precision: Precision) -> float:
    """Largest absolute error of one result that is too small for a format.

    For float32, float64 and bfloat16 (which is computed in float32), hardware may flush subnormal results to zero: the
    error is at most the smallest normal number. float16 keeps subnormals in half arithmetic on GPUs, in F16C, in
    AVX512-FP16, which ignores the flags for flushing, on ARM unless FZ16 is set, and where float32 is rounded to
    float16 at the end. Its error is then half the smallest subnormal number; twice that is allowed, for units that
    truncate. An implementation that flushes float16 too has to declare it.
    """
    kept = fmt.name == "float16" and precision.subnormals == "kept"
    return 2 * fmt.unit_roundoff * fmt.smallest_normal if kept else fmt.smallest_normal


class ErrorModel:
    """Unit roundoffs and summation heights of an implementation; see ``tolerances`` for the notation."""

    k_exp = K_EXP
    k_log = K_LOG
    k_exp2 = K_EXP2
    c_log = C_LOG

    def __init__(self, fmt: Format, precision: Precision) -> None:
        """The model of a precision for logits of one format."""
        u = fmt.unit_roundoff
        wide = min(u, format_named("float32").unit_roundoff)
        native = precision.internals == "native"
        self.u_o = u
        self.u_i = u if native else wide
        self.u_a = wide
        self.u_s = u if precision.class_sum == "native" and u > wide else 0.0
        self.u_r = wide if precision.batch_sum == "wide" else u
        #: The extra rounding of a value computed wider than the format: of a stored one, and of one passed from
        #: log_softmax to the loss.
        self.u_narrow = u if self.u_i < u else 0.0
        self.u_lp = self.u_narrow
        self.eta = underflow(fmt, precision)
        self.eta_i = self.eta if native else min(fmt.smallest_normal, 2.0**-126)
        self.form_b = precision.form == "B"
        self.accurate_log = precision.log == "accurate"
        self.batch_is_wide = precision.batch_sum == "wide" and self.u_r < u
        self.cascade = precision.batch_sum == "cascade"

    def classes(self, count: int) -> int:
        """Height of the summation tree of a sum over the classes in any order."""
        return max(count - 1, 0)

    def batch(self, magnitudes: F64Array) -> float:
        """Relative error of a sum over the batch of terms of these magnitudes; infinite where there is no bound."""
        in_any_order = self._in_any_order(magnitudes)
        return min(in_any_order, self._in_blocks(magnitudes.size)) if self.cascade else in_any_order

    def _in_any_order(self, magnitudes: F64Array) -> float:
        """Relative error of a sum; infinite where n u reaches 1: added one by one, the terms may stop counting there.

        Any tree of additions loses at most u times the sum of its partial sums, which is largest for the caterpillar
        tree with the largest terms deepest: about n / 2 times the whole sum for n equal terms, not n - 1. The factor
        1 / (1 - n u) accounts for the computed partial sums instead of the exact ones; one more rounding stores the
        result.
        """
        rows, total = magnitudes.size, float(magnitudes.sum())
        if rows * self.u_r >= 1:
            return math.inf
        descending = np.cumsum(-np.sort(-magnitudes, axis=None))
        height = float(descending[1:].sum()) / total if 0 < total < math.inf else 0.0
        return (height + 1) * self.u_r / (1 - rows * self.u_r)

    def _in_blocks(self, rows: int) -> float:
        """Relative error of a sum in blocks: (1 + u)^h - 1 for a tree of height h, with the rounding that stores it.

        Source: Higham, Accuracy and Stability of Numerical Algorithms, sections 3.1 and 4.2.
        """
        return math.expm1((_cascade_height(rows) + 1) * math.log1p(self.u_r))


def _cascade_height(rows: int) -> int:
    """Height of torch's CPU sum of row losses: partial sums of 2**power rows on each of several levels."""
    bits = math.ceil(math.log2(max(rows, 2)))
    power = max(4, bits // 8)
    return min(max(rows - 1, 0), (1 << power) * math.ceil(bits / power) + 8)
