"""Upstream gradients of unusual size or stride: loss scales, weights of a sum of losses, expanded axes."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

LOGITS = ("gradients.logits",)


@mutant(killed_by=LOGITS)
class UpstreamClippedAt16(NumpyTwin):
    """Upstream gradients are clipped to [-16, 16] before anything is done with them."""

    def cotangents(self, call, cotangent):
        return np.clip(super().cotangents(call, cotangent), -16, 16)


@mutant(killed_by=LOGITS)
class SmallUpstreamIsNone(NumpyTwin):
    """An upstream gradient below 1e-6 counts as none."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        return np.where(np.abs(cotangents) < 1e-6, 0, cotangents)


@mutant(killed_by=LOGITS)
class SmallBesideLargeUpstream(NumpyTwin):
    """Rows whose upstream gradient is below 2^-12 of the largest are skipped, as dropped tokens are."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        if not cotangents.size:
            return cotangents
        return np.where(np.abs(cotangents) < np.abs(cotangents).max() * 2.0**-12, 0, cotangents)


@mutant(killed_by=LOGITS)
class LossScaleByExponent(NumpyTwin):
    """An upstream gradient of 256 and more is taken for a loss scale, and applied by its exponent alone."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        power = np.copysign(np.exp2(np.floor(np.log2(np.maximum(np.abs(cotangents), 1)))), cotangents)
        return np.where(np.abs(cotangents) >= 256, power, cotangents).astype(cotangents.dtype)


@mutant(killed_by=("layout.gradient",))
class PartlyExpandedUpstream(NumpyTwin):
    """An upstream gradient with any stride of 0 is taken for one number."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        array = np.asarray(cotangent)
        one = cotangents.size and any(n > 1 and s == 0 for n, s in zip(array.shape, array.strides, strict=True))
        return np.full_like(cotangents, cotangents[0, 0]) if one else cotangents


@mutant(killed_by=LOGITS)
class LargeUpstreamOfTheMean(NumpyTwin):
    """In the mean an upstream gradient of 2^13 and more is multiplied in before p - q, and cancels in float32."""

    def grad_logits(self, call, cotangents):
        large = cotangents.size and np.abs(cotangents).max() >= 2**13
        if call.reduction != "mean" or not large or call.probabilities is not None:
            return super().grad_logits(call, cotangents)
        offset = np.float32(2**12) * self.scale(call, cotangents)
        rows = (self.scale(call, cotangents) * self.row_gradient(call) + offset) - offset
        return self.restored(self.kept(call, rows), call)


@mutant(killed_by=("gradients.second-order",))
class SecondOrderWithoutSmallUpstream(NumpyTwin):
    """In the second derivative an upstream gradient below 2^-10 counts as none."""

    def scale(self, call, cotangents):
        small = (np.abs(cotangents) < 2.0**-10) & (call.purpose == "hessian")
        return super().scale(call, np.where(small, 0, cotangents))
