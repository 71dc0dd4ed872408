"""No rows, no positions, no class, one class, two classes."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(bug="EMP-01", link="https://github.com/pytorch/pytorch/issues/51910", killed_by=("edges.empty-batch",))
class EmptyMeanIsZero(NumpyTwin):
    """The mean of an empty batch is 0 though the convention says nan."""

    def divisor(self, call):
        return super().divisor(call) if len(call.x) else 1.0


@mutant(bug="EMP-04", link="https://github.com/PaddlePaddle/Paddle/pull/73880", killed_by=("edges.empty-batch",))
class EmptySumIsNan(NumpyTwin):
    """The sum of an empty batch passes through the mean and is nan."""

    def reduced(self, call, losses):
        if call.reduction == "sum" and not losses.size:
            return self.cast(np.asarray(np.nan), call.logits)
        return super().reduced(call, losses)


@mutant(bug="EMP-03", link="https://github.com/tensorflow/tensorflow/pull/16051", killed_by=("edges.empty-batch",))
class EmptyBatchCrashes(NumpyTwin):
    """The kernel cannot be launched with a grid of no rows."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if not len(call.x):
            raise RuntimeError("invalid configuration argument")
        return call


@mutant(killed_by=("edges.empty-batch",))
class EmptyGradientLosesItsShape(NumpyTwin):
    """The gradient of an empty batch is an empty vector."""

    def restored(self, rows, call):
        return super().restored(rows, call) if rows.size else np.zeros(0, call.logits.dtype)


@mutant(
    bug="EMP-02", link="https://github.com/pytorch/pytorch/issues/73165", killed_by=("edges.labels-without-classes",)
)
class NoClassesGivesZero(NumpyTwin):
    """Logits without a class give a loss of 0 for every label."""

    def cross_entropy(self, logits, target, **options):
        if logits.ndim > 1 and logits.shape[1] == 0 and logits.shape[0]:
            rows = np.zeros(logits.shape[:1] + logits.shape[2:], logits.dtype)
            return rows if options.get("reduction") == "none" else np.zeros((), logits.dtype)
        return super().cross_entropy(logits, target, **options)


@mutant(bug="EMP-05", link="https://github.com/Dao-AILab/flash-attention/issues/1461", killed_by=("accuracy.loss",))
class OneClassSmoothedByZero(NumpyTwin):
    """eps / (C - 1) sits in the formula for the target's own share: with one class it is a division by zero."""

    def smoothed(self, call, distribution):
        if not call.eps or call.classes > 1:
            return super().smoothed(call, distribution)
        return (1 - call.eps) * distribution + np.float32(call.eps) / np.float32(call.classes - 1) * (1 - distribution)


@mutant(killed_by=("identities.single-class",))
class OneClassIsBinary(NumpyTwin):
    """A single unbatched logit is taken for a binary problem: softplus(-x) instead of 0."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.classes == 1 and call.logits.ndim == 1 and call.probabilities is None:
            return np.where(call.ignored, 0, np.logaddexp(0, -call.x[:, 0]) * call.class_weights[0])
        return losses


@mutant(killed_by=("accuracy.loss",))
class TwoClassesOverflow(NumpyTwin):
    """Two classes take a fast path, log(1 + exp(difference)), that overflows past a difference of 88."""

    def log_softmax_rows(self, x):
        if x.shape[1] != 2:
            return super().log_softmax_rows(x)
        return -np.log1p(np.exp(x[:, ::-1] - x))


@mutant(killed_by=("identities.softplus",))
class TwoClassesPastTheThreshold(NumpyTwin):
    """Two classes take softplus, which is linear from 10 on: the likely class has no loss at all there."""

    def log_softmax_rows(self, x):
        if x.shape[1] != 2:
            return super().log_softmax_rows(x)
        gap = x[:, ::-1] - x
        return np.where(gap > 10, -gap, np.where(gap < -10, 0, -np.logaddexp(0, gap)))


@mutant(bug="EMP-06", link="https://github.com/pytorch/pytorch/pull/182867", killed_by=("accuracy.loss",))
class FewerClassesThanLanes(NumpyTwin):
    """With fewer than four classes the idle lanes hold 0 and take part in the maximum."""

    def maximum(self, x):
        return np.maximum(super().maximum(x), 0) if x.shape[1] < 4 else super().maximum(x)
