"""Steps for logsumexp, log-probabilities of tokens and entropy, to be put before those of the NumPy twin."""

from __future__ import annotations

import numpy as np

from mutants.numpy_rows import Array
from mutants.numpy_twin import NumpyTwin


class Functions(NumpyTwin):
    """Each function and its gradient, by row."""

    def logsumexp(self, logits: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.of_rows(self.logsumexp_rows(self.by_row(logits)), logits)

    def logsumexp_vjp(self, cotangent: Array, logits: Array) -> Array:
        with np.errstate(all="ignore"):
            x = self.by_row(logits)
            return self.placed(self.row_cotangents(cotangent, x) * self.softmax_rows(x), logits)

    def token_log_probs(self, logits: Array, target: Array) -> Array:
        with np.errstate(all="ignore"):
            log_probs = self.log_softmax_rows(self.by_row(logits))
            return self.of_rows(self.chosen(log_probs, target.reshape(-1).astype(np.int64)), logits)

    def token_log_probs_vjp(self, cotangent: Array, logits: Array, target: Array) -> Array:
        with np.errstate(all="ignore"):
            x = self.by_row(logits)
            g, labels = self.row_cotangents(cotangent, x), target.reshape(-1).astype(np.int64)
            return self.placed(self.token_gradient(g, self.softmax_rows(x), labels), logits)

    def entropy(self, logits: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.of_rows(self.entropy_rows(self.by_row(logits)), logits)

    def entropy_vjp(self, cotangent: Array, logits: Array) -> Array:
        with np.errstate(all="ignore"):
            x = self.by_row(logits)
            return self.placed(self.row_cotangents(cotangent, x) * self.entropy_gradient(x), logits)

    def of_rows(self, values: Array, logits: Array) -> Array:
        shape = logits.shape[:1] + logits.shape[2:] if logits.ndim > 1 else ()
        return self.cast(values.reshape(shape), logits)

    def row_cotangents(self, cotangent: Array, x: Array) -> Array:
        return np.asarray(cotangent).astype(x.dtype).reshape(-1, 1)

    def logsumexp_rows(self, x: Array) -> Array:
        _, _, total = self.partition(x)
        return (self.maximum(x) + np.log(total))[:, 0]

    def chosen(self, log_probs: Array, labels: Array) -> Array:
        return log_probs[np.arange(len(labels)), labels]

    def token_gradient(self, g: Array, p: Array, labels: Array) -> Array:
        return g * ((labels[:, None] == np.arange(p.shape[1])).astype(p.dtype) - p)

    def surprise(self, x: Array) -> Array:
        """-log p, zero where p is."""
        return np.where(self.softmax_rows(x) == 0, 0, -self.log_softmax_rows(x))

    def entropy_rows(self, x: Array) -> Array:
        return (self.softmax_rows(x) * self.surprise(x)).sum(axis=1)

    def entropy_gradient(self, x: Array) -> Array:
        """(R, C), for a cotangent of 1."""
        return self.softmax_rows(x) * (self.surprise(x) - self.entropy_rows(x)[:, None])
