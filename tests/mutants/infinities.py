"""Infinities and nan in rows that count."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(
    bug="INF-01", link="https://github.com/google-deepmind/optax/issues/896", killed_by=("identities.impossible-class",)
)
class OneHotTimesLogProbability(NumpyTwin):
    """Labels become one-hot rows that multiply the log-probabilities: 0 times -inf at every masked class."""

    def terms(self, call):
        return np.where(call.ignored[:, None], 0, self.shares(call) * -self.log_probs(call))


@mutant(bug="INF-01", link="https://github.com/google-deepmind/optax/issues/896", killed_by=("extremes.zero-share",))
class ZeroShareTimesOverflow(NumpyTwin):
    """A share of zero multiplies whatever stands there: nan where the distance has left the format."""

    def terms(self, call):
        return np.where(self.counted(call), self.shares(call) * -self.log_probs(call), 0)


@mutant(
    bug="INF-02",
    link="https://github.com/google-deepmind/optax/pull/1762",
    killed_by=("gradients.logits",),
)
class GradientThroughReciprocal(NumpyTwin):
    """The gradient is p (S - Q / p), which is 0/0 wherever the probability has underflowed."""

    def row_gradient(self, call):
        shares, p = self.shares(call), self.softmax_rows(call.x)
        return p * (shares.sum(axis=1, keepdims=True) - shares / p)


@mutant(bug="INF-03", link="https://github.com/jax-ml/jax/issues/17117", killed_by=("identities.impossible-class",))
class MaskedClassesKeepTheirMass(NumpyTwin):
    """Masked classes are put 10 below the maximum instead of -inf, which leaves each of them e^-10 of the mass."""

    def partition(self, x):
        shifted = np.where(np.isneginf(x), -10, x - self.maximum(x))
        exponentials = self.exponentials(shifted)
        return x - self.maximum(x), exponentials, self.class_sum(exponentials)


@mutant(bug="INF-04", link="https://github.com/pytorch/xla/issues/2553", killed_by=("accuracy.loss",))
class MinusInfinityReplaced(NumpyTwin):
    """-inf is replaced by -1e4, which is a finite loss where the class is read, and not below other logits."""

    def by_row(self, array):
        return np.where(np.isneginf(super().by_row(array)), -1e4, super().by_row(array)).astype(np.float32)


@mutant(
    bug="INF-08",
    link="https://github.com/tensorflow/tensorflow/issues/11756",
    killed_by=("extremes.nan-is-not-hidden",),
)
class NanReplacedByZero(NumpyTwin):
    """nan logits are replaced by 0, so a diverged row has a plausible loss."""

    def by_row(self, array):
        rows = super().by_row(array)
        return np.where(np.isnan(rows), 0, rows).astype(rows.dtype)


@mutant(killed_by=("extremes.nan-is-not-hidden",))
class NanBehindTheFirstClassSkipped(NumpyTwin):
    """Maximum and sum start from the first class and leave out what does not compare: nan in a later one is lost."""

    def by_row(self, array):
        rows = super().by_row(array)
        later = np.arange(rows.shape[1]) > 0
        return np.where(np.isnan(rows) & later, -np.inf, rows).astype(rows.dtype)


@mutant(killed_by=("conventions.all-masked-row", "conventions.all-masked-row-gradient"))
class MaskedRowGuardedInLongRows(NumpyTwin):
    """The tiled kernel for more than 256 classes subtracts a maximum that is clamped to the lowest number, so that a
    row of only -inf has a sum of zero, a loss of its logarithm, and a gradient of 0.
    """

    def log_softmax_rows(self, x):
        rows = super().log_softmax_rows(x)
        return np.where(np.isneginf(x).all(axis=1, keepdims=True) & (x.shape[1] > 256), -87.0, rows)

    def softmax_rows(self, x):
        rows = super().softmax_rows(x)
        return np.where(np.isneginf(x).all(axis=1, keepdims=True) & (x.shape[1] > 256), 0, rows)


@mutant(killed_by=("conventions.infinite-row", "conventions.infinite-row-gradient"))
class InfinityTakenForTheLargestNumber(NumpyTwin):
    """Logits are clamped to the largest number before the maximum is taken: a row that has overflowed looks trained."""

    def maximum(self, x):
        return np.minimum(super().maximum(x), np.finfo(x.dtype).max)

    def partition(self, x):
        return super().partition(np.minimum(x, np.finfo(x.dtype).max))


LABEL = ("extremes.label-of-a-masked-class",)
LABEL_GRADIENT = ("extremes.label-of-a-masked-class-gradient",)


def alone(call):
    """Whether the loss of a row reads the class of its label only."""
    return call.probabilities is None and not call.eps


@mutant(killed_by=LABEL)
class LossOfMaskedLabelIsLarge(NumpyTwin):
    """Log-probabilities are clamped to the lowest number before the label's is gathered."""

    def log_probs(self, call):
        right = super().log_probs(call)
        return np.maximum(right, np.finfo(right.dtype).min) if alone(call) else right


@mutant(killed_by=LABEL)
class MaskedLabelTakenForPadding(NumpyTwin):
    """A label whose logit is -inf is taken for a padded token: its row counts in no sum, and in no divisor."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if alone(call):
            call.ignored[np.isneginf(call.x[call.rows, call.labels])] = True
        return call


@mutant(killed_by=LABEL)
class InfiniteLossesLeftOutOfSums(NumpyTwin):
    """Sum and mean leave out losses that are not finite, so that a corrupt label goes unnoticed."""

    def reduced(self, call, losses):
        if call.reduction == "none" or not alone(call):
            return super().reduced(call, losses)
        return super().reduced(call, np.where(np.isposinf(losses), 0, losses))


@mutant(killed_by=LABEL)
class InfiniteLossOfEveryRow(NumpyTwin):
    """A flag for the whole batch says that a loss is infinite: every row gets it."""

    def row_losses(self, call):
        right = super().row_losses(call)
        return np.full_like(right, np.inf) if alone(call) and np.isposinf(right).any() else right


@mutant(killed_by=LABEL_GRADIENT)
class NoGradientOfInfiniteLosses(NumpyTwin):
    """backward skips rows whose loss is not finite, as gradient scalers skip whole steps."""

    def row_gradient(self, call):
        right = super().row_gradient(call)
        return np.where(np.isposinf(self.row_losses(call))[:, None], 0, right)


@mutant(killed_by=LABEL_GRADIENT)
class LogSumExpFromTheStoredLoss(NumpyTwin):
    """backward recovers logsumexp as x_t plus the stored loss: -inf plus inf is nan."""

    def row_gradient(self, call):
        right = super().row_gradient(call)
        if not alone(call):
            return right
        lost = np.isnan(call.x[call.rows, call.labels] + self.row_losses(call))
        return np.where(lost[:, None], np.nan, right)
