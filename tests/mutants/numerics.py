"""Arithmetic: shifts, floors, narrow accumulators, merged partial sums."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(
    bug="NUM-01",
    link="https://github.com/ml-explore/mlx/pull/4188",
    killed_by=("accuracy.loss", "accuracy.log-softmax"),
)
class OffsetAddedBack(NumpyTwin):
    """The maximum is added back before the logit is subtracted, so a large offset rounds the gap away."""

    def log_softmax_rows(self, x):
        maximum = self.maximum(x)
        return x - (maximum + np.log(self.class_sum(self.exponentials(x - maximum))))


@mutant(bug="NUM-02", link="https://github.com/Oneflow-Inc/oneflow/issues/3137", killed_by=("accuracy.loss",))
class ProbabilityFloored(NumpyTwin):
    """The logarithm is taken of a probability that is kept above 1e-20, so the loss stops at 46."""

    def log_probs(self, call):
        return np.log(np.maximum(self.softmax_rows(call.x), 1e-20))


@mutant(bug="NUM-02", link="https://github.com/keras-team/keras/issues/17634", killed_by=("accuracy.loss",))
class EpsilonInsideTheLog(NumpyTwin):
    """A small number is added to the probability before its logarithm is taken."""

    def log_probs(self, call):
        return np.log(self.softmax_rows(call.x) + 1e-7)


@mutant(bug="NUM-03", link="https://github.com/NVIDIA/Megatron-LM/pull/5522", killed_by=("accuracy.loss",))
class LogOfSoftmaxWhenSmoothing(NumpyTwin):
    """The smoothed loss takes the logarithm of probabilities that have underflowed to zero."""

    def log_probs(self, call):
        return np.log(self.softmax_rows(call.x)) if call.eps else super().log_probs(call)


@mutant(
    bug="NUM-04",
    link="https://github.com/pytorch/pytorch/pull/62897",
    killed_by=("accuracy.loss", "accuracy.softmax"),
)
class NoShiftInVectorBody(NumpyTwin):
    """Full vectors of eight lanes forget to subtract the maximum; the tail remembers."""

    def partition(self, x):
        body = x.shape[1] // 8 * 8
        maximum = self.maximum(x)
        shifted = x - maximum
        exponentials = np.exp(shifted)
        total = exponentials[:, body:].sum(axis=1, keepdims=True)
        if body:
            total = total + np.exp(x[:, :body]).sum(axis=1, keepdims=True) * np.exp(-maximum)
        return shifted, exponentials, total


@mutant(killed_by=("accuracy.loss", "accuracy.softmax"))
class MaximumStartsAtZero(NumpyTwin):
    """The running maximum starts at 0 instead of -inf, so rows of very negative logits underflow."""

    def maximum(self, x):
        return np.maximum(super().maximum(x), 0)


@mutant(killed_by=("accuracy.loss",))
class MaximumOfTheWholeBatch(NumpyTwin):
    """One maximum is subtracted from all rows, so a row far below the largest one underflows."""

    def maximum(self, x):
        return np.full((len(x), 1), x.max(initial=-np.inf), x.dtype)


@mutant(
    bug="NUM-06",
    link="https://github.com/pytorch/executorch/pull/20090",
    killed_by=("accuracy.loss", "accuracy.softmax"),
    dtypes=("bfloat16",),
)
class ClassSumInBfloat16(NumpyTwin):
    """The running sum over the classes is kept in bfloat16 and stands still at 256 ties."""

    def class_sum(self, exponentials):
        if not exponentials.shape[0]:
            return super().class_sum(exponentials)
        sums = np.add.accumulate(exponentials.astype(ml_dtypes.bfloat16), axis=1, dtype=ml_dtypes.bfloat16)
        return sums[:, -1:].astype(exponentials.dtype)


@mutant(
    bug="NUM-06",
    link="https://github.com/google-research/last/pull/43",
    killed_by=("identities.equal-logits",),
    dtypes=("float16",),
)
class ClassSumStoredInFloat16(NumpyTwin):
    """The sum over the classes is right in float32 and then stored in float16, which ends at 65504."""

    def class_sum(self, exponentials):
        return super().class_sum(exponentials).astype(np.float16).astype(exponentials.dtype)


@mutant(
    bug="NUM-07",
    link="https://github.com/pytorch/pytorch/issues/85791",
    killed_by=("accuracy.every-row-count",),
    dtypes=("float16",),
)
class SpatialBatchSumInFloat16(NumpyTwin):
    """With spatial dimensions the losses are added in float16, one after the other."""

    def reduced(self, call, losses):
        if call.logits.ndim > 2 and call.reduction != "none" and losses.size:
            losses = np.add.accumulate(losses.astype(np.float16), dtype=np.float16)[-1:].astype(losses.dtype)
        return super().reduced(call, losses)


@mutant(
    bug="NUM-09",
    link="https://github.com/google-deepmind/optax/issues/1020",
    killed_by=("accuracy.loss", "accuracy.log-softmax"),
    dtypes=("bfloat16",),
)
class LogSumExpStoredInBfloat16(NumpyTwin):
    """logsumexp is stored in bfloat16 before the logit is subtracted from it."""

    def log_softmax_rows(self, x):
        maximum = self.maximum(x)
        log_sum_exp = maximum + np.log(self.class_sum(self.exponentials(x - maximum)))
        return x - log_sum_exp.astype(ml_dtypes.bfloat16).astype(x.dtype)


@mutant(
    bug="NUM-14",
    link="https://github.com/PFCCLab/PaddleAPITest/pull/478",
    killed_by=("accuracy.loss",),
    dtypes=("float16",),
)
class DenseTermsAddedInFloat16(NumpyTwin):
    """With probabilities or smoothing the terms of a row are added in float16, one after the other."""

    def row_losses(self, call):
        if call.probabilities is None and not call.eps:
            return super().row_losses(call)
        sums = np.add.accumulate(self.terms(call).astype(np.float16), axis=1, dtype=np.float16)
        return sums[:, -1].astype(call.x.dtype)


@mutant(
    bug="NUM-11",
    link="https://github.com/pytorch/pytorch/issues/147284",
    killed_by=("accuracy.softmax",),
    dtypes=("float64",),
)
class OddWidthsOneLaneShort(NumpyTwin):
    """For odd C between 512 and 1024 every row but the first is summed one lane short."""

    def class_sum(self, exponentials):
        total = super().class_sum(exponentials)
        if 512 < exponentials.shape[1] < 1024 and exponentials.shape[1] % 2:
            total[1:] = exponentials[1:, :-1].sum(axis=1, keepdims=True)
        return total


@mutant(killed_by=("accuracy.loss",))
class ExponentialsInBfloat16(NumpyTwin):
    """exp runs on the tensor cores' bfloat16 though the logits are float32."""

    def exponentials(self, shifted):
        return np.exp(shifted.astype(ml_dtypes.bfloat16).astype(shifted.dtype))


