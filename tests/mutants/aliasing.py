"""Inputs written over, and results that share memory."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

UNCHANGED = ("purity.inputs-unchanged",)


def writable(array):
    """Whether a kernel would write here: a contiguous float32 buffer that no one protects."""
    return array.flags.c_contiguous and array.flags.writeable and array.dtype == np.float32


@mutant(bug="ALI-01", link="https://github.com/linkedin/Liger-Kernel/pull/1251", killed_by=UNCHANGED)
class GradientWrittenIntoLogits(NumpyTwin):
    """The gradient of unreduced losses is stored where the logits were, to save memory."""

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        result = super().cross_entropy_vjp(cotangent, logits, target, **options)
        if writable(logits) and options.get("reduction") == "none":
            logits[...] = result.grad_logits
        return result


@mutant(
    bug="ALI-02",
    link="https://github.com/NVIDIA/Megatron-LM/pull/1594",
    killed_by=UNCHANGED,
    dtypes=("bfloat16", "float32"),
)
class MaximumSubtractedInPlace(NumpyTwin):
    """Logits are cast to float32, which copies nothing where they are float32, and shifted in place."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        if writable(logits) and logits.ndim == 2 and logits.size:
            with np.errstate(all="ignore"):
                logits -= logits.max(axis=1, keepdims=True)
        return loss


@mutant(bug="ALI-02", link="https://github.com/verl-project/verl/pull/2484", killed_by=UNCHANGED)
class ShiftUndoneInPlace(NumpyTwin):
    """Contiguous float32 logits are shifted in place and shifted back, which rounds them."""

    def loss(self, call):
        loss = super().loss(call)
        if writable(call.logits) and call.logits.ndim == 2 and call.logits.size and call.purpose == "loss":
            maximum = self.maximum(call.x)
            call.logits[...] = (call.logits - maximum) + maximum
        return loss


@mutant(killed_by=UNCHANGED)
class IgnoredLabelsOverwritten(NumpyTwin):
    """Ignored labels are set to 0 in the caller's array so that they can be gathered."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if call.ignored.any() and target.dtype == np.int64 and target.flags.writeable:
            target[...] = call.labels.reshape(target.shape)
        return call


@mutant(killed_by=UNCHANGED)
class WeightsScaledInPlace(NumpyTwin):
    """With smoothing, the factor 1 - eps is multiplied into the caller's weights."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if call.weight is not None and 0 < call.eps < 1 and options["weight"].flags.writeable:
            options["weight"] *= options["weight"].dtype.type(1 - call.eps)
        return call


@mutant(killed_by=UNCHANGED)
class UpstreamDividedInPlace(NumpyTwin):
    """The upstream gradient of a mean is divided in the caller's own buffer."""

    def scale(self, call, cotangents):
        scale = super().scale(call, cotangents)
        if call.reduction == "mean" and self._upstream.flags.writeable:
            self._upstream[...] = scale.reshape(self._upstream.shape)
        return scale

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        self._upstream = cotangent
        return super().cross_entropy_vjp(cotangent, logits, target, **options)


@mutant(killed_by=UNCHANGED)
class IgnoredRowsCleared(NumpyTwin):
    """Ignored rows of contiguous logits are set to 0 in place, so that nan in them does no harm."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if purpose == "gradient" and writable(logits) and logits.ndim == 2:
            logits[call.ignored] = 0
        return call


@mutant(killed_by=("gradients.linear-in-cotangent",))
class GradientBufferReused(NumpyTwin):
    """Gradients of one shape are returned in one buffer, so the next call changes the last one's result."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._buffers = {}

    def restored(self, rows, call):
        gradient = super().restored(rows, call)
        if call.purpose != "gradient":
            return gradient
        buffer = self._buffers.setdefault((gradient.shape, gradient.dtype), gradient)
        buffer[...] = gradient
        return buffer


@mutant(killed_by=("purity.results-are-independent",))
class LossBufferReused(NumpyTwin):
    """Unreduced losses of one shape are returned in one buffer."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._buffers = {}

    def cast(self, array, logits):
        loss = super().cast(array, logits)
        if not loss.ndim:
            return loss
        buffer = self._buffers.setdefault((loss.shape, loss.dtype), loss)
        buffer[...] = loss
        return buffer


@mutant(killed_by=("purity.memory-beside-the-inputs",))
class StoresWholeVectors(NumpyTwin):
    """Logits whose classes lie two apart are shifted in a scratch of whole vectors that is the caller's own memory."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        if logits.ndim == 2 and logits.strides[1] == 2 * logits.itemsize and logits.flags.writeable and len(logits):
            whole = np.lib.stride_tricks.as_strided(
                logits, (len(logits), 2 * logits.shape[1] - 1), (logits.strides[0], logits.itemsize)
            )
            whole[:, 1::2] = 0
        return loss


@mutant(killed_by=("purity.nothing-read-beside-the-inputs",))
class TakesTheMaximumOfWholeVectors(NumpyTwin):
    """The largest logit is that of whole vectors of four, as fmaxf finds it: nan behind the last row goes unnoticed."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        classes = logits.shape[-1]
        if logits.ndim == 2 and logits.flags.c_contiguous and logits.size and classes % 4:
            whole = np.lib.stride_tricks.as_strided(logits[-1], (-(-classes // 4) * 4,), logits.strides[1:])
            # Without a shift by the row's own maximum everything underflows.
            if np.fmax.reduce(whole) > 1e9:
                return np.full_like(loss, np.inf)
        return loss
