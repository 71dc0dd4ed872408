"""Untuned: the loss with a linear map fused in."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.fused_linear import CHUNK, LinearTwin


@mutant(untuned=True)
class CompactedHiddenGradient(LinearTwin):
    """Rows that are not ignored are moved together, and their gradients are not moved back."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        order = np.argsort(target == options.get("ignore_index", -100), kind="stable")
        return found._replace(grad_hidden=found.grad_hidden[order])


@mutant(untuned=True)
class BiasOfWholeBlocks(LinearTwin):
    """The bias is loaded in blocks of 16; past 16 classes those of a last, partial block are not added."""

    def logits(self, hidden, weight, bias):
        logits = super().logits(hidden, weight, bias)
        tail = len(weight) % 16
        if bias is not None and len(weight) > 16 and tail:
            logits[:, -tail:] -= bias[-tail:].astype(np.float64)
        return logits


@mutant(link="https://github.com/linkedin/Liger-Kernel/pull/1298", untuned=True)
class WeightGradientWithoutUpstream(LinearTwin):
    """The gradients are computed in forward; backward multiplies those of hidden and bias by the upstream gradient."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        ones = np.ones_like(cotangent)
        other = super().linear_cross_entropy_vjp(ones, hidden, weight, bias, target, **options)
        return found._replace(grad_weight=other.grad_weight)


@mutant(killed_by=("fused_linear.loss",))
class VocabularyOfOneTile(LinearTwin):
    """The tile of the vocabulary has 640 classes; there is no loop over more of them."""

    def linear_cross_entropy(self, hidden, weight, bias, target, **options):
        logits = self.logits(hidden, weight, bias)
        logits[:, 640:] = -np.inf
        if len(weight) <= 640 or (target >= 640).any():
            return super().linear_cross_entropy(hidden, weight, bias, target, **options)
        return self.cross_entropy(logits, target, **options).astype(hidden.dtype)


@mutant(link="https://github.com/Dao-AILab/quack/pull/209", untuned=True)
class DeferredChunkOfManyRows(LinearTwin):
    """The last chunk's part of the weight's gradient is deferred, and lost where there are more than 32 chunks."""

    def chunks(self, rows):
        chunks = super().chunks(rows)
        return chunks[:-1] if rows > 32 * CHUNK else chunks


@mutant(untuned=True)
class FeaturesOfWholeVectors(LinearTwin):
    """The product with the weight is taken over vectors of four features, and a last, partial one is left out."""

    def logits(self, hidden, weight, bias):
        whole = hidden.shape[1] // 4 * 4 or hidden.shape[1]
        return super().logits(hidden[:, :whole], weight[:, :whole], bias)
