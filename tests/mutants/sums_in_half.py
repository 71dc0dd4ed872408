"""Sums over many rows of 16-bit logits, where the bound of an implementation that declares nothing is wide."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.gradients import DeclaredWeak
from xent_conformance.formats import HALVES


@mutant(killed_by=("accuracy.any-size", "gradients.any-size"), dtypes=HALVES)
class RowsCountedInHalf(DeclaredWeak):
    """The divisor of the mean is added up one row after the other in the dtype of the logits: 256 + 1 is 256."""

    def divisor(self, call):
        dtype = call.logits.dtype
        weights = self.row_weights(call).astype(dtype)
        return np.add.accumulate(weights, dtype=dtype)[-1].astype(call.x.dtype) if weights.any() else np.nan


@mutant(killed_by=("accuracy.any-size-in-float32",), dtypes=HALVES)
class PartialChunkNotAdded(DeclaredWeak):
    """Losses of more than 1000 rows are added in chunks of 1000, of which a last one with fewer rows is not."""

    def reduced(self, call, losses):
        if call.reduction != "none" and len(losses) > 1000:
            losses = np.where(np.arange(len(losses)) < len(losses) // 1000 * 1000, losses, 0)
        return super().reduced(call, losses)


@mutant(killed_by=("gradients.any-size-in-float32",), dtypes=HALVES)
class BackwardCountsPadding(DeclaredWeak):
    """More than 4096 rows are padded to whole blocks of 4096, and backward divides by the padded number."""

    def scale(self, call, cotangents):
        scaled, rows = super().scale(call, cotangents), len(call.x)
        return scaled * rows / (-(-rows // 4096) * 4096) if call.reduction == "mean" and rows > 4096 else scaled
