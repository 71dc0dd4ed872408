"""Options of language models for the correct implementations: in their arithmetic, and stored where they store."""

from __future__ import annotations

from typing import Any

import numpy as np

from correct.implementations import Correct
from correct.sums import Array
from mutants.numpy_extras import ExtendedCall, Extras


class CorrectExtras(Extras, Correct):
    """The z-loss and its gradient from the implementation's own logsumexp."""

    def lse(self, call: ExtendedCall) -> Array:
        maximum, log_sum = self.log_sum_exp(call.x)
        return self.stored(maximum + log_sum)

    def z_losses(self, call: ExtendedCall) -> Array:
        return self.stored(super().z_losses(call))

    def z_gradient(self, call: ExtendedCall) -> Array:
        return self.stored(super().z_gradient(call))

    def row_losses(self, call: Any) -> Array:
        return self.stored(super().row_losses(call))

    def row_gradient(self, call: Any) -> Array:
        return self.stored(super().row_gradient(call))


class CapBySigmoid(CorrectExtras):
    """tanh is 2 sigmoid(2 y) - 1 with the reciprocal of the cap, as in Triton kernels, and so is its derivative."""

    def height(self, call: ExtendedCall, x: Array) -> Array:
        assert call.softcap is not None
        one = x.dtype.type(1)
        y = x * (one / x.dtype.type(call.softcap))
        return 2 * (one / (one + np.exp(-2 * y))) - one

    def capped(self, call: ExtendedCall, x: Array) -> Array:
        return x if call.softcap is None else x.dtype.type(call.softcap) * self.height(call, x)

    def slope(self, call: ExtendedCall) -> Array:
        if call.softcap is None:
            return super().slope(call)
        height = self.height(call, self.scaled(call, call.given))
        return call.x.dtype.type(call.logit_scale) * (1 - height * height)


def extended(kind: type[Correct]) -> type[Correct]:
    """An implementation with these options."""
    return type(kind.__name__, (CorrectExtras, kind), {"__module__": kind.__module__})
