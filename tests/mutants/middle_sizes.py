"""Kernels that are right at the edges of powers of two and wrong between them: partial tiles, odd numbers of parts."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

LOGITS = ("gradients.any-size",)


def _three_quarters(lanes):
    """The lanes of a tile of three quarters of a power of two, where that is chosen; else None."""
    power = 1 << (lanes - 1).bit_length()
    return power * 3 // 4 if power >= 256 and power * 3 // 4 <= lanes < power * 7 // 8 else None


@mutant(killed_by=("accuracy.loss", *LOGITS))
class PartialVectorOfLongRows(NumpyTwin):
    """Past 129 classes a tail of three to six lanes is loaded as a vector of two, and the last lane is not summed."""

    def class_sum(self, exponentials):
        lanes = exponentials.shape[1]
        return super().class_sum(exponentials[:, :-1] if lanes > 129 and 3 <= lanes % 8 <= 6 else exponentials)


@mutant(killed_by=("accuracy.loss", "gradients.any-size"))
class TailPastHalfAVector(NumpyTwin):
    """Past 129 classes a tail of more than half a vector of 16 is rounded up, and reads into its own start again."""

    def class_sum(self, exponentials):
        lanes, total = exponentials.shape[1], super().class_sum(exponentials)
        if lanes > 129 and 9 <= lanes % 16 <= 14:
            total = total + exponentials[:, -(lanes % 16) :][:, : 16 - lanes % 16].sum(axis=1, keepdims=True)
        return total


@mutant(killed_by=("accuracy.every-class-count",))
class TileOfThreeQuarters(NumpyTwin):
    """Up to seven eighths of a power of two a tile of three quarters is chosen, without a loop over the rest."""

    def class_sum(self, exponentials):
        return super().class_sum(exponentials[:, : _three_quarters(exponentials.shape[1])])


@mutant(killed_by=("accuracy.every-class-count",))
class MaximumOfThreeQuarters(NumpyTwin):
    """The maximum is that of the tile of three quarters of a power of two; a later lane far above it overflows."""

    def maximum(self, x):
        return super().maximum(x[:, : _three_quarters(x.shape[1])])


@mutant(killed_by=("accuracy.every-class-count",))
class PartsThatAreNoPowerOfTwo(NumpyTwin):
    """Nine to 31 parts of 1024 lanes are added by halving their number, which drops one of each odd number."""

    def class_sum(self, exponentials):
        parts = -(-exponentials.shape[1] // 1024)
        if not 9 <= parts <= 31:
            return super().class_sum(exponentials)
        sums = np.stack([exponentials[:, i * 1024 : (i + 1) * 1024].sum(axis=1) for i in range(parts)])
        while len(sums) > 1:
            half = len(sums) // 2
            sums = sums[:half] + sums[half : 2 * half]
        return sums[0][:, None]


@mutant(killed_by=("gradients.every-share",))
class MergeInBfloat16(NumpyTwin):
    """From five parts of 1024 lanes on, but for more than one block's worth, partial sums are merged in bfloat16."""

    def class_sum(self, exponentials):
        lanes = exponentials.shape[1]
        if not 5000 < lanes < 32000:
            return super().class_sum(exponentials)
        parts = [exponentials[:, i : i + 1024].sum(axis=1) for i in range(0, lanes, 1024)]
        return np.stack(parts).astype(ml_dtypes.bfloat16).astype(exponentials.dtype).sum(axis=0)[:, None]


@mutant(killed_by=LOGITS)
class GradientOfPartialVector(NumpyTwin):
    """backward stores vectors of eight lanes; past 129 classes a tail of three to six keeps p without the target."""

    def row_gradient(self, call):
        gradient, tail = super().row_gradient(call), call.classes % 8
        if call.classes > 129 and 3 <= tail <= 6:
            gradient[:, -tail:] = self.softmax_rows(call.x)[:, -tail:] * self.shares(call).sum(axis=1, keepdims=True)
        return gradient


