"""Second derivatives that miss a term."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

SECOND_ORDER = ("gradients.second-order",)


@mutant(bug="GRD-06", link="https://github.com/tensorflow/tensorflow/issues/5876", killed_by=SECOND_ORDER)
class HessianIsZero(NumpyTwin):
    """The fused gradient is taken for a constant: its derivative is zero."""

    def row_hessian(self, call, vector):
        return np.zeros_like(vector)


@mutant(bug="GRD-06", link="https://github.com/tensorflow/tensorflow/issues/7403", killed_by=SECOND_ORDER)
class HessianWithoutOuterProduct(NumpyTwin):
    """The Hessian is diag(p) where it should be diag(p) - p p^T."""

    def row_hessian(self, call, vector):
        return self.shares(call).sum(axis=1, keepdims=True) * self.softmax_rows(call.x) * vector


@mutant(bug="GRD-06", link="https://github.com/tensorflow/tensorflow/pull/7948", killed_by=SECOND_ORDER)
class HessianWithoutWeights(NumpyTwin):
    """The Hessian misses the sum of the row's weighted shares."""

    def row_hessian(self, call, vector):
        p = self.softmax_rows(call.x)
        return p * (vector - (p * vector).sum(axis=1, keepdims=True))


@mutant(bug="GRD-06", link="https://github.com/tensorflow/tensorflow/issues/27875", killed_by=SECOND_ORDER)
class HessianIgnoresUpstream(NumpyTwin):
    """Double backward forgets the upstream gradient of the unreduced losses."""

    def cross_entropy_hvp(self, vector, cotangent, logits, target, **options):
        if options.get("reduction") == "none":
            cotangent = np.ones_like(cotangent)
        return super().cross_entropy_hvp(vector, cotangent, logits, target, **options)


@mutant(killed_by=("gradients.second-order-every-combination",))
class HessianOfIgnoredMeanOverAllRows(NumpyTwin):
    """Double backward of an unweighted mean of smoothed rows divides by all of them, ignored ones included."""

    def scale(self, call, cotangents):
        if call.purpose == "hessian" and call.reduction == "mean" and call.eps and call.weight is None:
            return cotangents / len(call.x)
        return super().scale(call, cotangents)