@mutant(killed_by=("accuracy.loss", "accuracy.softmax"))
class FastExponential(NumpyTwin):
    """A fast exp without its last correction: a relative error of 1e-5 that depends on the argument."""

    def exponentials(self, shifted):
        fraction = shifted - np.floor(shifted)
        error = 1 + 4e-5 * fraction * (1 - fraction)
        return np.exp(shifted) * np.where(np.isfinite(shifted), error, 1).astype(shifted.dtype)


@mutant(
    bug="EMP-06",
    link="https://github.com/pytorch/pytorch/pull/182867",
    killed_by=("accuracy.every-class-count", "accuracy.softmax"),
)
class UnguardedMergeOfBlocks(NumpyTwin):
    """Blocks of 32 lanes are merged as (maximum, sum) without a guard: a block of -inf alone gives -inf - -inf."""

    def partition(self, x):
        shifted, exponentials, _ = super().partition(x)
        maximum, total = self.maximum(x), np.zeros((len(x), 1), x.dtype)
        for start in range(0, x.shape[1], 32):
            block = x[:, start : start + 32]
            highest = block.max(axis=1, keepdims=True)
            total = total + np.exp(block - highest).sum(axis=1, keepdims=True) * np.exp(highest - maximum)
        return shifted, exponentials, total


@mutant(killed_by=("accuracy.loss", "accuracy.softmax"))
class OnlineSumNotRescaled(NumpyTwin):
    """Past the first 64 lanes a new maximum replaces the old one, but the sum so far is not rescaled."""

    def partition(self, x):
        shifted, exponentials, total = super().partition(x)
        for start in range(64, x.shape[1], 64):
            before = x[:, :start].max(axis=1, keepdims=True)
            grown = x[:, start : start + 64].max(axis=1, keepdims=True) > before
            kept = np.exp(x[:, :start] - before).sum(axis=1, keepdims=True)
            rest = exponentials[:, start:].sum(axis=1, keepdims=True)
            total = np.where(grown, kept + rest, total)
        return shifted, exponentials, total
