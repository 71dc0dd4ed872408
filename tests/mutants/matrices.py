"""Kernels that divide matrices of many rows and many classes among tiles: right wherever one of the two is small."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_functions import Functions
from mutants.numpy_twin import NumpyTwin

#: Rows and classes of one tile.
ROWS, CLASSES = 32, 512


def _is_divided(x):
    """Whether logits (rows, C) are larger than a tile in both directions."""
    return x.shape[0] > ROWS and x.shape[1] > CLASSES


def _tiles(x):
    """Logits by tiles of classes; one tile for those that are not divided."""
    return np.split(x, range(CLASSES, x.shape[1], CLASSES), axis=1) if _is_divided(x) else [x]


@mutant(killed_by=("accuracy.softmax-any-size",))
class SoftmaxOfEachTile(NumpyTwin):
    """Each tile of softmax is divided by its own sum, and not by that of the row."""

    def softmax(self, logits):
        x = self.by_row(logits)
        if not _is_divided(x):
            return super().softmax(logits)
        return self.placed(np.concatenate([self.softmax_rows(tile) for tile in _tiles(x)], axis=1), logits)


@mutant(killed_by=("accuracy.softmax-any-size",))
class LogSoftmaxOfTheLargestTile(NumpyTwin):
    """The logarithm of the largest sum of a tile is subtracted, and not of that of all tiles."""

    def log_softmax(self, logits):
        x = self.by_row(logits)
        if not _is_divided(x):
            return super().log_softmax(logits)
        sums = [np.logaddexp.reduce(tile, axis=1) for tile in _tiles(x)]
        return self.placed(x - np.max(sums, axis=0)[:, None], logits)


@mutant(killed_by=("gradients.log-softmax",))
class LogSoftmaxGradientOfTheFirstTile(NumpyTwin):
    """The sum of a row's cotangent is that of its first tile."""

    def log_softmax_gradient(self, cotangents, x):
        first = cotangents[:, :CLASSES] if _is_divided(x) else cotangents
        return cotangents - self.softmax_rows(x) * first.sum(axis=1, keepdims=True)


@mutant(killed_by=("gradients.softmax",))
class SoftmaxGradientWithoutTheRest(NumpyTwin):
    """The last tile, which is not full, gets no gradient."""

    def softmax_gradient(self, cotangents, x):
        gradient = super().softmax_gradient(cotangents, x)
        if _is_divided(x):
            gradient[:, x.shape[1] // CLASSES * CLASSES :] = 0
        return gradient


@mutant(killed_by=("identities.function-is-layer",))
class LayerOfTheFirstTileOfRows(NumpyTwin):
    """The layer reads the logits of the first tile of rows for those of each tile."""

    def cross_entropy_layer(self, logits, target, **options):
        x = self.by_row(logits)
        if _is_divided(x):
            logits = self.placed(np.resize(x[:ROWS], x.shape), logits)
        return super().cross_entropy_layer(logits, target, **options)


@mutant(killed_by=("gradients.second-order",))
class HessianOfTheFirstTile(NumpyTwin):
    """Second derivatives are those with respect to the classes of the first tile."""

    def row_hessian(self, call, vector):
        if _is_divided(call.x):
            vector = np.where(np.arange(call.classes) < CLASSES, vector, 0)
        return super().row_hessian(call, vector)


@mutant(killed_by=("language_model.entropy",))
class EntropyOfTheLargestTile(Functions):
    """The entropy of a row is that of the tile with the largest."""

    def entropy_rows(self, x):
        whole = super().entropy_rows
        return np.max([whole(tile) for tile in _tiles(x)], axis=0)
