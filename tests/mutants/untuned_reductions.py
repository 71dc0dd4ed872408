"""Untuned: sums and means over the rows, and what is kept between calls for them."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes
import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(dtypes=("bfloat16",), untuned=True)
class CountInTheDtypeOfTheLogits(NumpyTwin):
    """The rows that count are counted in bfloat16, which has no odd number past 256."""

    def divisor(self, call):
        divisor = super().divisor(call)
        return np.float32(ml_dtypes.bfloat16(divisor))


@mutant(dtypes=("float16",), bug="NUM-07", link="https://github.com/pytorch/pytorch/issues/85791", untuned=True)
class PartialSumsInFloat16(NumpyTwin):
    """The sums of 64 rows each are stored in float16 before they are added."""

    def reduced(self, call, losses):
        if call.reduction == "none" or len(losses) <= 64:
            return super().reduced(call, losses)
        parts = [losses[i : i + 64].sum(keepdims=True).astype(np.float16) for i in range(0, len(losses), 64)]
        return super().reduced(call, np.concatenate(parts).astype(losses.dtype))


@mutant(untuned=True)
class NansLeftOutOfSums(NumpyTwin):
    """Sums over the rows leave out nan, so that a row without an answer does no harm."""

    def reduced(self, call, losses):
        return super().reduced(call, losses if call.reduction == "none" else np.nan_to_num(losses, posinf=np.inf))


@mutant(link="https://github.com/tile-ai/TileOPs/pull/898", untuned=True)
class SmoothingCompiledIn(NumpyTwin):
    """Kernels are kept by shape and dtype of the logits, and the amount of smoothing is a constant in them."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._compiled = {}

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        key = (purpose, logits.shape, logits.dtype.name, call.weight is None, call.probabilities is None)
        return replace(call, eps=self._compiled.setdefault((*key, call.eps > 0), call.eps))


@mutant(untuned=True)
class SentinelCompiledIn(NumpyTwin):
    """Kernels are kept by the number of classes, and ignore_index is a constant in them where it is a class."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._compiled = {}

    def ignored(self, labels, ignore_index, logits):
        classes = logits.shape[min(1, logits.ndim - 1)]
        if 0 <= ignore_index < classes:
            ignore_index = self._compiled.setdefault(classes, ignore_index)
        return super().ignored(labels, ignore_index, logits)


@mutant(untuned=True)
class PartialSumsOfLargerBatches(NumpyTwin):
    """Sums of 32 rows each go to a buffer that only grows, and all of it is added up."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._parts = np.zeros(0)

    def reduced(self, call, losses):
        if call.reduction == "none" or not losses.size:
            return super().reduced(call, losses)
        parts = np.array([losses[i : i + 32].sum() for i in range(0, len(losses), 32)])
        if len(parts) > len(self._parts):
            self._parts = np.zeros(len(parts))
        self._parts[: len(parts)] = parts
        return super().reduced(call, self._parts.astype(losses.dtype))


@mutant(killed_by=("accuracy.nll-every-row-count",))
class NllOfManyRowsCountsIgnored(NumpyTwin):
    """nll_loss of more than 256 rows is a call of two kernels, and the second divides by all rows."""

    def nll_loss(self, log_probs, target, **options):
        loss = super().nll_loss(log_probs, target, **options)
        if target.size <= 256 or options.get("weight") is not None or options.get("reduction", "mean") != "mean":
            return loss
        left = (target != options.get("ignore_index", -100)).sum()
        return (loss.astype(np.float32) * left / target.size).astype(loss.dtype)


@mutant(untuned=True)
class LongSoftmaxInHalf(NumpyTwin):
    """softmax of more than 4096 classes keeps the reciprocal of the sum in bfloat16."""

    def softmax(self, logits):
        right = super().softmax(logits)
        if logits.ndim == 0 or logits.shape[min(1, logits.ndim - 1)] <= 4096:
            return right
        _, exponentials, total = self.partition(self.by_row(logits))
        reciprocal = (1 / total).astype(ml_dtypes.bfloat16).astype(total.dtype)
        return self.placed(exponentials * reciprocal, logits)


@mutant(untuned=True)
class EmptyImageCrashes(NumpyTwin):
    """A spatial axis of length 0 is a grid that cannot be launched, where losses are not reduced."""

    def reduced(self, call, losses):
        if call.reduction == "none" and call.logits.ndim > 2 and not losses.size:
            raise RuntimeError("invalid configuration argument")
        return super().reduced(call, losses)
