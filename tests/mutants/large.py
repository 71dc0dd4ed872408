"""Sizes past what a number that counts classes holds."""

from __future__ import annotations

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
