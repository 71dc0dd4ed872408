"""Options where rows are long: the kernel for many classes was written later, and for plain calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mutants.catalogue import mutant
from mutants.layouts import read_as_dense
from mutants.numpy_twin import NumpyTwin

LOSS = ("accuracy.any-size",)
LOGITS = ("gradients.any-size",)


@mutant(killed_by=("accuracy.every-combination",))
class LongIgnoredRowsCounted(NumpyTwin):
    """With more than 4097 classes the mean divides by all rows."""

    def row_weights(self, call):
        right = super().row_weights(call)
        return call.class_weights[call.labels] if call.classes > 4097 and call.probabilities is None else right


@mutant(killed_by=LOGITS)
class LongIgnoredRowsHaveGradients(NumpyTwin):
    """With more than 4097 classes backward forgets to skip ignored rows: they get p times their cotangent."""

    def grad_logits(self, call, cotangents):
        right = super().grad_logits(call, cotangents)
        if call.classes <= 4097 or not call.ignored.any():
            return right
        rows = self.by_row(right)
        scale = np.broadcast_to(self.scale(call, cotangents), (len(rows), 1))
        rows[call.ignored] = (scale * self.softmax_rows(call.x))[call.ignored]
        return self.restored(rows, call)


@mutant(killed_by=("ignore_index.content-is-irrelevant-to-loss",))
class LongIgnoredRowsMultiplied(NumpyTwin):
    """With more than 1025 classes ignored rows are multiplied by 0 rather than left out, which leaves nan."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.classes <= 1025:
            return losses
        return losses + np.where(call.ignored, 0 * super().log_probs(call).sum(axis=1), 0)


@mutant(killed_by=LOSS)
class WeightsOfOneTile(NumpyTwin):
    """Class weights are staged in tiles of 8192; past the first the weight of class t is looked up at t % 8192."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if call.weight is None or call.classes <= 8192:
            return call
        return replace(call, weight=call.weight[np.arange(call.classes) % 8192])


@mutant(killed_by=LOSS)
class LongIgnoredRowsSmoothed(NumpyTwin):
    """With more than 1025 classes ignored rows keep the uniform part of the smoothing."""

    def shares(self, call):
        shares = super().shares(call)
        if not call.eps or call.classes <= 1025 or call.probabilities is not None:
            return shares
        return np.where(call.ignored[:, None], call.eps / call.classes * call.class_weights, shares).astype(
            shares.dtype
        )

    def counted(self, call):
        long = call.eps and call.classes > 1025
        return np.ones(call.x.shape, bool) if long else super().counted(call)


@mutant(killed_by=LOGITS)
class LongTargetsSumToOne(NumpyTwin):
    """With more than 2050 classes backward takes the shares of probability targets to add up to one."""

    def row_gradient(self, call):
        if call.probabilities is None or call.classes <= 2050:
            return super().row_gradient(call)
        return self.softmax_rows(call.x) - self.shares(call)


@mutant(killed_by=LOSS)
class LongRowsReadAsDense(NumpyTwin):
    """From 8192 classes on a TMA descriptor is made from the shape alone, whatever the strides."""

    def by_row(self, array):
        long = array.ndim == 2 and array.shape[1] >= 8192
        return super().by_row(read_as_dense(array) if long else array)


@mutant(killed_by=("gradients.every-class-count",))
class LongRowsShareAnUpstream(NumpyTwin):
    """With more than 4097 classes backward loads the upstream gradient once, as for a reduced loss."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        return np.full_like(cotangents, cotangents[0, 0]) if call.classes > 4097 and cotangents.size else cotangents


@mutant(killed_by=LOGITS)
class LongMeanDividesByAllRows(NumpyTwin):
    """With more than 513 classes the gradient is divided by the number of rows, not by their weights."""

    def scale(self, call, cotangents):
        if call.reduction != "mean" or call.classes <= 513 or call.purpose != "gradient":
            return super().scale(call, cotangents)
        return cotangents / len(call.x)


@mutant(killed_by=LOSS)
class ManyChannels(NumpyTwin):
    """The kernel for (N, C, d) has one tile of 16 channels: later ones are not in the sum."""

    def log_probs(self, call):
        if call.logits.ndim < 3 or call.classes <= 16:
            return super().log_probs(call)
        shifted, exponentials, _ = self.partition(call.x)
        return shifted - np.log(self.class_sum(exponentials[:, :16]))


@mutant(killed_by=LOGITS)
class ManyChannelsInBackward(NumpyTwin):
    """backward of (N, C, d) has 64 channels in a block, and gives later ones those of the first block again."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        if call.logits.ndim > 2 and call.classes > 64:
            gradient[:, 64:] = np.resize(gradient[:, :64], (len(gradient), call.classes))[:, 64:]
        return gradient


@mutant(killed_by=LOSS)
class UnbatchedRowOfOneWarp(NumpyTwin):
    """A single unbatched row is given to one warp of 64 lanes."""

    def log_probs(self, call):
        if call.logits.ndim > 1 or call.classes <= 64:
            return super().log_probs(call)
        shifted, exponentials, _ = self.partition(call.x)
        return shifted - np.log(self.class_sum(exponentials[:, :64]))


@mutant(killed_by=("accuracy.every-row-count",))
class SpatialMeanCountsIgnored(NumpyTwin):
    """The mean over more than 512 spatial positions divides by all of them, ignored ones too."""

    def divisor(self, call):
        if call.logits.ndim < 3 or len(call.x) <= 512 or call.probabilities is not None or call.weight is not None:
            return super().divisor(call)
        return len(call.x)


@mutant(killed_by=("accuracy.unbiased",))
class LongRowsWithShortConstant(NumpyTwin):
    """The kernel for more than 256 classes evaluates exp as exp2, with log2(e) written as 1.4427."""

    def exponentials(self, shifted):
        return np.exp2(shifted * np.float32(1.4427)) if shifted.shape[1] > 256 else super().exponentials(shifted)


@mutant(killed_by=("accuracy.unbiased",), dtypes=("bfloat16",))
class LongRowsStoredByTruncation(NumpyTwin):
    """The kernel for more than 256 classes stores bfloat16 as the upper half of a float32: truncated, not rounded."""

    def cast(self, array, logits):
        if logits.ndim != 2 or logits.shape[1] <= 256 or array.dtype != np.float32:
            return super().cast(array, logits)
        upper = np.ascontiguousarray(array).view(np.uint32) & np.uint32(0xFFFF0000)
        return super().cast(upper.view(np.float32).reshape(array.shape), logits)
