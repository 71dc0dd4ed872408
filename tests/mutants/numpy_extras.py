"""Steps for the options of language models, to be put before those of the NumPy twin or a class derived from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mutants.numpy_rows import Array, Call
from mutants.numpy_twin import NumpyTwin


@dataclass(frozen=True)
class ExtendedCall(Call):
    """A call with these options; ``x`` are the logits that the loss sees, ``given`` those before (R, C)."""

    given: Array
    divisor: float | None
    lse_square_scale: float
    logit_scale: float
    softcap: float | None


class Extras(NumpyTwin):
    """A divisor of the mean, the z-loss, a scale and a cap of the logits."""

    claims = dict.fromkeys(("divisor", "lse_square_scale", "logit_scale", "softcap"), True)

    def read(
        self,
        purpose: str,
        logits: Array,
        target: Array,
        *arguments: Any,
        divisor: float | None = None,
        lse_square_scale: float = 0.0,
        logit_scale: float = 1.0,
        softcap: float | None = None,
        **options: Any,
    ) -> Call:
        plain = super().read(purpose, logits, target, *arguments, **options)
        call = ExtendedCall(
            **vars(plain),
            given=plain.x,
            divisor=divisor,
            lse_square_scale=lse_square_scale,
            logit_scale=logit_scale,
            softcap=softcap,
        )
        return replace(call, x=self.capped(call, self.scaled(call, call.given)))

    def scaled(self, call: ExtendedCall, x: Array) -> Array:
        return x if call.logit_scale == 1 else x * x.dtype.type(call.logit_scale)

    def capped(self, call: ExtendedCall, x: Array) -> Array:
        if call.softcap is None:
            return x
        cap = x.dtype.type(call.softcap)
        return cap * np.tanh(x / cap)

    def slope(self, call: ExtendedCall) -> Array:
        """Derivative of the logits that the loss sees, (R, C) or a number."""
        slope = call.x.dtype.type(call.logit_scale)
        if call.softcap is None:
            return np.asarray(slope)
        tanh = np.tanh(self.scaled(call, call.given) / call.x.dtype.type(call.softcap))
        return slope * (1 - tanh * tanh)

    def divisor(self, call: Any) -> Any:
        return super().divisor(call) if call.divisor is None else call.x.dtype.type(call.divisor)

    def lse(self, call: ExtendedCall) -> Array:
        """Logarithm of the sum of exponentials, (R, 1)."""
        _, _, total = self.partition(call.x)
        return self.maximum(call.x) + np.log(total)

    def z_losses(self, call: ExtendedCall) -> Array:
        """(R,)."""
        square = call.x.dtype.type(call.lse_square_scale) * self.lse(call)[:, 0] ** 2
        return np.where(call.ignored, 0, square)

    def z_gradient(self, call: ExtendedCall) -> Array:
        """(R, C)."""
        return 2 * call.x.dtype.type(call.lse_square_scale) * self.lse(call) * self.softmax_rows(call.x)

    def row_losses(self, call: Any) -> Array:
        losses = super().row_losses(call)
        return losses + self.z_losses(call) if call.lse_square_scale else losses

    def row_gradient(self, call: Any) -> Array:
        gradient = super().row_gradient(call)
        if call.lse_square_scale:
            gradient = gradient + self.z_gradient(call)
        if call.logit_scale == 1 and call.softcap is None:
            return gradient
        return gradient * self.slope(call)
