"""Fused linear maps: the loss of hidden @ weight.T + bias, a few rows at a time, and what goes wrong between them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from mutants.catalogue import mutant
from mutants.layouts import read_as_dense
from mutants.numpy_rows import Array
from mutants.numpy_twin import NumpyTwin
from xent_conformance.interface import LinearVjp
from xent_conformance.precision import WEAKEST

LOSS, GRADIENTS = ("fused_linear.loss",), ("fused_linear.gradients",)
LAYOUT = ("fused_linear.layout",)
#: Rows that are computed at a time.
CHUNK = 4


class LinearTwin(NumpyTwin):
    """Correct: logits in float64 are given to the steps of the twin, gradients are added up chunk by chunk."""

    def logits(self, hidden: Array, weight: Array, bias: Array | None) -> Array:
        logits = hidden.astype(np.float64) @ weight.astype(np.float64).T
        return logits if bias is None else logits + bias.astype(np.float64)

    def linear_cross_entropy(
        self, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> Array:
        return self.cross_entropy(self.logits(hidden, weight, bias), target, **options).astype(hidden.dtype)

    def linear_cross_entropy_vjp(
        self, cotangent: Array, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> LinearVjp:
        vjp = self.cross_entropy_vjp(cotangent, self.logits(hidden, weight, bias), target, **options)
        gradient = np.asarray(vjp.grad_logits)
        chunks = self.chunks(len(hidden))
        of_weight = self.added([gradient[rows].T @ hidden[rows].astype(np.float64) for rows in chunks], weight)
        of_bias = None if bias is None else self.added([gradient[rows].sum(axis=0) for rows in chunks], bias)
        of_hidden = (gradient @ weight.astype(np.float64)).astype(hidden.dtype)
        return LinearVjp(vjp.loss.astype(hidden.dtype), of_hidden, of_weight, of_bias)

    def chunks(self, rows: int) -> list[slice]:
        return [slice(start, start + CHUNK) for start in range(0, rows, CHUNK)]

    def added(self, parts: list[Array], like: Array) -> Array:
        return np.sum([np.zeros(like.shape), *parts], axis=0).astype(like.dtype)


@mutant(
    bug="NUM-10",
    link="https://github.com/linkedin/Liger-Kernel/issues/512",
    killed_by=("fused_linear.many-rows",),
    dtypes=("bfloat16",),
)
class WeightGradientAddedInTheDtype(LinearTwin):
    """Each chunk's part of the weight's gradient is added in bfloat16."""

    def added(self, parts, like):
        total = np.zeros(like.shape, ml_dtypes.bfloat16)
        for part in parts:
            total = (total + part.astype(ml_dtypes.bfloat16)).astype(ml_dtypes.bfloat16)
        return total.astype(like.dtype)


@mutant(killed_by=GRADIENTS)
class RowsBeyondWholeChunks(LinearTwin):
    """The gradients of weight and bias leave out the rows that do not fill a chunk."""

    def chunks(self, rows):
        return [slice(start, start + CHUNK) for start in range(0, rows - CHUNK + 1, CHUNK)]


@mutant(bug="GRD-02", link="https://github.com/linkedin/Liger-Kernel/issues/968", killed_by=GRADIENTS)
class FirstCotangentForAllRows(LinearTwin):
    """The upstream gradient of unreduced losses is read as one number."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        first = np.broadcast_to(np.asarray(cotangent).reshape(-1)[:1].sum(), cotangent.shape).astype(cotangent.dtype)
        return super().linear_cross_entropy_vjp(first, hidden, weight, bias, target, **options)


@mutant(bug="FUS-01", link="https://github.com/verl-project/verl/pull/5349", killed_by=LOSS)
class PaddedVocabulary(LinearTwin):
    """The vocabulary is padded to a multiple of 16 with logits of zero, which the class sum counts."""

    def linear_cross_entropy(self, hidden, weight, bias, target, **options):
        logits = self.logits(hidden, weight, bias)
        padded = np.pad(logits, ((0, 0), (0, -logits.shape[1] % 16)))
        if options.get("label_smoothing"):
            return super().linear_cross_entropy(hidden, weight, bias, target, **options)
        return self.cross_entropy(padded, target, **options).astype(hidden.dtype)


