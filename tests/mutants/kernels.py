"""Loop tails, merges of blocks and row loops of hand-written kernels."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(killed_by=("accuracy.every-class-count",))
class ThirdBlockKeepsOldMaximum(NumpyTwin):
    """Blocks of 128 are merged two at a time; from the third on the sum is not rescaled to a new maximum."""

    def partition(self, x):
        if x.shape[1] <= 256:
            return super().partition(x)
        first = x[:, :256].max(axis=1, keepdims=True)
        later = x[:, 256:].max(axis=1, keepdims=True)
        maximum = np.maximum(first, later)
        shifted = x - maximum
        exponentials = np.exp(shifted)
        stale = np.exp(x[:, :256] - first).sum(axis=1, keepdims=True)
        return shifted, exponentials, stale + exponentials[:, 256:].sum(axis=1, keepdims=True)


@mutant(killed_by=("accuracy.every-class-count",))
class OddBlockLeftOutOfTheTree(NumpyTwin):
    """Sums of blocks of 64 are added pairwise; an odd one at the end has no partner and is dropped."""

    def class_sum(self, exponentials):
        blocks = -(-exponentials.shape[1] // 64)
        if blocks > 1 and blocks % 2:
            exponentials = exponentials[:, : (blocks - 1) * 64]
        return super().class_sum(exponentials)


@mutant(killed_by=("accuracy.every-class-count",))
class MaximumOfFullVectorsOnly(NumpyTwin):
    """The maximum is taken over full vectors of eight lanes, the sum over all: a tail that dominates overflows."""

    def maximum(self, x):
        body = x.shape[1] // 8 * 8
        return super().maximum(x[:, :body] if body else x)


@mutant(killed_by=("accuracy.loss",))
class PairsOfRowsShareAMaximum(NumpyTwin):
    """Up to 16 classes two rows fit into one warp, and the warp has one maximum."""

    def maximum(self, x):
        own = super().maximum(x)
        if x.shape[1] > 16 or len(x) < 2:
            return own
        even = len(x) // 2 * 2
        paired = np.repeat(own[:even].reshape(-1, 2).max(axis=1), 2)[:, None]
        return np.concatenate([paired, own[even:]])


@mutant(killed_by=("gradients.every-row-count",))
class RowsLeftOverByTheGrid(NumpyTwin):
    """48 programs take rows // 48 rows each in backward; what is left over gets no gradient."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        if len(kept) > 48:
            kept[len(kept) // 48 * 48 :] = 0
        return kept


@mutant(killed_by=("gradients.every-row-count",))
class LabelsStagedOnce(NumpyTwin):
    """The first 64 labels are staged in shared memory, and backward reads label i % 64 of unweighted rows."""

    def row_gradient(self, call):
        if len(call.x) <= 64 or call.probabilities is not None or call.eps or call.weight is not None:
            return super().row_gradient(call)
        gradient = self.softmax_rows(call.x)
        gradient[call.rows, call.labels[call.rows % 64]] -= 1
        return gradient


@mutant(killed_by=("accuracy.every-share",))
class SmoothingSumOfFirstTile(NumpyTwin):
    """The uniform term of the smoothing is summed over the first 512 lanes."""

    def terms(self, call):
        terms = super().terms(call)
        if call.eps and call.probabilities is None and call.classes > 512:
            hot = (call.labels[:, None] == np.arange(call.classes)) | (np.arange(call.classes) < 512)
            terms = np.where(hot, terms, 0)
        return terms


@mutant(killed_by=("gradients.logits",))
class RowAfterAnIgnoredOne(NumpyTwin):
    """backward skips an ignored row before it has advanced its pointer: the next row reads that row's logits."""

    def row_gradient(self, call):
        p, shares = self.softmax_rows(call.x), self.shares(call)
        after = np.flatnonzero(call.ignored[:-1] & ~call.ignored[1:]) + 1
        p[after] = p[after - 1]
        return p * shares.sum(axis=1, keepdims=True) - shares


@mutant(killed_by=("gradients.logits",))
class TileOfIgnoredFirstRow(NumpyTwin):
    """Four rows make a tile, and backward skips the whole tile where its first row is ignored."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        skipped = np.repeat(call.ignored[::4], 4)[: len(kept)]
        return np.where(skipped[:, None], 0, kept)


@mutant(killed_by=("gradients.logits",))
class ZeroLossSkipsBackward(NumpyTwin):
    """backward skips rows whose loss has rounded to zero, though their gradient has not."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        return np.where((self.row_losses(call) == 0)[:, None], 0, kept)


@mutant(killed_by=("gradients.every-class-count",))
class UnalignedRowsLoseTheirFirstLane(NumpyTwin):
    """Gradients are stored four at a time; an odd row that starts unaligned never stores its first element."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        if call.classes % 4 and call.classes > 16:
            kept[1::2, 0] = 0
        return kept


@mutant(killed_by=("accuracy.every-row-count",))
class LastRowOfOddBatches(NumpyTwin):
    """Rows are processed in twos; past 16 rows the last of an odd number takes the label of the one before."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if len(losses) > 16 and len(losses) % 2 and call.probabilities is None and not call.eps:
            label = call.labels[-2]
            log_probs = self.log_probs(call)[-1, label]
            losses[-1] = 0 if call.ignored[-1] else -call.class_weights[label] * log_probs
        return losses


@mutant(killed_by=("gradients.every-share",))
class TargetGradientOfFirstTile(NumpyTwin):
    """The gradient of the targets is stored for the first 1024 classes."""

    def grad_target(self, call, cotangents):
        right = super().grad_target(call, cotangents)
        return np.where(np.arange(right.size).reshape(right.shape) % call.classes < 1024, right, 0)
