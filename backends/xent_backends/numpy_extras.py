"""Options of language models in NumPy: a divisor of the mean, the z-loss, a scale and a cap of the logits.

    z = s x, then c tanh(z / c)         the logits that the loss sees
    loss_i + a logsumexp(z_i)^2         of each row that is not ignored, whatever its class weight
    sum_i loss_i / divisor              for the mean

The functions expect ``np.errstate`` to be set by their caller: infinities and nan are ordinary values.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

F64Array = npt.NDArray[np.float64]


class Extras(NamedTuple):
    """The options of one call; the defaults have no effect."""

    divisor: float | None = None
    lse_square_scale: float = 0.0
    logit_scale: float = 1.0
    softcap: float | None = None

    def check(self, reduction: str) -> None:
        """Raise TypeError for options that are not numbers, ValueError for numbers that are not positive and finite."""
        for name, value in self._asdict().items():
            if value is None or (name == "lse_square_scale" and value == 0):
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise TypeError(f"{name} must be a number, got {value!r}")
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {value!r}")
        if self.divisor is not None and reduction != "mean":
            raise ValueError(f"a divisor is for the mean, not for the reduction {reduction!r}")

    @property
    def maps(self) -> bool:
        """Whether the loss sees other logits than those given."""
        return self.logit_scale != 1 or self.softcap is not None

    def mapped(self, x: F64Array) -> F64Array:
        """The logits that the loss sees."""
        scaled = x if self.logit_scale == 1 else x * self.logit_scale
        return scaled if self.softcap is None else self.softcap * np.tanh(scaled / self.softcap)

    def slope(self, x: F64Array) -> F64Array | float:
        """Derivative of the logits that the loss sees: s, or s / cosh(s x / c)^2.

        The equal expression s (1 - tanh^2) would be rounded to zero for large x.
        """
        if self.softcap is None:
            return self.logit_scale
        return np.asarray(self.logit_scale / np.cosh(x * self.logit_scale / self.softcap) ** 2)


#: No option.
NONE = Extras()
