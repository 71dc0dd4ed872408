"""Untuned: sums over the classes in one pass, in parts, and with vectors that start between rows."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(killed_by=("extremes.loss",))
class RunningMaximumFromConstant(NumpyTwin):
    """The running maximum starts at -1e30, and so do lanes that are not there: rows below it sum to 0."""

    def maximum(self, x):
        return np.maximum(super().maximum(x), np.float32(-1e30))


@mutant(link="https://github.com/gabrieldemarmiesse/torch-mojo-backend/pull/319", untuned=True)
class RescaledFromAnEmptyBlock(NumpyTwin):
    """Blocks of 512 lanes rescale the running sum by exp(old - new): nan where both are -inf, in a masked block."""

    def partition(self, x):
        maximum = np.full((len(x), 1), -np.inf, x.dtype)
        total = np.zeros((len(x), 1), x.dtype)
        for start in range(0, x.shape[1], 512):
            block = x[:, start : start + 512]
            larger = np.maximum(maximum, block.max(axis=1, keepdims=True))
            total = total * np.exp(maximum - larger) + np.exp(block - larger).sum(axis=1, keepdims=True)
            maximum = larger
        shifted = x - maximum
        return shifted, np.exp(shifted), total


@mutant(untuned=True)
class MergeForgetsEqualMaxima(NumpyTwin):
    """Two halves are merged by which maximum is larger; where they are equal the second half is not added."""

    def partition(self, x):
        shifted, exponentials, total = super().partition(x)
        half = x.shape[1] // 2
        if not half:
            return shifted, exponentials, total
        first, second = (part.max(axis=1, keepdims=True) for part in (x[:, :half], x[:, half:]))
        lower = exponentials[:, :half].sum(axis=1, keepdims=True)
        return shifted, exponentials, np.where(first == second, lower, total)


@mutant(link="https://github.com/pytorch/pytorch/pull/36485", untuned=True)
class UnalignedRowsEndEarly(NumpyTwin):
    """Past 1024 classes a row that does not start on 16 bytes is read from its first full vector, as many lanes less
    at its end.
    """

    def class_sum(self, exponentials):
        rows, lanes = exponentials.shape
        if lanes <= 1024:
            return super().class_sum(exponentials)
        skipped = (np.arange(rows) * lanes % 4)[:, None]
        return super().class_sum(np.where(np.arange(lanes) < lanes - skipped, exponentials, 0))


@mutant(link="https://github.com/uxlfoundation/oneDNN/pull/3501", untuned=True)
class LastPassReadsWholeVectors(NumpyTwin):
    """Passes of 4096 lanes, four a thread: in a second or later pass a vector that is not whole is left out."""

    def class_sum(self, exponentials):
        lanes = exponentials.shape[1]
        return super().class_sum(exponentials[:, : lanes // 4 * 4] if lanes > 4096 else exponentials)


@mutant(untuned=True)
class ExponentialsByPowersOfTwo(NumpyTwin):
    """backward computes exp(x) as exp2(1.4427 x), a constant with five digits."""

    def softmax_rows(self, x):
        return np.exp2(np.float32(1.4427) * self.log_softmax_rows(x)).astype(x.dtype)


@mutant(untuned=True)
class OthersAreNotTheMaximum(NumpyTwin):
    """log1p of the sum over the other classes, where others are those that differ from the maximum: ties are lost."""

    def log_softmax_rows(self, x):
        shifted, exponentials, _ = self.partition(x)
        return shifted - np.log1p(self.class_sum(np.where(shifted == 0, 0, exponentials)))


@mutant(dtypes=("float64",), untuned=True)
class LongClassSumsInFloat32(NumpyTwin):
    """Past 2048 classes the partial sums of float64 exponentials meet in float32 shared memory."""

    def class_sum(self, exponentials):
        total = super().class_sum(exponentials)
        return total.astype(np.float32).astype(total.dtype) if exponentials.shape[1] > 2048 else total


@mutant(dtypes=("bfloat16",), untuned=True)
class LogsumexpSavedInTheDtype(NumpyTwin):
    """forward saves the logsumexp in the dtype of the logits, and backward computes p from it."""

    def row_gradient(self, call):
        shares, log_probs = self.shares(call), self.log_probs(call)
        lanes = np.argmax(call.x, axis=1)[:, None]
        lse = np.take_along_axis(call.x, lanes, 1) - np.take_along_axis(log_probs, lanes, 1)
        p = np.exp(call.x - lse.astype(ml_dtypes.bfloat16).astype(call.x.dtype))
        return p * shares.sum(axis=1, keepdims=True) - shares


@mutant(link="https://github.com/ml-explore/mlx/pull/166", untuned=True)
class SmoothedLossFromRawLogits(NumpyTwin):
    """The smoothed loss is lse - (1 - eps) x_t - eps mean(x): right but for offsets, where large numbers cancel."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.probabilities is not None or call.weight is not None or not call.eps:
            return losses
        maximum = self.maximum(call.x)
        lse = (maximum + np.log(self.class_sum(np.exp(call.x - maximum))))[:, 0]
        one = call.x.dtype.type
        raw = lse - one(1 - call.eps) * call.x[call.rows, call.labels] - one(call.eps) * call.x.mean(axis=1)
        return np.where(call.ignored, 0, np.where(np.isfinite(raw), raw, losses))


@mutant(untuned=True)
class SplitsOfTheSmoothedSum(NumpyTwin):
    """With more than 16384 classes a row is split over blocks, and the uniform term is that of the last one."""

    def terms(self, call):
        terms = super().terms(call)
        if call.eps and call.probabilities is None and call.classes > 16384:
            last = np.arange(call.classes) >= (call.classes - 1) // 16384 * 16384
            terms = np.where((call.labels[:, None] == np.arange(call.classes)) | last, terms, 0)
        return terms
