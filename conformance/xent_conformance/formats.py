"""The floating-point formats that logits come in, and the numbers the bounds need of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import ml_dtypes
import numpy as np
import numpy.typing as npt

#: Formats the oracle and the bounds cover, from narrow to wide.
FLOATING = ("float16", "bfloat16", "float32", "float64")
#: Those of 16 bits, of which neither holds the numbers of the other.
HALVES = FLOATING[:2]
INTEGER = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Format:
    """A binary floating-point format with round-to-nearest.

    ``precision`` counts significand bits including the hidden one; ``min_exponent`` is the exponent of the smallest
    normal number.
    """

    name: str
    precision: int
    min_exponent: int
    max_finite: float

    @property
    def unit_roundoff(self) -> float:
        """Largest relative error of one rounding to nearest, 2**-precision."""
        return 2.0**-self.precision

    @property
    def smallest_normal(self) -> float:
        """Smallest positive normal number; below it an implementation may flush to zero."""
        return math.ldexp(1.0, self.min_exponent)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The NumPy dtype of this format (``ml_dtypes`` for bfloat16)."""
        return dtype_of(self.name)


@cache
def dtype_of(name: str) -> np.dtype[np.generic]:
    """NumPy dtype for a name; raises TypeError for a name that neither NumPy nor ml_dtypes knows."""
    extension = getattr(ml_dtypes, name, None)
    return np.dtype(name if extension is None else extension)


def is_extension(name: str) -> bool:
    """Whether a dtype is one of ml_dtypes, which NumPy alone does not know."""
    return hasattr(ml_dtypes, name)


@cache
def format_named(name: str) -> Format:
    """Format for a dtype name; raises KeyError for a name that is not a floating-point format."""
    try:
        info = ml_dtypes.finfo(dtype_of(name))  # type: ignore[no-untyped-call]
    except (TypeError, ValueError) as error:
        raise KeyError(name) from error
    return Format(name, int(info.nmant) + 1, int(info.minexp), float(info.max))


def format_of(array: npt.NDArray[np.generic]) -> Format:
    """Format of an array's dtype."""
    return format_named(name_of(array.dtype))


@cache
def name_of(dtype: np.dtype[np.generic]) -> str:
    """Name of a dtype; ``dtype.name`` computes it anew each time."""
    return dtype.name


@cache
def is_floating(dtype: np.dtype[np.generic]) -> bool:
    """Whether a dtype is a real floating-point format, bfloat16 and float8 included."""
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float"))


def rounded(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Values rounded to the named format, saturating at its largest finite number, as float64.

    Infinities and NaN pass through: they are inputs of their own, not the result of an overflow.
    """
    exact = np.asarray(values, dtype=np.float64)
    limit = format_named(name).max_finite
    clipped = np.where(np.isfinite(exact), np.clip(exact, -limit, limit), exact)
    with np.errstate(over="ignore", invalid="ignore"):
        return clipped.astype(dtype_of(name)).astype(np.float64)