@mutant(killed_by=GRADIENTS)
class BiasGradientOfTheMeanIsASum(LinearTwin):
    """The bias gets the gradient of the sum where the mean is asked for."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        if bias is None or options.get("reduction", "mean") != "mean":
            return found
        summed = super().linear_cross_entropy_vjp(
            cotangent, hidden, weight, bias, target, **{**options, "reduction": "sum"}
        )
        return found._replace(grad_bias=summed.grad_bias)


@mutant(
    bug="NUM-10",
    link="https://github.com/axolotl-ai-cloud/axolotl/pull/1601",
    killed_by=("fused_linear.many-rows-in-float32",),
    dtypes=("bfloat16",),
)
class WeightGradientAddedInTheDtypeAsDeclared(WeightGradientAddedInTheDtype):
    """Each chunk's part of the weight's gradient is added in bfloat16, and no precision is promised."""

    precision = WEAKEST


@mutant(bug="PAR-06", link="https://github.com/huggingface/transformers/pull/34191", killed_by=LOSS)
class MeanOfMeansOverChunks(LinearTwin):
    """The mean is that of the chunks' means, however many rows of each are ignored."""

    def linear_cross_entropy(self, hidden, weight, bias, target, **options):
        if options.get("reduction", "mean") != "mean":
            return super().linear_cross_entropy(hidden, weight, bias, target, **options)
        means = [
            super(MeanOfMeansOverChunks, self).linear_cross_entropy(hidden[rows], weight, bias, target[rows], **options)
            for rows in self.chunks(len(hidden))
        ]
        kept = [mean for mean in means if not np.isnan(mean)] or means
        return np.asarray(np.mean(np.array(kept, np.float64))).astype(hidden.dtype)


@mutant(killed_by=LOSS)
class BiasInTheFirstChunkOnly(LinearTwin):
    """Only the first chunk's logits get the bias."""

    def logits(self, hidden, weight, bias):
        logits = super().logits(hidden, weight, None)
        if bias is not None:
            logits[:CHUNK] += bias.astype(np.float64)
        return logits


@mutant(killed_by=GRADIENTS)
class HiddenGradientWithoutSharedFeatures(LinearTwin):
    """The gradient of hidden is computed for as many features as there are classes."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        found = super().linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options)
        return found._replace(grad_hidden=np.where(np.arange(hidden.shape[1]) < len(weight), found.grad_hidden, 0))


@mutant(bug="LAY-01", link="https://github.com/pytorch/pytorch/issues/67167", killed_by=LAYOUT)
class HiddenReadAsDense(LinearTwin):
    """The kernel gets a pointer to hidden and a shape, and reads any view as if it were contiguous."""

    def logits(self, hidden, weight, bias):
        return super().logits(read_as_dense(hidden), weight, bias)


@mutant(killed_by=LAYOUT)
class TransposedWeightReadAsDense(LinearTwin):
    """A tied embedding is given as the transpose of (H, C), and is read by rows of H."""

    def logits(self, hidden, weight, bias):
        transposed = weight.flags.f_contiguous and not weight.flags.c_contiguous
        return super().logits(hidden, read_as_dense(weight) if transposed else weight, bias)


@mutant(killed_by=LAYOUT)
class BiasReadAsDense(LinearTwin):
    """The bias is every other number of a longer array, and its neighbours are added."""

    def logits(self, hidden, weight, bias):
        return super().logits(hidden, weight, None if bias is None else read_as_dense(bias))


@mutant(bug="GRD-02", link="https://github.com/linkedin/Liger-Kernel/issues/968", killed_by=LAYOUT)
class UpstreamReadAsDense(LinearTwin):
    """The upstream gradient of unreduced losses is read from its pointer on, whatever its stride."""

    def linear_cross_entropy_vjp(self, cotangent, hidden, weight, bias, target, **options):
        return super().linear_cross_entropy_vjp(read_as_dense(cotangent), hidden, weight, bias, target, **options)
