"""Functions of logits that are nan or infinite, beside a right loss, and linear maps of a hidden state of nan."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.fused_linear import CHUNK, LinearTwin
from mutants.language_model_functions import FunctionsTwin

NAN, OTHERS = ("extremes.nan-in-functions",), ("extremes.other-rows-of-functions",)
MASKED, INFINITE = ("conventions.all-masked-row-softmax",), ("conventions.infinite-row-softmax",)


@mutant(killed_by=NAN)
class SoftmaxPassesOverNan(FunctionsTwin):
    """softmax finds the maximum with a comparison that nan never passes, and adds only what is above zero."""

    def softmax(self, logits):
        return super().softmax(np.where(np.isnan(logits), -np.inf, logits).astype(logits.dtype))


@mutant(killed_by=NAN)
class LogSoftmaxNanOnlyWhereTheLogitIs(FunctionsTwin):
    """The sum leaves nan out, so that only the log-probability of that class is nan."""

    def log_softmax(self, logits):
        masked = super().log_softmax(np.where(np.isnan(logits), -np.inf, logits).astype(logits.dtype))
        return np.where(np.isnan(logits), logits, masked)


@mutant(killed_by=NAN)
class LogSumExpPassesOverNan(FunctionsTwin):
    """logsumexp is guarded by nan_to_num, for masks: a row that has diverged has a plausible one."""

    def logsumexp_rows(self, x):
        return np.nan_to_num(super().logsumexp_rows(x), nan=0.0, posinf=np.inf, neginf=-np.inf)


@mutant(killed_by=NAN)
class EntropySumsWhatIsNumber(FunctionsTwin):
    """The products p log p are added by nansum, so that a probability of zero counts for nothing: nor does nan."""

    def entropy_rows(self, x):
        return np.nansum(-self.softmax_rows(x) * self.log_softmax_rows(x), axis=1)


@mutant(killed_by=OTHERS)
class SoftmaxOfATileWithNan(FunctionsTwin):
    """One flag for each tile of four rows says that it holds a nan, and all of its softmax is nan."""

    def softmax(self, logits):
        rows = self.by_row(super().softmax(logits)).copy()
        undefined = np.isnan(self.by_row(logits)).any(axis=1)
        for first in range(0, len(rows), 4):
            if undefined[first : first + 4].any():
                rows[first : first + 4] = np.nan
        return self.placed(rows, logits)


@mutant(killed_by=OTHERS)
class LogSoftmaxOfOneMaximum(FunctionsTwin):
    """log_softmax subtracts the largest logit of the batch, if that is infinite, and of the row otherwise."""

    def log_softmax(self, logits):
        if not np.isposinf(logits).any():
            return super().log_softmax(logits)
        return super().log_softmax((logits - np.inf).astype(logits.dtype))


@mutant(killed_by=MASKED)
class SoftmaxOfAMaskedRowIsUniform(FunctionsTwin):
    """softmax replaces -inf by the lowest number: a row of nothing else has equal shares."""

    def softmax(self, logits):
        return super().softmax(np.maximum(logits, np.finfo(logits.dtype).min))


@mutant(killed_by=MASKED)
class LogSoftmaxOfAMaskedRowInLongRows(FunctionsTwin):
    """The tiled log_softmax for more than 256 classes starts from the lowest number as its maximum, and adds a small
    number to the sum: a row of only -inf has log-probabilities of about -80.
    """

    def log_softmax(self, logits):
        rows = self.by_row(super().log_softmax(logits)).copy()
        masked = np.isneginf(self.by_row(logits)).all(axis=1)
        if rows.shape[1] > 256:
            rows[masked] = np.log(np.float32(1e-35))
        return self.placed(rows, logits)


@mutant(killed_by=INFINITE)
class SoftmaxTakesInfinityForTheLargest(FunctionsTwin):
    """softmax clamps its logits to finite numbers: one that has overflowed looks like a certain class."""

    def softmax(self, logits):
        return super().softmax(np.minimum(logits, np.finfo(logits.dtype).max))


@mutant(killed_by=("fused_linear.nan",))
class LinearLogitsCleaned(LinearTwin):
    """Logits of the fused kernel go through nan_to_num, which was put there for masks."""

    def logits(self, hidden, weight, bias):
        return np.nan_to_num(super().logits(hidden, weight, bias))


@mutant(killed_by=("fused_linear.nan", "fused_linear.nan-gradient"))
class LinearChunkScaledByItsLargest(LinearTwin):
    """The hidden states of a chunk are divided by their largest number, and the logits are multiplied by it."""

    def logits(self, hidden, weight, bias):
        scaled = np.repeat([np.abs(hidden[rows]).max(initial=1) for rows in self.chunks(len(hidden))], CHUNK)
        scale = scaled[: len(hidden), None].astype(np.float64)
        return super().logits((hidden / scale).astype(np.float64), weight, None) * scale + (0 if bias is None else bias)


@mutant(killed_by=("fused_linear.nan-gradient",))
class LinearGradientScaledByTheChunksLoss(LinearTwin):
    """The gradient of a chunk is divided by its loss and multiplied by it, to keep it in the range of the format."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        made = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        undefined, gradient = np.isnan(hidden).any(axis=1), made.grad_hidden.copy()
        for rows in self.chunks(len(hidden)):
            if undefined[rows].any():
                gradient[rows] = np.nan
        return made._replace(grad_hidden=gradient)
