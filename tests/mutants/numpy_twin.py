"""A correct cross-entropy in NumPy, cut into small steps so that a mutant can get one of them wrong.

It follows PyTorch. Half formats are computed in float32, float32 and float64 in themselves. With Q the shares of
``shares``, S their sum over the classes, G the cotangent over the divisor:

    loss_i = sum_j Q_ij (-log p_ij)     gradient G (p S - Q)     Hessian times v  G S p (v - <p, v>)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mutants.numpy_checks import FLOATING, INDICES
from mutants.numpy_rows import Array, Call, Rows
from xent_conformance.interface import Capabilities, Precision, Vjp


class NumpyTwin(Rows):
    """Every form of the interface."""

    device = "cpu"
    #: What it declares of its arithmetic; a mutant may declare less.
    precision = Precision()
    #: What it claims beside what its bases claim.
    claims: Mapping[str, Any] = {}

    def __init__(self, name: str = "numpy-twin", dtypes: tuple[str, ...] = FLOATING) -> None:
        self.name = name
        further: dict[str, Any] = {}
        for kind in reversed(type(self).__mro__):
            further |= vars(kind).get("claims", {})
        self.capabilities = Capabilities(
            logits_dtypes=dtypes,
            target_dtypes=INDICES,
            probability_targets=True,
            weight=True,
            ignore_index=True,
            default_ignore_index=-100,
            label_smoothing=True,
            unbatched=True,
            spatial=True,
            precision=self.precision,
            **further,
        )

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        with np.errstate(all="ignore"):
            return self.loss(self.read("loss", logits, target, **options))

    def cross_entropy_vjp(
        self,
        cotangent: Array,
        logits: Array,
        target: Array,
        *,
        repeats: int = 1,
        upstream: str = "leaf",
        **options: Any,
    ) -> Vjp:
        with np.errstate(all="ignore"):
            call = self.read("gradient", logits, target, **options)
            gradient = self.grad_logits(call, self.cotangents(call, cotangent))
            grad_target = None
            if call.probabilities is not None:
                grad_target = self.grad_target(call, self.cotangents(call, cotangent))
            return Vjp(self.loss(call), gradient, grad_target)

    def cross_entropy_hvp(self, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
        with np.errstate(all="ignore"):
            call = self.read("hessian", logits, target, **options)
            product = self.row_hessian(call, self.by_row(vector))
            return self.restored(self.kept(call, self.scale(call, self.cotangents(call, cotangent)) * product), call)

    def cross_entropy_layer(self, logits: Array, target: Array, **options: Any) -> Array:
        return self.cross_entropy(logits, target, **options)

    def cross_entropy_layer_vjp(self, cotangent: Array, logits: Array, target: Array, **options: Any) -> Vjp:
        return self.cross_entropy_vjp(cotangent, logits, target, **options)

    def softmax(self, logits: Array) -> Array:
        self.check_logits(logits)
        with np.errstate(all="ignore"):
            return self.placed(self.softmax_rows(self.by_row(logits)), logits)

    def log_softmax(self, logits: Array) -> Array:
        self.check_logits(logits)
        with np.errstate(all="ignore"):
            return self.placed(self.log_softmax_rows(self.by_row(logits)), logits)

    def softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.placed(self.softmax_gradient(self.by_row(cotangent), self.by_row(logits)), logits)

    def log_softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.placed(self.log_softmax_gradient(self.by_row(cotangent), self.by_row(logits)), logits)

    def nll_loss(self, log_probs: Array, target: Array, **options: Any) -> Array:
        if target.dtype.name in FLOATING:
            raise TypeError(f"nll_loss takes class indices, got {target.dtype.name}")
        with np.errstate(all="ignore"):
            call = self.read("loss", log_probs, target, **options)
            losses = -call.class_weights[call.labels] * call.x[call.rows, call.labels]
            return self.reduced(call, np.where(call.ignored, 0, losses))

    # The softmax.

    def maximum(self, x: Array) -> Array:
        return x.max(axis=1, keepdims=True)

    def exponentials(self, shifted: Array) -> Array:
        return np.exp(shifted)

    def class_sum(self, exponentials: Array) -> Array:
        return exponentials.sum(axis=1, keepdims=True)

    def partition(self, x: Array) -> tuple[Array, Array, Array]:
        """Shifted logits, their exponentials, and the sum of these."""
        shifted = x - self.maximum(x)
        exponentials = self.exponentials(shifted)
        return shifted, exponentials, self.class_sum(exponentials)

    def log_softmax_rows(self, x: Array) -> Array:
        shifted, _, total = self.partition(x)
        return shifted - np.log(total)

    def softmax_rows(self, x: Array) -> Array:
        _, exponentials, total = self.partition(x)
        return exponentials / total

    def log_probs(self, call: Call) -> Array:
        return self.log_softmax_rows(call.x)

    def softmax_gradient(self, cotangents: Array, x: Array) -> Array:
        p = self.softmax_rows(x)
        return p * (cotangents - (p * cotangents).sum(axis=1, keepdims=True))

    def log_softmax_gradient(self, cotangents: Array, x: Array) -> Array:
        return cotangents - self.softmax_rows(x) * cotangents.sum(axis=1, keepdims=True)

    # The loss.

    def distribution(self, call: Call) -> Array:
        """The target as a distribution (R, C), zero on ignored rows."""
        if call.probabilities is not None:
            return call.probabilities
        hot = (call.labels[:, None] == np.arange(call.classes)) & ~call.ignored[:, None]
        return hot.astype(call.x.dtype)

    def smoothed(self, call: Call, distribution: Array) -> Array:
        return (1 - call.eps) * distribution + call.eps / call.classes if call.eps else distribution

    def weighted(self, call: Call, shares: Array) -> Array:
        return shares * call.class_weights

    def shares(self, call: Call) -> Array:
        shares = self.weighted(call, self.smoothed(call, self.distribution(call)))
        return np.where(call.ignored[:, None], 0, shares).astype(call.x.dtype)

    def counted(self, call: Call) -> Array:
        """Elements whose log-probability the loss depends on."""
        if call.probabilities is None and not call.eps:
            return (call.labels[:, None] == np.arange(call.classes)) & ~call.ignored[:, None]
        return np.broadcast_to(~call.ignored[:, None], call.x.shape)

    def terms(self, call: Call) -> Array:
        """Summands of the row losses (R, C): a zero share beats an infinity that is only overflow."""
        shares, log_probs = self.shares(call), self.log_probs(call)
        overflowed = (shares == 0) & np.isinf(log_probs) & np.isfinite(call.x)
        return np.where(self.counted(call) & ~overflowed, shares * -log_probs, 0)

    def row_losses(self, call: Call) -> Array:
        return self.terms(call).sum(axis=1)

    def row_weights(self, call: Call) -> Array:
        """What the mean's divisor is summed from."""
        if call.probabilities is not None:
            return np.ones(len(call.x), call.x.dtype)
        return np.where(call.ignored, 0, call.class_weights[call.labels])

    def divisor(self, call: Call) -> Any:
        return self.row_weights(call).sum() or np.nan

    def reduced(self, call: Call, losses: Array) -> Array:
        if call.reduction == "none":
            return self.cast(losses.reshape(call.row_shape), call.logits)
        total = losses.sum()
        return self.cast(np.asarray(total / self.divisor(call) if call.reduction == "mean" else total), call.logits)

    def loss(self, call: Call) -> Array:
        return self.reduced(call, self.row_losses(call))

    # Gradients.

    def scale(self, call: Call, cotangents: Array) -> Array:
        return cotangents / self.divisor(call) if call.reduction == "mean" else cotangents

    def row_gradient(self, call: Call) -> Array:
        shares = self.shares(call)
        return self.softmax_rows(call.x) * shares.sum(axis=1, keepdims=True) - shares

    def kept(self, call: Call, rows: Array) -> Array:
        """Rows (R, C) with exact zeros where a row is ignored."""
        return np.where(call.ignored[:, None], 0, rows)

    def grad_logits(self, call: Call, cotangents: Array) -> Array:
        return self.restored(self.kept(call, self.scale(call, cotangents) * self.row_gradient(call)), call)

    def grad_target(self, call: Call, cotangents: Array) -> Array | None:
        slope = (1 - call.eps) * call.class_weights * -self.log_probs(call)
        return self.restored(self.scale(call, cotangents) * slope, call)

    def row_hessian(self, call: Call, vector: Array) -> Array:
        p = self.softmax_rows(call.x)
        centred = vector - (p * vector).sum(axis=1, keepdims=True)
        return self.shares(call).sum(axis=1, keepdims=True) * p * centred
