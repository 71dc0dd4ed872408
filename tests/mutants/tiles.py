"""Tiles, blocks and shards of the class axis."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

SUMS = ("accuracy.loss", "accuracy.softmax")


@mutant(bug="FUS-01", link="https://github.com/verl-project/verl/issues/2899", killed_by=SUMS)
class TilePaddedWithZeros(NumpyTwin):
    """The last tile of 256 lanes is padded with logits of 0, not -inf: seen where the real ones are negative."""

    def partition(self, x):
        shifted, exponentials, total = super().partition(x)
        padding = -x.shape[1] % 256
        return shifted, exponentials, total + padding * np.exp(-np.maximum(self.maximum(x), 0))


@mutant(bug="FUS-01", link="https://github.com/verl-project/verl/pull/5349", killed_by=SUMS)
class LongTilePaddedWithZeros(NumpyTwin):
    """As TilePaddedWithZeros, with tiles of 1024 lanes and only where there is more than one."""

    def partition(self, x):
        shifted, exponentials, total = super().partition(x)
        padding = -x.shape[1] % 1024 if x.shape[1] > 1024 else 0
        return shifted, exponentials, total + padding * np.exp(-np.maximum(self.maximum(x), 0))


@mutant(killed_by=SUMS)
class LastPartialTileDropped(NumpyTwin):
    """C // 128 tiles are summed, so what is left over past 128 classes is lost."""

    def class_sum(self, exponentials):
        lanes = exponentials.shape[1]
        return super().class_sum(exponentials[:, : lanes // 128 * 128] if lanes > 128 else exponentials)


@mutant(killed_by=SUMS)
class LoneLaneDropped(NumpyTwin):
    """Tiles start at range(0, C - 1, 256), so a last tile of a single lane is never started."""

    def class_sum(self, exponentials):
        lanes = exponentials.shape[1]
        return super().class_sum(exponentials[:, :-1] if lanes > 256 and lanes % 256 == 1 else exponentials)


@mutant(killed_by=SUMS)
class OverlappingTail(NumpyTwin):
    """The last vector of 16 lanes starts at C - 16, so lanes that it shares with the one before count twice."""

    def class_sum(self, exponentials):
        lanes, total = exponentials.shape[1], super().class_sum(exponentials)
        if lanes > 16 and lanes % 16:
            total = total + exponentials[:, lanes - 16 : lanes // 16 * 16].sum(axis=1, keepdims=True)
        return total


@mutant(killed_by=("accuracy.every-class-count",))
class MaximumOfTheFirstTile(NumpyTwin):
    """The maximum is that of the first 1024 lanes, so a later one that dominates overflows."""

    def maximum(self, x):
        return x[:, :1024].max(axis=1, keepdims=True)


@mutant(
    bug="PAR-03", link="https://github.com/apple/ml-cross-entropy/pull/59", killed_by=("accuracy.every-class-count",)
)
class TargetInTailTileMissed(NumpyTwin):
    """The target's logit is picked up in full tiles of 64 lanes; in the tail it stays 0."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        body = call.classes // 64 * 64
        if call.probabilities is not None or call.eps or not body:
            return losses
        missed = call.class_weights[call.labels] * call.x[call.rows, call.labels]
        return np.where(~call.ignored & (call.labels >= body), losses + missed, losses)


@mutant(bug="PAR-05", link="https://github.com/modelscope/ms-swift/pull/9947", killed_by=("gradients.logits",))
class RemoteTargetHasNoGradient(NumpyTwin):
    """The classes are split in two shards from 64 on; a target in the second one gets no gradient of its own."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        if call.classes >= 64 and call.classes % 2 == 0 and call.probabilities is None:
            half = call.classes // 2
            gradient[:, half:] += self.shares(call)[:, half:]
        return gradient


@mutant(
    bug="PAR-02", link="https://github.com/NVIDIA/Megatron-LM/issues/7452", killed_by=("accuracy.every-class-count",)
)
class ShardsSummedTwice(NumpyTwin):
    """Where C is a multiple of 512 the sum is taken over two shards that each hold all classes."""

    def class_sum(self, exponentials):
        total = super().class_sum(exponentials)
        return total * 2 if exponentials.shape[1] % 512 == 0 else total


@mutant(
    bug="PAR-03", link="https://github.com/apple/ml-cross-entropy/pull/59", killed_by=("accuracy.every-class-count",)
)
class FirstLabelOfSecondShardMissed(NumpyTwin):
    """From 32 classes on in two shards, the first label of the second one equals the mark for 'not mine'."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.probabilities is not None or call.eps or call.classes % 2 or call.classes < 32:
            return losses
        missed = call.class_weights[call.labels] * call.x[call.rows, call.labels]
        return np.where(~call.ignored & (call.labels == call.classes // 2), losses + missed, losses)


@mutant(killed_by=("accuracy.every-class-count",))
class LanesPast32768(NumpyTwin):
    """One block of at most 32768 lanes for each row: later classes are not in the sum."""

    def class_sum(self, exponentials):
        return super().class_sum(exponentials[:, :32768])


@mutant(killed_by=("accuracy.every-class-count",))
class LanesPast65535(NumpyTwin):
    """The lane counter has 16 bits and stops at 65535."""

    def class_sum(self, exponentials):
        return super().class_sum(exponentials[:, :65535])


@mutant(killed_by=("gradients.logits",))
class GradientLanesPast2048(NumpyTwin):
    """backward has one block of 2048 lanes; the gradient of later classes is left at zero."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        gradient[:, 2048:] = 0
        return gradient


@mutant(bug="API-04", link="https://github.com/allenai/OLMo-core/pull/702", killed_by=("accuracy.loss",))
class AuxiliaryLossLeftOn(NumpyTwin):
    """`scale or 1e-4`: the squared logsumexp is added though its scale is 0, in the mean alone."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.reduction != "mean":
            return losses
        maximum = self.maximum(call.x)
        log_z = (maximum + np.log(self.class_sum(np.exp(call.x - maximum))))[:, 0]
        return np.where(call.ignored, 0, losses + 1e-4 * log_z**2)
