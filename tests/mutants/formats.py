"""Casts in the wrong place, and results that only some dtypes show."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(killed_by=("gradients.logits",), dtypes=("float16",))
class SmallGradientsFlushed(NumpyTwin):
    """Elements below 2^-11 are flushed when the gradient is stored as float16."""

    def kept(self, call, rows):
        kept = super().kept(call, rows)
        return np.where(np.abs(kept) < 2.0**-11, 0, kept)


@mutant(killed_by=("accuracy.every-row-count",), dtypes=("float16",))
class SmallLossesFlushed(NumpyTwin):
    """Losses below 2^-12 are flushed when they are stored as float16."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        return np.where(np.abs(losses) < 2.0**-12, 0, losses)


@mutant(killed_by=("accuracy.loss",), dtypes=("float16",))
class LossOffBySmallConstant(NumpyTwin):
    """1e-4 is added to every log-probability of float16 logits, against log 0."""

    def log_softmax_rows(self, x):
        return np.minimum(super().log_softmax_rows(x) + np.float32(1e-4), 0)


@mutant(killed_by=("accuracy.loss",), dtypes=("float64",))
class WeightsRoundedToFloat32(NumpyTwin):
    """Class weights are kept in float32 for float64 logits."""

    def read_weight(self, weight):
        return weight.astype(np.float32)


@mutant(killed_by=("accuracy.loss",), dtypes=("float64",))
class SumInFloat32(NumpyTwin):
    """Row losses of float64 logits are added in float32 where there are 32 rows or more."""

    def reduced(self, call, losses):
        if call.reduction == "none" or len(losses) < 32:
            return super().reduced(call, losses)
        return super().reduced(call, np.asarray([losses.astype(np.float32).sum()], dtype=np.float64))


@mutant(killed_by=("identities.log-of-softmax",), dtypes=("bfloat16",))
class ClassTermsInBfloat16(NumpyTwin):
    """The differences x - m of bfloat16 logits are rounded to bfloat16 before exp."""

    def partition(self, x):
        import ml_dtypes

        maximum = self.maximum(x)
        exponentials = np.exp((x - maximum).astype(ml_dtypes.bfloat16).astype(x.dtype))
        return x - maximum, exponentials, self.class_sum(exponentials)
