"""From a declared precision to the numbers in the bounds."""

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

    Where units that flush subnormal results to zero are in use (float32, float64, and bfloat16, which is computed in
    float32) it is the smallest normal number. Subnormals of float16 are kept: by half arithmetic on GPUs, by F16C, by
    AVX512-FP16, which does not obey the flags for flushing, by ARM unless FZ16 is set, and where float32 is rounded to
    float16 at the end. There the error is half the smallest subnormal; all of it is admitted, for units that truncate.
    An implementation that flushes them too declares it.
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
        #: The extra rounding of a value computed wider than the format: of one stored, and of one handed from
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
        """Height of a sum over the classes in any order."""
        return max(count - 1, 0)

    def batch(self, magnitudes: F64Array) -> float:
        """Relative error of a sum over the batch of terms of these magnitudes; infinite where n u reaches 1.

        Any tree of additions loses at most u times the sum of its partial sums, which is largest for the caterpillar
        with the largest terms deepest: for n equal terms n / 2 sums, not n - 1. The factor 1 / (1 - n u) makes the
        exact partial sums the computed ones; one more rounding stores the result.
        """
        rows, total = magnitudes.size, float(magnitudes.sum())
        if rows * self.u_r >= 1:
            return math.inf
        descending = np.cumsum(-np.sort(-magnitudes, axis=None))
        height = float(descending[1:].sum()) / total if 0 < total < math.inf else 0.0
        if self.cascade:
            height = min(height, _cascade_height(rows))
        return (height + 1) * self.u_r / (1 - rows * self.u_r)


def _cascade_height(rows: int) -> int:
    """Height of torch's CPU sum of row losses: partial sums of 2**power rows on each of several levels."""
    bits = math.ceil(math.log2(max(rows, 2)))
    power = max(4, bits // 8)
    return min(max(rows - 1, 0), (1 << power) * math.ceil(bits / power) + 8)
