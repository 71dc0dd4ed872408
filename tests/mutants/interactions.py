"""Options that are right one by one and wrong together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(killed_by=("accuracy.every-combination",))
class FullSmoothingForgetsTheMask(NumpyTwin):
    """eps = 1 does not read the labels, nor therefore which of them are ignored."""

    def shares(self, call):
        if call.eps != 1 or call.probabilities is not None:
            return super().shares(call)
        return np.broadcast_to(call.class_weights / call.classes, call.x.shape).astype(call.x.dtype)

    def counted(self, call):
        if call.eps != 1 or call.probabilities is not None:
            return super().counted(call)
        return np.ones(call.x.shape, bool)


@mutant(killed_by=("weights.constant",))
class ConstantWeightsDropped(NumpyTwin):
    """Weights that are all equal are dropped: right for the mean, not for sum and none."""

    def read_weight(self, weight):
        return np.ones_like(weight) if weight.size and (weight == weight[0]).all() else weight


@mutant(killed_by=("accuracy.every-combination",))
class DivisorOfMagnitudes(NumpyTwin):
    """The divisor adds |w|, which negative weights tell apart."""

    def row_weights(self, call):
        return np.abs(super().row_weights(call))


@mutant(killed_by=("gradients.logits",))
class IgnoredWeightInBackwardDivisor(NumpyTwin):
    """With weights and smoothing the divisor of backward still counts the weight of class 0 for ignored rows."""

    def scale(self, call, cotangents):
        if call.reduction == "mean" and call.weight is not None and call.eps and call.probabilities is None:
            return cotangents / (self.divisor(call) + call.ignored.sum() * call.class_weights[0])
        return super().scale(call, cotangents)


@mutant(killed_by=("gradients.logits",))
class WeightedProbabilitiesDividedInBackward(NumpyTwin):
    """The mean over weighted probabilities divides its gradient by the weighted mass, its value by the rows."""

    def scale(self, call, cotangents):
        if call.reduction == "mean" and call.weight is not None and call.probabilities is not None:
            return cotangents / ((call.probabilities * call.class_weights).sum() or np.nan)
        return super().scale(call, cotangents)


@mutant(killed_by=("gradients.logits",))
class ProbabilitiesSmoothedTwice(NumpyTwin):
    """forward smooths the probabilities in place, and backward smooths what it finds."""

    def row_gradient(self, call):
        if call.probabilities is not None and call.eps:
            call = replace(call, probabilities=super().smoothed(call, call.probabilities))
        return super().row_gradient(call)


@mutant(killed_by=("gradients.logits",))
class UpstreamOfTheSample(NumpyTwin):
    """With spatial dimensions every position takes the upstream gradient of its sample's first one."""

    def cotangents(self, call, cotangent):
        cotangents = super().cotangents(call, cotangent)
        if call.reduction != "none" or call.logits.ndim < 3 or not cotangents.size:
            return cotangents
        return np.repeat(cotangents.reshape(call.logits.shape[0], -1)[:, 0], len(call.x) // call.logits.shape[0])[
            :, None
        ]


@mutant(killed_by=("gradients.logits",))
class UpstreamThroughBfloat16(NumpyTwin):
    """The upstream gradient is loaded in bfloat16 though loss and logits are float32."""

    def cotangents(self, call, cotangent):
        import ml_dtypes

        return super().cotangents(call, cotangent).astype(ml_dtypes.bfloat16).astype(call.x.dtype)


@mutant(killed_by=("gradients.second-order",))
class VectorThroughBfloat16(NumpyTwin):
    """The vector of the second derivative is multiplied on tensor cores, in bfloat16."""

    def row_hessian(self, call, vector):
        import ml_dtypes

        return super().row_hessian(call, vector.astype(ml_dtypes.bfloat16).astype(call.x.dtype))


@mutant(killed_by=("gradients.probability-targets",))
class TargetGradientTakesOneUpstream(NumpyTwin):
    """The gradient of the targets is multiplied by the first upstream gradient, that of the logits by each."""

    def grad_target(self, call, cotangents):
        first = np.full_like(cotangents, cotangents[0, 0]) if cotangents.size else cotangents
        return super().grad_target(call, first)


@mutant(killed_by=("gradients.probability-targets",))
class SpatialTargetGradientNotMovedBack(NumpyTwin):
    """The gradient of spatial targets is reshaped, not transposed, into their shape."""

    def grad_target(self, call, cotangents):
        right = super().grad_target(call, cotangents)
        if call.logits.ndim < 3:
            return right
        return np.ascontiguousarray(np.moveaxis(right, 1, -1)).reshape(right.shape)


@mutant(killed_by=("accuracy.loss",))
class UnbatchedProbabilitiesDividedByClasses(NumpyTwin):
    """The mean over an unbatched probability target divides by its number of elements, C."""

    def row_weights(self, call):
        if call.probabilities is not None and call.logits.ndim == 1:
            return np.ones(call.classes, call.x.dtype)
        return super().row_weights(call)


@mutant(killed_by=("gradients.second-order",))
class HessianNotDivided(NumpyTwin):
    """Double backward of the weighted mean divides by the rows, not by their weights."""

    def cross_entropy_hvp(self, vector, cotangent, logits, target, **options):
        product = super().cross_entropy_hvp(vector, cotangent, logits, target, **options)
        if options.get("reduction", "mean") != "mean" or options.get("weight") is None or target.dtype.kind not in "iu":
            return product
        call = self.read("hessian", logits, target, **options)
        factor = self.divisor(call) / max(int((~call.ignored).sum()), 1)
        return (product.astype(np.float64) * factor).astype(product.dtype)


@mutant(killed_by=("accuracy.loss",))
class IgnoredClassLeftOutOfSmoothing(NumpyTwin):
    """A sentinel that is also a class gets no share of the uniform term."""

    def smoothed(self, call, distribution):
        smoothed = super().smoothed(call, distribution)
        if call.eps and call.probabilities is None and 0 <= call.ignore_index < call.classes:
            smoothed = np.where(np.arange(call.classes) == call.ignore_index, 0, smoothed)
        return smoothed


@mutant(killed_by=("accuracy.loss",))
class SmoothingRoundedToBfloat16(NumpyTwin):
    """label_smoothing travels to the kernel as bfloat16."""

    def smoothed(self, call, distribution):
        import ml_dtypes

        eps = float(ml_dtypes.bfloat16(call.eps))
        return super().smoothed(replace(call, eps=eps), distribution)


@mutant(killed_by=("accuracy.loss",), dtypes=("float64",))
class SmoothingRoundedToFloat32(NumpyTwin):
    """label_smoothing is a float argument of a kernel that computes in double."""

    def smoothed(self, call, distribution):
        return super().smoothed(replace(call, eps=float(np.float32(call.eps))), distribution)


@mutant(killed_by=("accuracy.every-row-count", "gradients.every-row-count"), dtypes=("bfloat16",))
class SpatialRowsCountedInBfloat16(NumpyTwin):
    """The rows of spatial logits are counted in bfloat16, which stands still at 256."""

    def divisor(self, call):
        divisor = super().divisor(call)
        if call.logits.ndim > 2 and call.weight is None:
            return np.minimum(divisor, 256.0)
        return divisor
