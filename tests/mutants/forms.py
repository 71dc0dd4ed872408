"""Forms that disagree: layer and function, primitives and loss."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

LAYER = ("identities.function-is-layer",)


@mutant(bug="API-03", link="https://github.com/open-mmlab/mmpretrain/issues/983", killed_by=LAYER)
class LayerDropsSmoothing(NumpyTwin):
    """The layer stores label_smoothing and never passes it on."""

    def cross_entropy_layer(self, logits, target, **options):
        options.pop("label_smoothing", None)
        return self.cross_entropy(logits, target, **options)


@mutant(bug="IGN-01", link="https://github.com/pytorch/pytorch/issues/11885", killed_by=LAYER)
class LayerKnowsOneSentinel(NumpyTwin):
    """The layer passes ignore_index on only where it is negative."""

    def cross_entropy_layer(self, logits, target, **options):
        if options.get("ignore_index", -100) >= 0:
            del options["ignore_index"]
            with np.errstate(all="ignore"):
                classes = logits.shape[min(1, logits.ndim - 1)]
                return self.cross_entropy(logits, np.where(target < classes, target, 0), **options)
        return self.cross_entropy(logits, target, **options)


@mutant(killed_by=("identities.function-gradient-is-layer-gradient",))
class LayerGradientUnweighted(NumpyTwin):
    """The layer's own backward leaves the class weights out."""

    def cross_entropy_layer_vjp(self, cotangent, logits, target, **options):
        right = self.cross_entropy_vjp(cotangent, logits, target, **options)
        options.pop("weight", None)
        return right._replace(grad_logits=self.cross_entropy_vjp(cotangent, logits, target, **options).grad_logits)


@mutant(
    bug="DTY-04",
    link="https://github.com/tensorflow/tensorflow/issues/48129",
    killed_by=LAYER,
    dtypes=("float64",),
)
class LayerComputesInFloat32(NumpyTwin):
    """The layer computes float64 losses in float32, the function does not."""

    def cross_entropy_layer(self, logits, target, **options):
        return self.cross_entropy(logits, target, **options).astype(np.float32).astype(logits.dtype)


@mutant(
    bug="LAY-04",
    link="https://github.com/PaddlePaddle/Paddle/pull/27311",
    killed_by=("accuracy.softmax",),
)
class SoftmaxOverLastAxis(NumpyTwin):
    """softmax normalises over the last axis, which for spatial logits is not that of the classes."""

    def softmax(self, logits):
        if logits.ndim < 3:
            return super().softmax(logits)
        moved = np.moveaxis(logits, -1, 1)
        return np.ascontiguousarray(np.moveaxis(super().softmax(moved), 1, -1))


@mutant(
    bug="NUM-03",
    link="https://github.com/NVIDIA/Megatron-LM/issues/7464",
    killed_by=("accuracy.log-softmax",),
)
class LogSoftmaxIsLogOfSoftmax(NumpyTwin):
    """The primitive log_softmax takes the logarithm of softmax; the loss itself does not use it."""

    def log_softmax(self, logits):
        with np.errstate(all="ignore"):
            return np.log(self.softmax(logits))


@mutant(
    bug="IGN-12",
    link="https://github.com/Jittor/jittor/pull/233",
    killed_by=("accuracy.nll-every-combination", "accuracy.nll-every-row-count"),
)
class NllMeanOverAllRows(NumpyTwin):
    """nll_loss divides by all rows; cross_entropy has a kernel of its own that does not."""

    def nll_loss(self, log_probs, target, **options):
        if options.get("reduction") != "mean" or options.get("weight") is not None or not target.size:
            return super().nll_loss(log_probs, target, **options)
        total = super().nll_loss(log_probs, target, **{**options, "reduction": "sum"})
        return (total / target.size).astype(log_probs.dtype)


@mutant(killed_by=("identities.softmax-rows-sum-to-one", "accuracy.softmax"))
class SoftmaxRoundedToTenBits(NumpyTwin):
    """softmax is stored with a significand of ten bits, as tensor cores read it."""

    def softmax(self, logits):
        return (super().softmax(logits).view(np.int32) & ~0x1FFF).view(np.float32)


@mutant(killed_by=("accuracy.softmax-any-size",))
class LogSoftmaxRowsFoundWith16Bits(NumpyTwin):
    """log_softmax finds the row of each logit by an offset of 16 bits, so that later rows are those of the start."""

    def log_softmax(self, logits):
        result = super().log_softmax(logits)
        rows, classes = self.by_row(result).copy(), logits.shape[min(1, logits.ndim - 1)]
        first = np.arange(len(rows)) * classes % 65536
        return self.placed(rows.reshape(-1)[first[:, None] + np.arange(classes)] if rows.size > 65536 else rows, logits)
