"""Fused linear maps: logits in another format in backward than in forward, and sizes that a tile does not cover."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.fused_linear import LinearTwin

SAME = ("fused_linear.same-logits",)
SIZES, GRADIENTS = ("fused_linear.every-size",), ("fused_linear.gradients",)
#: Blocks of classes that one launch covers.
BLOCKS, BLOCK = 160, 128
#: Hidden features in a tile.
TILE = 64


def in_dtype(logits, hidden):
    """Logits as they are where they are stored in the dtype of the inputs."""
    return logits.astype(hidden.dtype).astype(np.float64)


@mutant(link="https://github.com/marin-community/marin/pull/8217", killed_by=SAME, dtypes=("bfloat16",))
class ForwardInTheDtype(LinearTwin):
    """Forward multiplies without asking for float32 and gets logits in bfloat16; backward computes them in float32."""

    def linear_cross_entropy(self, hidden, weight, bias, target, **options):
        rounded = in_dtype(self.logits(hidden, weight, bias), hidden)
        return self.cross_entropy(rounded, target, **options).astype(hidden.dtype)

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        return found._replace(loss=self.linear_cross_entropy(hidden, weight, bias, target, **options))


@mutant(killed_by=SAME, dtypes=("float16",))
class BackwardInTheDtype(LinearTwin):
    """Backward reads the logits that forward has stored in float16, after it had used them in float32."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        loss, logits = self.linear_cross_entropy(hidden, weight, bias, target, **options), self.logits
        self.logits = lambda *factors: in_dtype(logits(*factors), hidden)
        try:
            found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        finally:
            del self.logits
        return found._replace(loss=loss)


@mutant(link="https://github.com/apple/ml-cross-entropy/issues/53", killed_by=SIZES)
class BiasForEachTileOfFeatures(LinearTwin):
    """With few classes the bias is added in the loop over tiles of 64 features, once for each."""

    def logits(self, hidden, weight, bias):
        logits = super().logits(hidden, weight, bias)
        more = (hidden.shape[1] - 1) // TILE
        return logits if bias is None or len(weight) >= TILE else logits + more * bias.astype(np.float64)


@mutant(killed_by=SIZES)
class ClassesOfOneLaunch(LinearTwin):
    """One launch has at most 160 blocks of 128 classes; those beyond are left out of the sum."""

    def linear_cross_entropy(self, hidden, weight, bias, target, **options):
        covered = BLOCKS * BLOCK
        if len(weight) <= covered or (target >= covered).any():
            return super().linear_cross_entropy(hidden, weight, bias, target, **options)
        logits = self.logits(hidden, weight, bias)
        logits[:, covered:] = -np.inf
        return self.cross_entropy(logits, target, **options).astype(hidden.dtype)


@mutant(killed_by=GRADIENTS)
class WeightGradientOfIgnoredRows(LinearTwin):
    """Ignored rows are masked in hidden's gradient; weight and bias get theirs as if the label were class 0."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        ignored = target == options.get("ignore_index", -100)
        if not ignored.any() or ignored.all():
            return found
        labels = np.where(ignored, 0, target)
        every = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, labels, **options)
        return every._replace(loss=found.loss, grad_hidden=found.grad_hidden)


@mutant(killed_by=GRADIENTS)
class GradientOfIgnoredBatch(LinearTwin):
    """Where all rows are ignored the sum's gradients are left as they were allocated."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        if options.get("reduction", "mean") == "mean" or not (target == options.get("ignore_index", -100)).all():
            return found
        return found._replace(grad_hidden=np.ones_like(found.grad_hidden))
