"""Probability targets: rows that do not sum to 1, and the gradient of the targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(
    bug="PRB-01",
    link="https://github.com/tensorflow/tensorflow/issues/46672",
    killed_by=("gradients.logits",),
)
class GradientAssumesUnitMass(NumpyTwin):
    """The gradient is p - t, right only for targets that sum to 1."""

    def row_gradient(self, call):
        if call.probabilities is None or call.weight is not None:
            return super().row_gradient(call)
        return self.softmax_rows(call.x) - self.shares(call)


@mutant(
    bug="PRB-02",
    link="https://github.com/tracel-ai/burn/pull/4829",
    killed_by=("accuracy.loss",),
)
class TargetsNormalisedAgain(NumpyTwin):
    """Targets are divided by their sum, which changes those that do not sum to 1."""

    def distribution(self, call):
        if call.probabilities is None:
            return super().distribution(call)
        total = call.probabilities.sum(axis=1, keepdims=True)
        return call.probabilities / np.where(total > 0, total, 1)


@mutant(
    bug="PRB-04",
    link="https://github.com/pytorch/pytorch/issues/134771",
    killed_by=("probability_targets.homogeneous",),
)
class TargetsClipped(NumpyTwin):
    """Targets are clipped to [0, 1] though they are used as they are by convention."""

    def distribution(self, call):
        return np.clip(super().distribution(call), 0, 1)


@mutant(
    bug="PRB-06",
    link="https://github.com/tensorflow/tensorflow/issues/21271",
    killed_by=("accuracy.loss",),
)
class LossClipped(NumpyTwin):
    """The loss of a row ends at 1000."""

    def row_losses(self, call):
        return np.minimum(super().row_losses(call), 1000)


@mutant(killed_by=("accuracy.loss",))
class OneHotGuessedFromMaximum(NumpyTwin):
    """A batch whose targets all reach 1 is taken for one-hot and sent through the index path."""

    def distribution(self, call):
        t = call.probabilities
        if t is None or not t.size or not (t.max(axis=1) == 1).all():
            return super().distribution(call)
        return (np.arange(call.classes) == t.argmax(axis=1)[:, None]).astype(call.x.dtype)


@mutant(killed_by=("probability_targets.all-zero-row",))
class EmptyTargetRowsNotCounted(NumpyTwin):
    """The mean divides by the rows that have any target mass."""

    def row_weights(self, call):
        if call.probabilities is None:
            return super().row_weights(call)
        return (call.probabilities.sum(axis=1) > 0).astype(call.x.dtype)


@mutant(killed_by=("layout.square-loss",))
class SquareTargetsTransposed(NumpyTwin):
    """Targets are transposed if that makes them (C, N): with as many rows as classes they always are."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if call.probabilities is None or len(call.x) != call.classes:
            return call
        return replace(call, probabilities=np.ascontiguousarray(call.probabilities.T))


@mutant(
    bug="GRD-08",
    link="https://github.com/pytorch/pytorch/pull/188296",
    killed_by=("gradients.probability-targets",),
)
class TargetGradientMissing(NumpyTwin):
    """The chunked path, past 16 rows, fills no slot for the gradient of the targets."""

    def grad_target(self, call, cotangents):
        return super().grad_target(call, cotangents) if len(call.x) <= 16 else None


@mutant(
    bug="GRD-07",
    link="https://github.com/tensorflow/tensorflow/issues/26495",
    killed_by=("gradients.probability-targets",),
)
class TargetGradientIsZero(NumpyTwin):
    """Targets are taken for constants: their gradient is zero, without an error."""

    def grad_target(self, call, cotangents):
        return np.zeros_like(call.logits)


@mutant(killed_by=("gradients.probability-targets",))
class TargetGradientForgetsSmoothing(NumpyTwin):
    """The gradient of the targets misses the factor 1 - eps."""

    def grad_target(self, call, cotangents):
        return super().grad_target(replace(call, eps=0.0), cotangents)


@mutant(killed_by=("gradients.probability-targets",))
class TargetGradientForgetsWeights(NumpyTwin):
    """The gradient of the targets misses the class weights."""

    def grad_target(self, call, cotangents):
        return super().grad_target(replace(call, weight=None), cotangents)


@mutant(killed_by=("gradients.probability-targets",))
class TargetGradientCentred(NumpyTwin):
    """The gradient of the targets is projected on the simplex: its mean over the classes is subtracted."""

    def grad_target(self, call, cotangents):
        slope = (1 - call.eps) * call.class_weights * -self.log_probs(call)
        return self.restored(self.scale(call, cotangents) * (slope - slope.mean(axis=1, keepdims=True)), call)
