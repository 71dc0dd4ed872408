"""Softmax parts in python-flint's ball arithmetic (arb), accurate to 70 bits.

The precision is doubled until every value is that accurate. Equal logits are grouped, so that the cost of a row depends
on its number of distinct values and not on C.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from flint import arb, ctx

from xent_conformance.oracle.arithmetic import ARB_PRECISION, RealArray
from xent_conformance.oracle.log1p_form import SoftmaxParts
from xent_conformance.oracle.logit_map import mapped_ball

#: Relative accuracy of every value, in bits.
BITS = 70
LAST_PRECISION = 1 << 15


def softmax_parts_arb(logits: npt.NDArray[np.float64], scale: float = 1.0, cap: float | None = None) -> SoftmaxParts:
    """Parts of logits (rows, C), scaled and capped, without nan or +inf, as object arrays of arb."""
    shape = logits.shape
    wide: dict[str, RealArray] = {k: np.empty(shape, dtype=object) for k in ("d", "nlp", "p", "one_minus_p")}
    narrow: dict[str, RealArray] = {k: np.empty((shape[0], 1), dtype=object) for k in ("t", "log_sum", "m")}
    for i, row in enumerate(logits):
        parts, inverse = _row(row, scale, cap)
        for name, out in wide.items():
            out[i] = np.array(parts[name], dtype=object)[inverse]
        for name, out in narrow.items():
            out[i, 0] = parts[name]
    return SoftmaxParts(**wide, **narrow)


def _row(row: npt.NDArray[np.float64], scale: float, cap: float | None) -> tuple[dict[str, Any], npt.NDArray[np.intp]]:
    values, inverse, counts = np.unique(row, return_inverse=True, return_counts=True)
    precision = ARB_PRECISION
    while True:
        ctx.prec = precision
        parts = _row_at_precision(values, counts, scale, cap)
        certain = all(_certain(v) for name in ("nlp", "p", "one_minus_p") for v in parts[name])
        if certain or precision >= LAST_PRECISION:
            ctx.prec = ARB_PRECISION
            return parts, inverse
        precision *= 2


def _row_at_precision(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.intp], scale: float, cap: float | None
) -> dict[str, Any]:
    if np.isnan(values[-1]) or (cap is None and np.isinf(values[-1])):
        undefined = [arb("nan")] * len(values)
        parts: dict[str, Any] = dict.fromkeys(("d", "nlp", "p", "one_minus_p"), undefined)
        return parts | dict.fromkeys(("m", "t", "log_sum"), arb("nan"))
    # Both maps grow with the logit. The difference of a ball to itself would not be exactly zero.
    *below, top = [mapped_ball(float(v), scale, cap) for v in values]
    d = [*(None if z is None else z - top for z in below), arb(0)]
    e = [arb(0) if x is None else x.exp() for x in d]
    others = [int(n) - (i == len(values) - 1) for i, n in enumerate(counts)]
    t = sum((x * n for x, n in zip(e, others, strict=True)), arb(0))
    log_sum = t.log1p()
    return {
        "m": top,
        "t": t,
        "log_sum": log_sum,
        "d": [arb("-inf") if x is None else x for x in d],
        "nlp": [arb("inf") if x is None else log_sum - x for x in d],
        "p": [x / (1 + t) for x in e],
        "one_minus_p": [(t + (1 - x)) / (1 + t) for x in e],
    }


def _certain(value: Any) -> bool:
    return not value.is_finite() or value.is_exact() or value.rel_accuracy_bits() >= BITS
