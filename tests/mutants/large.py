"""Sizes past what a number that counts classes or elements holds."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

#: Classes that one pass of a kernel may cover.
GRID = 2**18 - 2


@mutant(bug="BIG-06", link="https://github.com/PaddlePaddle/Paddle/pull/74061", killed_by=("scale.classes",))
class ClassesBeyondTheGrid(NumpyTwin):
    """The class sum covers as many classes as a grid of blocks has lanes; those beyond it are left out."""

    def class_sum(self, exponentials):
        return exponentials[:, :GRID].sum(axis=1, keepdims=True)


@mutant(bug="BIG-04", link="https://github.com/pytorch/pytorch/issues/84144", killed_by=("scale.classes-gradient",))
class GradientBeyondTheGrid(NumpyTwin):
    """The gradient of classes beyond a grid of blocks keeps what its memory held: zeros."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        gradient[:, GRID:] = 0
        return gradient


@mutant(killed_by=("accuracy.large-call",))
class IndexInFloat32(NumpyTwin):
    """The index of a label's logit in memory is computed in float32, which counts as far as 2^24."""

    def row_losses(self, call):
        right = super().row_losses(call)
        if call.x.size <= 2**24 or call.probabilities is not None or call.eps:
            return right
        start = np.arange(len(call.x), dtype=np.float32) * np.float32(call.classes)
        index = (start + call.labels.astype(np.float32)).astype(np.int64).clip(max=call.x.size - 1)
        moved = call.x[np.arange(len(call.x)), call.labels] - call.x.reshape(-1)[index]
        return right + np.where(call.ignored, 0, call.class_weights[call.labels] * moved)


@mutant(killed_by=("gradients.large-call",))
class IndexOf24Bits(NumpyTwin):
    """The start of a row of the gradient is a product of 24 bits, so that rows past 2^24 elements are left as zeros."""

    def row_gradient(self, call):
        gradient = super().row_gradient(call)
        gradient[2**24 // call.classes + 1 :] = 0
        return gradient


@mutant(killed_by=("accuracy.large-call",))
class LastPassOfAReductionLost(NumpyTwin):
    """Losses of more than 2^22 logits are added up in passes over 4096 rows, and what is left for the last is lost."""

    def reduced(self, call, losses):
        if call.x.size > 2**22:
            losses = np.where(call.rows < len(losses) // 4096 * 4096, losses, 0)
        return super().reduced(call, losses)
