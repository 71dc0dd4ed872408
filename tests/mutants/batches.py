"""The batch in parts: chunks, shards of rows, means of means."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(
    bug="PAR-06",
    link="https://github.com/huggingface/transformers/pull/34191",
    killed_by=("accuracy.loss",),
)
class MeanOfChunkMeans(NumpyTwin):
    """Chunks of 16 rows are averaged each, and then their means."""

    def reduced(self, call, losses):
        if call.reduction != "mean" or len(losses) <= 16:
            return super().reduced(call, losses)
        weights = self.row_weights(call)
        parts = [slice(i, i + 16) for i in range(0, len(losses), 16)]
        means = [losses[part].sum() / weights[part].sum() for part in parts if weights[part].any()]
        return self.cast(np.asarray(np.mean(means) if means else np.nan), call.logits)


@mutant(
    bug="RED-01",
    link="https://github.com/NVIDIA/TransformerEngine/pull/2476",
    killed_by=("accuracy.every-combination",),
)
class MeanOfSampleMeans(NumpyTwin):
    """With spatial dimensions each sample is averaged over its own rows first: wrong where samples differ."""

    def reduced(self, call, losses):
        if call.reduction != "mean" or call.logits.ndim < 3 or call.probabilities is not None:
            return super().reduced(call, losses)
        samples = (call.logits.shape[0], -1)
        totals = self.row_weights(call).reshape(samples).sum(axis=1)
        means = losses.reshape(samples).sum(axis=1)[totals != 0] / totals[totals != 0]
        return self.cast(np.asarray(means.mean() if means.size else np.nan), call.logits)


@mutant(
    bug="TST-05",
    link="https://github.com/NVIDIA-NeMo/Automodel/pull/3804",
    killed_by=("accuracy.loss",),
)
class PartialChunkDropped(NumpyTwin):
    """Past 32 rows only whole chunks of 32 are computed; the rest keep a loss of 0."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if len(losses) > 32:
            losses[len(losses) // 32 * 32 :] = 0
        return losses


@mutant(killed_by=("accuracy.every-row-count",))
class RowsPast1024(NumpyTwin):
    """One program for each row, at most 1024 programs: later rows keep a loss of 0."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        losses[1024:] = 0
        return losses


@mutant(killed_by=("gradients.every-row-count",))
class GradientRowsPast128(NumpyTwin):
    """The backward kernel covers 128 rows; later ones get no gradient."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        kept[128:] = 0
        return kept


@mutant(bug="BIG-04", link="https://github.com/pytorch/pytorch/issues/84144", killed_by=("accuracy.every-row-count",))
class RowsPast65535(NumpyTwin):
    """The grid has 65535 blocks in its second dimension, and each row needs one."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        losses[65535:] = 0
        return losses


@mutant(
    bug="BIG-05",
    link="https://github.com/Dao-AILab/flash-attention/issues/714",
    killed_by=("accuracy.every-class-count",),
)
class OffsetsWrapAt65536(NumpyTwin):
    """The offset row * C of the target's logit wraps: here at 2^16 for the 2^32 of the real bug."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.probabilities is not None or call.eps or call.x.size <= 2**16:
            return losses
        wrapped = (call.rows * call.classes + call.labels) % 2**16
        picked = self.log_probs(call).reshape(-1)[wrapped]
        return np.where(call.ignored, 0, -call.class_weights[call.labels] * picked)


@mutant(
    bug="BIG-03",
    link="https://github.com/pytorch/pytorch/issues/190139",
    killed_by=("gradients.every-offset",),
)
class GradientOffsetsWrapAt32768(NumpyTwin):
    """The backward of spatial logits scatters at an offset that wraps: here at 2^15 for the 2^31 of the real bug."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        return kept if call.logits.ndim < 3 else np.resize(kept.reshape(-1)[: 2**15], kept.shape)


@mutant(
    bug="BIG-03",
    link="https://github.com/pytorch/pytorch/issues/190139",
    killed_by=("accuracy.every-offset",),
)
class SpatialOffsetsWrapAt65536(NumpyTwin):
    """The forward of spatial logits reads at an offset that wraps: here at 2^16 for the 2^31 of the real bug."""

    def by_row(self, array):
        if array.ndim > 2 and array.size > 2**16:
            array = np.resize(np.ascontiguousarray(array).reshape(-1)[: 2**16], array.shape)
        return super().by_row(array)


@mutant(killed_by=("accuracy.every-offset",))
class SpatialLabelsWrapAt65536(NumpyTwin):
    """The labels of spatial logits are read at an offset of 16 bits."""

    def read_labels(self, target):
        labels = super().read_labels(target)
        return labels if target.ndim < 2 else np.resize(labels[: 2**16], labels.shape)


@mutant(killed_by=("gradients.every-offset",))
class TargetGradientWrapsAt65536(NumpyTwin):
    """The gradient of probability targets is stored at an offset of 16 bits."""

    def grad_target(self, call, cotangents):
        right = super().grad_target(call, cotangents)
        return np.resize(right.reshape(-1)[: 2**16], right.shape)


@mutant(killed_by=("accuracy.every-row-count",))
class SumOfOneGrid(NumpyTwin):
    """The second pass of a sum reads at most 8192 partial results; rows past them are left out."""

    def reduced(self, call, losses):
        losses = losses if call.reduction == "none" else np.where(np.arange(len(losses)) < 8192, losses, 0)
        return super().reduced(call, losses)


@mutant(killed_by=("accuracy.every-row-count",))
class MeanOfLongChunks(NumpyTwin):
    """Chunks of 1024 rows are averaged each and put together by their lengths, whatever is ignored in them."""

    def reduced(self, call, losses):
        if call.reduction != "mean" or len(losses) <= 1024:
            return super().reduced(call, losses)
        weights = self.row_weights(call)
        parts = [slice(i, i + 1024) for i in range(0, len(losses), 1024)]
        means = [losses[p].sum() / weights[p].sum() * len(losses[p]) for p in parts if weights[p].any()]
        return self.cast(np.asarray(np.sum(means) / len(losses) if means else np.nan), call.logits)


@mutant(killed_by=("accuracy.every-row-count",))
class RowsCountedInOneByte(NumpyTwin):
    """The number of rows beside ignored ones is kept in eight bits."""

    def divisor(self, call):
        total = super().divisor(call)
        return total % 256 if call.ignored.any() and total >= 256 else total


@mutant(killed_by=("gradients.every-row-count",))
class MaskOfOneBlock(NumpyTwin):
    """In backward of a flat batch only the first 1024 rows are looked up in the mask of ignored ones."""

    def kept(self, call, rows):
        if call.logits.ndim > 2:
            return super().kept(call, rows)
        return np.where((call.ignored & (np.arange(len(rows)) < 1024))[:, None], 0, rows)

    def shares(self, call):
        if call.purpose != "gradient" or call.logits.ndim > 2 or call.probabilities is not None:
            return super().shares(call)
        hot = call.labels[:, None] == np.arange(call.classes)
        return self.weighted(call, self.smoothed(call, hot.astype(call.x.dtype))).astype(call.x.dtype)