@mutant(killed_by=("gradients.every-class-count",))
class GradientPastThreeQuarters(NumpyTwin):
    """backward has the tile of three quarters of a power of two; later lanes get no gradient."""

    def row_gradient(self, call):
        gradient, tile = super().row_gradient(call), _three_quarters(call.classes)
        if tile is not None:
            gradient[:, tile:] = 0
        return gradient


@mutant(killed_by=("accuracy.every-class-count",))
class TargetInAPartialTile(NumpyTwin):
    """From 1025 to 32766 classes the target's logit in a last tile of two to 1000 lanes of 1024 is read as 0."""

    def row_losses(self, call):
        losses, tail = super().row_losses(call), call.classes % 1024
        if not (1024 < call.classes < 32767 and 2 < tail <= 1000) or call.probabilities is not None or call.eps:
            return losses
        missed = call.class_weights[call.labels] * call.x[call.rows, call.labels]
        return np.where(~call.ignored & (call.labels >= call.classes - tail), losses + missed, losses)


@mutant(killed_by=("accuracy.every-class-count",))
class RowsPackedInFours(NumpyTwin):
    """From 66 to 126 classes four rows share a block; rows left over get the logsumexp of the row before them."""

    def log_softmax_rows(self, x):
        right, full = super().log_softmax_rows(x), len(x) // 4 * 4
        if 66 <= x.shape[1] <= 126 and 0 < full < len(x):
            right[full:] = x[full:] - (x[full - 1, 0] - right[full - 1, 0])
        return right


@mutant(killed_by=("ignore_index.sentinel-is-exact",))
class LanesSharedByTwoWarps(NumpyTwin):
    """Between 33 and 47 lanes past a power of two two warps overlap by a lane, which is summed twice."""

    def class_sum(self, exponentials):
        lanes, total = exponentials.shape[1], super().class_sum(exponentials)
        power = 1 << (lanes.bit_length() - 1)
        if power >= 128 and 33 <= lanes - power <= 47:
            total = total + exponentials[:, power : power + 1]
        return total


@mutant(killed_by=("accuracy.every-row-count",))
class RowsOfAPartialGrid(NumpyTwin):
    """A grid has 256 rows; past 1025, a last one of two to 250 rows takes its labels from the grid before it."""

    def row_losses(self, call):
        losses, tail = super().row_losses(call), len(call.x) % 256
        if len(call.x) <= 1025 or not 2 <= tail <= 250 or call.probabilities is not None or call.eps:
            return losses
        if call.logits.ndim > 2:
            return losses
        labels = call.labels[-256 - tail : -256]
        wrong = -call.class_weights[labels] * self.log_probs(call)[call.rows[-tail:], labels]
        losses[-tail:] = np.where(call.ignored[-tail:], 0, wrong)
        return losses


@mutant(killed_by=("accuracy.every-row-count",))
class PartialSumsOfMiddleBatches(NumpyTwin):
    """More than 130 rows and less than 250 are summed by eight threads of 32 rows each, the last of which stops."""

    def reduced(self, call, losses):
        if call.reduction != "none" and 130 <= len(losses) <= 250:
            losses = np.where(np.arange(len(losses)) < len(losses) // 32 * 32, losses, 0)
        return super().reduced(call, losses)


@mutant(killed_by=("accuracy.every-row-count",))
class DivisorOfAPartialBlock(NumpyTwin):
    """The weights of the mean's divisor are added in blocks of 1024 rows; a last one of two to 1000 counts rows."""

    def divisor(self, call):
        weights, tail = self.row_weights(call), len(call.x) % 1024
        if call.weight is None or len(weights) <= 1025 or not 2 <= tail <= 1000:
            return super().divisor(call)
        return (weights[:-tail].sum() + (~call.ignored[-tail:]).sum()) or np.nan


@mutant(killed_by=("gradients.every-row-count",))
class GradientOfALongLoop(NumpyTwin):
    """A grid-stride loop of 8192 rows loses its last, partial turn in backward."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        if 8192 < len(kept) < 65536 and call.purpose == "gradient":
            kept[len(kept) // 8192 * 8192 :] = 0
        return kept
