"""Gradients of softmax and log_softmax alone that miss a term, or misread their cotangent."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

SOFTMAX, LOG_SOFTMAX = ("gradients.softmax",), ("gradients.log-softmax",)


@mutant(link="https://github.com/pytorch/pytorch/issues/190746", killed_by=LOG_SOFTMAX)
class LogSoftmaxGradientIsItsCotangent(NumpyTwin):
    """The gradient is taken for that of a mere shift: the sum of the cotangent is not spread over the classes."""

    def log_softmax_gradient(self, cotangents, x):
        return cotangents


@mutant(killed_by=LOG_SOFTMAX)
class LogSoftmaxGradientOfLabels(NumpyTwin):
    """The sum of the cotangent is taken to be -1, as it is behind a loss of class indices."""

    def log_softmax_gradient(self, cotangents, x):
        return cotangents + self.softmax_rows(x)


@mutant(killed_by=LOG_SOFTMAX)
class LogSoftmaxGradientOfExpandedCotangent(NumpyTwin):
    """A cotangent that is one number expanded, as behind a sum, is read as that number and zeros."""

    def log_softmax_vjp(self, cotangent, logits):
        if cotangent.size > 1 and not any(cotangent.strides):
            first = np.zeros(cotangent.shape, cotangent.dtype)
            first.flat[0] = cotangent.flat[0]
            cotangent = first
        return super().log_softmax_vjp(cotangent, logits)


@mutant(killed_by=SOFTMAX)
class SoftmaxGradientIsDiagonal(NumpyTwin):
    """The Jacobian is taken for diag(p (1 - p)), as of independent sigmoids."""

    def softmax_gradient(self, cotangents, x):
        p = self.softmax_rows(x)
        return p * (1 - p) * cotangents


@mutant(killed_by=SOFTMAX)
class SoftmaxGradientCentredByTheMean(NumpyTwin):
    """The mean of the cotangent is subtracted where the mean under the probabilities belongs."""

    def softmax_gradient(self, cotangents, x):
        return self.softmax_rows(x) * (cotangents - cotangents.mean(axis=1, keepdims=True))


@mutant(killed_by=SOFTMAX)
class SoftmaxGradientOfOneTile(NumpyTwin):
    """The weighted sum of the cotangent stops after the first 64 classes."""

    def softmax_gradient(self, cotangents, x):
        p = self.softmax_rows(x)
        return p * (cotangents - (p * cotangents)[:, :64].sum(axis=1, keepdims=True))
