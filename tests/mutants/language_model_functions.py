"""logsumexp, log-probabilities of tokens and entropy, and what goes wrong in each."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_functions import Functions

LOGSUMEXP, LOGSUMEXP_GRADIENT = ("language_model.logsumexp",), ("language_model.logsumexp-gradient",)
TOKENS, TOKENS_GRADIENT = ("language_model.token-log-probs",), ("language_model.token-log-probs-gradient",)
ENTROPY, ENTROPY_GRADIENT = ("language_model.entropy",), ("language_model.entropy-gradient",)


class FunctionsTwin(Functions):
    """Correct."""


@mutant(killed_by=LOGSUMEXP)
class LogSumExpWithoutMaximum(FunctionsTwin):
    """Exponentials are summed as they are: large logits overflow, small ones are lost."""

    def logsumexp_rows(self, x):
        return np.log(np.exp(x).sum(axis=1))


@mutant(killed_by=LOGSUMEXP)
class LogSumExpClampsTheSum(FunctionsTwin):
    """The class sum is kept above 1 + 1e-6 before its logarithm."""

    def logsumexp_rows(self, x):
        _, _, total = self.partition(x)
        return (self.maximum(x) + np.log(np.maximum(total, 1 + 1e-3)))[:, 0]


@mutant(killed_by=LOGSUMEXP_GRADIENT)
class LogSumExpGradientOfTheFirstRow(FunctionsTwin):
    """The cotangent of the first row is taken for that of all."""

    def row_cotangents(self, cotangent, x):
        rows = super().row_cotangents(cotangent, x)
        return np.broadcast_to(rows[:1], rows.shape)


@mutant(killed_by=LOGSUMEXP_GRADIENT)
class LogSumExpGradientOfLikeliest(FunctionsTwin):
    """The gradient is that of the maximum."""

    def logsumexp_vjp(self, cotangent, logits):
        x = self.by_row(logits)
        top = (x == x.max(axis=1, keepdims=True)).astype(x.dtype)
        return self.placed(self.row_cotangents(cotangent, x) * top / top.sum(axis=1, keepdims=True), logits)


@mutant(killed_by=TOKENS)
class TokenLogProbsOfSoftmax(FunctionsTwin):
    """The logarithm of a softmax: an unlikely token is -inf."""

    def token_log_probs(self, logits, target):
        with np.errstate(all="ignore"):
            log_probs = np.log(self.softmax_rows(self.by_row(logits)))
            return self.of_rows(self.chosen(log_probs, target.reshape(-1).astype(np.int64)), logits)


@mutant(link="https://github.com/huggingface/trl/pull/2799", killed_by=TOKENS)
class TokenLogProbsShifted(FunctionsTwin):
    """Each row reads the label of the next one, as where logits and labels were shifted twice."""

    def chosen(self, log_probs, labels):
        return super().chosen(log_probs, np.roll(labels, -1))


@mutant(killed_by=TOKENS_GRADIENT)
class TokenGradientOfTheLoss(FunctionsTwin):
    """The gradient has the sign of a loss."""

    def token_gradient(self, g, p, labels):
        return -super().token_gradient(g, p, labels)


@mutant(killed_by=TOKENS_GRADIENT)
class TokenGradientOfTheTokenAlone(FunctionsTwin):
    """Only the token's own logit has a gradient."""

    def token_gradient(self, g, p, labels):
        found = super().token_gradient(g, p, labels)
        return np.where(labels[:, None] == np.arange(p.shape[1]), found, 0)


@mutant(killed_by=ENTROPY)
class EntropyWithoutMaximum(FunctionsTwin):
    """logsumexp minus the mean logit, whose exponentials are not shifted."""

    def entropy_rows(self, x):
        exponentials = np.exp(x)
        total = exponentials.sum(axis=1, keepdims=True)
        return (np.log(total) - (exponentials / total * x).sum(axis=1, keepdims=True))[:, 0]


@mutant(link="https://github.com/huggingface/trl/issues/7221", killed_by=ENTROPY)
class EntropyOfImpossibleClass(FunctionsTwin):
    """A class of probability zero is 0 times infinity."""

    def surprise(self, x):
        return -self.log_softmax_rows(x)


@mutant(killed_by=ENTROPY)
class EntropyInBits(FunctionsTwin):
    """The logarithm has base 2."""

    def entropy_rows(self, x):
        return (super().entropy_rows(x) / np.log(2)).astype(x.dtype)


@mutant(killed_by=ENTROPY)
class EntropyWithEpsilon(FunctionsTwin):
    """1e-6 is added to the probability before its logarithm."""

    def surprise(self, x):
        return -np.log(self.softmax_rows(x) + x.dtype.type(1e-6))


@mutant(killed_by=ENTROPY_GRADIENT)
class EntropyGradientWithoutMean(FunctionsTwin):
    """The entropy itself is missing in its gradient: p log p is differentiated as if p were free."""

    def entropy_gradient(self, x):
        return self.softmax_rows(x) * (self.surprise(x) - 1)


@mutant(killed_by=ENTROPY_GRADIENT)
class EntropyGradientOfConstantProbabilities(FunctionsTwin):
    """The probabilities are detached, so that only the log-probabilities have a gradient."""

    def entropy_gradient(self, x):
        return np.zeros_like(x)
