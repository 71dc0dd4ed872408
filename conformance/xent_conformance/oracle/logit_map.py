"""Logits as the loss sees them where they are scaled or capped: z = s x, or z = c tanh(s x / c), and dz / dx.

The functions work on arrays of floats in the arithmetic of their dtype, and those for balls on single ones, since the
oracle raises their precision as it needs to. -inf and +inf become -c and c where there is a cap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

RealArray = npt.NDArray[Any]


def mapped(x: RealArray, scale: float, cap: float | None) -> RealArray:
    """Z of logits in float64 or longdouble."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scaled = x * x.dtype.type(scale)
        if cap is None:
            return np.asarray(scaled)
        limit = x.dtype.type(cap)
        return np.asarray(limit * np.tanh(scaled / limit))


def slope(x: RealArray, scale: float, cap: float | None) -> RealArray:
    """Dz / dx of logits in float64 or longdouble: s, or s / cosh(s x / c)^2 without cancellation where it is small."""
    factor = x.dtype.type(scale)
    if cap is None:
        return np.full_like(x, factor)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        tail = np.exp(-2 * np.abs(x * factor / x.dtype.type(cap)))
        return np.asarray(factor * 4 * tail / (1 + tail) ** 2)


def mapped_ball(x: float, scale: float, cap: float | None) -> Any:
    """Z of one logit as a ball of the precision in force; None for -inf that stays."""
    from flint import arb

    if np.isneginf(x):
        return None if cap is None else arb(-cap)
    if np.isposinf(x) and cap is not None:
        return arb(cap)
    scaled = arb(x) * arb(scale)
    return scaled if cap is None else arb(cap) * (scaled / arb(cap)).tanh()


def slope_ball(x: float, scale: float, cap: float | None) -> Any:
    """Dz / dx of one logit as a ball of the precision in force."""
    from flint import arb

    if cap is None:
        return arb(scale)
    if np.isinf(x):
        return arb(0)
    tail = (-2 * abs(arb(x) * arb(scale) / arb(cap))).exp()
    return arb(scale) * 4 * tail / (1 + tail) ** 2
