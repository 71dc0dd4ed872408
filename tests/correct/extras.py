"""Options and functions of language models for the correct implementations: in their arithmetic, stored as they do."""

from __future__ import annotations

from typing import Any

import numpy as np

from correct.implementations import Correct
from correct.sums import Array
from mutants.numpy_extras import ExtendedCall, Extras
from mutants.numpy_functions import Functions
from mutants.numpy_mixed import Mixed


class CorrectExtras(Extras, Functions, Mixed, Correct):
    """Operands of other dtypes, the z-loss, its gradient and the entropy from the implementation's own logsumexp."""

    def logsumexp_rows(self, x: Array) -> Array:
        maximum, log_sum = self.log_sum_exp(x)
        return self.stored(maximum + log_sum)[:, 0]

    def entropy_rows(self, x: Array) -> Array:
        p = self.stored(self.softmax_rows(x))
        if self.precision.form == "B":
            finite = np.where(p == 0, 0, x)
            mean = self.stored(self.added(self.stored(p * finite)).astype(x.dtype))
            return self.stored(self.logsumexp_rows(x) - mean)
        return self.stored(self.added(self.stored(p * self.surprise(x))).astype(x.dtype))

    def entropy_gradient(self, x: Array) -> Array:
        if self.precision.form == "A":
            return self.stored(super().entropy_gradient(x))
        # Through p log p, as autograd has it.
        p, log_p = self.stored(self.softmax_rows(x)), -self.surprise(x)
        slope = self.stored(np.where(p == 0, 0, -(log_p + 1)))
        mean = self.stored(self.added(self.stored(p * slope))[:, None].astype(x.dtype))
        return self.stored(p * self.stored(slope - mean))

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
