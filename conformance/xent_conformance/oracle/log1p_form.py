"""Softmax and its logarithm without cancellation, in float64 or longdouble.

With k = argmax x, m = x_k, d = x - m:  t = sum_{j != k} exp(d_j),  L = log1p(t),  nlp_j = -d_j + L (a sum of two
non-negative numbers),  1 - p_k = t / (1 + t). The naive m + log(sum) - x_t has relative error 1 at a gap of 40.

Every part of a row with nan or +inf, and of a row of only -inf, is nan.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xent_conformance.oracle.arithmetic import RealArray


class SoftmaxParts(NamedTuple):
    """The parts from which losses, gradients and bounds are computed: (rows, C), or (rows, 1) for m, t, log_sum."""

    m: RealArray
    d: RealArray
    t: RealArray
    log_sum: RealArray
    nlp: RealArray
    p: RealArray
    one_minus_p: RealArray


def softmax_parts(x: RealArray) -> SoftmaxParts:
    """Parts of logits (rows, C), C >= 1, in the arithmetic of their dtype."""
    rows = np.arange(len(x))
    with np.errstate(all="ignore"):
        top = np.where(np.isnan(x), np.inf, x).argmax(axis=1)
        m = x[rows, top][:, None]
        d = np.where(np.isinf(m), np.nan, x - m)
        e = np.exp(d)
        others = e.copy()
        others[rows, top] = np.where(np.isnan(e[rows, top]), np.nan, 0)
        t = others.sum(axis=1, keepdims=True)
        log_sum = np.log1p(t)
        one_minus_p = (t + (1 - e)) / (1 + t)
        one_minus_p[rows, top] = (t / (1 + t))[:, 0]
        return SoftmaxParts(m, d, t, log_sum, -d + log_sum, e / (1 + t), one_minus_p)
