"""The three arithmetics in which the oracle's formulas are evaluated.

For logits of float32 and narrower, float64 is far more accurate than any bound. For float64 logits it is x87 longdouble
on machines that have it, and otherwise arb: rigorous ball arithmetic with at least 70 bits, in object arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RealArray = npt.NDArray[Any]


@dataclass(frozen=True)
class Arithmetic:
    """How arrays are converted to an arithmetic, and split into pairs of float64 arrays again."""

    name: str
    array: Callable[[npt.ArrayLike], RealArray]
    split: Callable[[RealArray], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | float]]

    def number(self, value: float) -> Any:
        """One number."""
        return self.array(value)[()]


def _whole(values: RealArray) -> tuple[npt.NDArray[np.float64], float]:
    """Numbers of float64 arithmetic, which leave nothing over."""
    return values.astype(np.float64, copy=False), 0.0


def _split_floats(values: RealArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    high = np.asarray(values.astype(np.float64))
    with np.errstate(invalid="ignore"):
        low = np.where(np.isfinite(high), values - high, 0).astype(np.float64)
    return high, low


def _arb_array(values: npt.ArrayLike) -> RealArray:
    from flint import arb, ctx

    ctx.prec = ARB_PRECISION
    floats = np.asarray(values, dtype=np.float64)
    out = np.empty(floats.shape, dtype=object)
    out.reshape(-1)[:] = [arb(v) for v in floats.reshape(-1).tolist()]
    return out


def _split_arb(values: RealArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    from flint import arb

    balls = np.asarray(values, dtype=object)
    flat = [v if isinstance(v, arb) else arb(v) for v in balls.reshape(-1)]
    high = np.array([float(v.mid()) for v in flat], dtype=np.float64)
    low = [float((v - arb(h)).mid()) if np.isfinite(h) else 0.0 for v, h in zip(flat, high.tolist(), strict=True)]
    return high.reshape(balls.shape), np.array(low, dtype=np.float64).reshape(balls.shape)


FLOAT64 = Arithmetic("float64", lambda v: np.asarray(v, dtype=np.float64), _whole)
LONGDOUBLE = Arithmetic("longdouble", lambda v: np.asarray(v, dtype=np.longdouble), _split_floats)
ARB = Arithmetic("arb", _arb_array, _split_arb)

#: Bits of the balls: far more than the accuracy of the result, so that sums do not lose it.
ARB_PRECISION = 192
#: Bits of a longdouble whose error is below 3e-4 of any float64 bound (measured against arb).
WIDE_ENOUGH = 63


def arithmetic_for(dtype: str) -> Arithmetic:
    """The cheapest arithmetic that is accurate enough for logits of a dtype."""
    if dtype != "float64":
        return FLOAT64
    return LONGDOUBLE if np.finfo(np.longdouble).nmant >= WIDE_ENOUGH else ARB
