"""Scaled or capped logits z = s x, or z = c tanh(s x / c), and their derivative dz / dx.

There are functions for arrays of float64 or longdouble, and functions for single balls of arb, because the oracle
repeats the computation of a row with more precision. A cap maps -inf and +inf to -c and c.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xent_conformance.oracle.arithmetic import RealArray


def mapped(x: RealArray, scale: float, cap: float | None) -> RealArray:
    """The logits z, in the dtype of the array x (float64 or longdouble)."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scaled = x * x.dtype.type(scale)
        if cap is None:
            return np.asarray(scaled)
        limit = x.dtype.type(cap)
        return np.asarray(limit * np.tanh(scaled / limit))


def slope(x: RealArray, scale: float, cap: float | None) -> RealArray:
    """The derivative dz / dx in the dtype of x: s, or s / cosh(s x / c)^2, without cancellation if it is small."""
    factor = x.dtype.type(scale)
    if cap is None:
        return np.full_like(x, factor)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        tail = np.exp(-2 * np.abs(x * factor / x.dtype.type(cap)))
        return np.asarray(factor * 4 * tail / (1 + tail) ** 2)


def mapped_ball(x: float, scale: float, cap: float | None) -> Any:
    """One logit z as a ball of the current precision; None for -inf without a cap."""
    from flint import arb

    if np.isneginf(x):
        return None if cap is None else arb(-cap)
    if np.isposinf(x) and cap is not None:
        return arb(cap)
    scaled = arb(x) * arb(scale)
    return scaled if cap is None else arb(cap) * (scaled / arb(cap)).tanh()


def slope_ball(x: float, scale: float, cap: float | None) -> Any:
    """The derivative dz / dx of one logit as a ball of the current precision."""
    from flint import arb

    if cap is None:
        return arb(scale)
    if np.isinf(x):
        return arb(0)
    tail = (-2 * abs(arb(x) * arb(scale) / arb(cap))).exp()
    return arb(scale) * 4 * tail / (1 + tail) ** 2
