"""Untuned: gradients of fused kernels, first and second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(untuned=True)
class BlocksWithoutGradientSkipped(NumpyTwin):
    """Blocks of 128 classes whose gradients are all below 2^-14 are skipped, which saves most of a vocabulary."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        for start in range(0, call.classes, 128):
            block = gradient[:, start : start + 128]
            block[np.abs(block).max(axis=1) < 2.0**-14] = 0
        return gradient


@mutant(link="https://github.com/NVIDIA/TransformerEngine/pull/2139", untuned=True)
class UpstreamOfOneSkipped(NumpyTwin):
    """The multiplication by the upstream gradient is skipped where its first element is 1."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        return np.ones_like(cotangents) if cotangents.size and cotangents[0, 0] == 1 else cotangents


@mutant(link="https://github.com/NVIDIA/Megatron-LM/issues/7464", untuned=True)
class LocalVocabularyInBackward(NumpyTwin):
    """From 32 classes on, in two shards, backward of a smoothed loss takes the shard's size for that of all classes."""

    def row_gradient(self, call):
        if not call.eps or call.classes < 32 or call.classes % 2:
            return super().row_gradient(call)
        shares = self.shares(call)
        uniform = call.eps / call.classes * call.class_weights * ~call.ignored[:, None]
        return self.softmax_rows(call.x) * shares.sum(axis=1, keepdims=True) - shares - uniform


@mutant(untuned=True)
class WeightSumOfOneBlock(NumpyTwin):
    """backward of a smoothed, weighted loss adds the class weights of the first 4096 classes."""

    def row_gradient(self, call):
        if not call.eps or call.weight is None or call.probabilities is not None:
            return super().row_gradient(call)
        shares = self.shares(call)
        missing = call.eps / call.classes * call.class_weights[4096:].sum() * ~call.ignored[:, None]
        return self.softmax_rows(call.x) * (shares.sum(axis=1, keepdims=True) - missing) - shares


@mutant(untuned=True)
class GradientAtTheRowsOfTheLogits(NumpyTwin):
    """The gradient is stored with the row stride of the logits into a buffer without gaps."""

    def restored(self, rows, call):
        restored = super().restored(rows, call)
        x = call.logits
        if x.ndim != 2 or not x.size or x.strides[0] <= x.itemsize * x.shape[1] or x.strides[1] != x.itemsize:
            return restored
        buffer, step = np.zeros(x.size, x.dtype), x.strides[0] // x.itemsize
        for row in range(len(restored)):
            part = buffer[row * step : row * step + x.shape[1]]
            part[:] = restored[row, : len(part)]
        return buffer.reshape(x.shape)


@mutant(untuned=True)
class SecondOrderOfWeightedMeans(NumpyTwin):
    """The second derivative of a weighted mean is divided by the rows that are left."""

    def scale(self, call, cotangents):
        if call.purpose != "hessian" or call.reduction != "mean" or call.weight is None:
            return super().scale(call, cotangents)
        return cotangents / max(1, (~call.ignored).sum())


@mutant(untuned=True)
class SecondOrderOfOneTile(NumpyTwin):
    """The inner product of p and the vector is taken over the first 512 classes."""

    def row_hessian(self, call, vector):
        p = self.softmax_rows(call.x)
        centred = vector - (p * vector)[:, :512].sum(axis=1, keepdims=True)
        return self.shares(call).sum(axis=1, keepdims=True) * p * centred


@mutant(untuned=True)
class SecondOrderOfProbabilitiesThatSumToOne(NumpyTwin):
    """The second derivative takes probability targets for distributions, where no class weights are given."""

    def row_hessian(self, call, vector):
        if call.probabilities is None or call.weight is not None:
            return super().row_hessian(call, vector)
        p = self.softmax_rows(call.x)
        return p * (vector - (p * vector).sum(axis=1, keepdims=True))


@mutant(untuned=True)
class LayerGradientForgetsTheSentinel(NumpyTwin):
    """With smoothing the layer's backward is called without ignore_index, where that is the number of a class."""

    def cross_entropy_layer_vjp(self, cotangent, logits, target, **options):
        if options.get("label_smoothing") and options.get("ignore_index", -1) >= 0:
            options.pop("ignore_index")
        return super().cross_entropy_layer_vjp(cotangent, logits, target, **options)


@mutant(dtypes=("float64",), untuned=True)
class LayerKeepsWeightsInFloat32(NumpyTwin):
    """The layer registers its class weights as a float32 buffer, and casts them to the dtype of the logits."""

    def cross_entropy_layer(self, logits, target, **options):
        if options.get("weight") is not None:
            options["weight"] = options["weight"].astype(np.float32).astype(logits.dtype)
        return super().cross_entropy_layer(logits, target, **options)


@mutant(untuned=True)
class LayerOfManyClassesUnweighted(NumpyTwin):
    """The layer has a path for more than 2048 classes that was written without class weights."""

    def cross_entropy_layer(self, logits, target, **options):
        if logits.shape[min(1, logits.ndim - 1)] > 2048:
            options.pop("weight", None)
        return super().cross_entropy_layer(logits, target, **options)


@mutant(untuned=True)
class PaddedClassesInBackward(NumpyTwin):
    """Past 1000 classes backward pads the vocabulary to a multiple of 64 with logits of 0, which its sum counts."""

    def row_gradient(self, call):
        padding = -call.classes % 64
        if call.classes <= 1000 or not padding:
            return super().row_gradient(call)
        padded = np.concatenate([call.x, np.zeros((len(call.x), padding), call.x.dtype)], axis=1)
        shares = self.shares(call)
        p = self.softmax_rows(padded)[:, : call.classes]
        return p * shares.sum(axis=1, keepdims=True) - shares


@mutant(killed_by=("gradients.large-call",))
class SecondLaunchOfLargeGradients(NumpyTwin):
    """Gradients of more than 2^20 elements take two launches; the second reads labels from a multiple of 32 on."""

    def row_gradient(self, call):
        if call.x.size <= 2**20 or call.probabilities is not None:
            return super().row_gradient(call)
        half = len(call.x) // 2
        labels = call.labels.copy()
        labels[half:] = call.labels[half // 32 * 32 :][: len(labels) - half]
        return super().row_gradient(replace(call, labels=labels))


@mutant(untuned=True)
class ExpandedRowsShareOneGradient(NumpyTwin):
    """Where all rows of the logits are one row in memory, its gradient is the sum over the rows."""

    def restored(self, rows, call):
        x = call.logits
        if x.ndim == 2 and len(x) > 1 and x.strides[0] == 0:
            rows = np.broadcast_to(rows.sum(axis=0), rows.shape)
        return super().restored(rows, call)
