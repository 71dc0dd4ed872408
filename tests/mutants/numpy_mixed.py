"""Steps for weights and probabilities in another dtype than the logits, to be put before those of the NumPy twin."""

from __future__ import annotations

from typing import Any

from mutants.numpy_checks import FLOATING
from mutants.numpy_rows import Array, Call
from mutants.numpy_twin import NumpyTwin
from xent_conformance.interface import Vjp


class Mixed(NumpyTwin):
    """Operands are converted to the format of the intermediate values; the gradient of targets has their own dtype."""

    claims = dict.fromkeys(("weight_dtypes", "probability_dtypes"), FLOATING)

    def read(self, purpose: str, logits: Array, target: Array, *arguments: Any, **options: Any) -> Call:
        if target.dtype.name in FLOATING and logits.dtype.name in FLOATING:
            target = target.astype(self.working(logits.dtype))
        return super().read(purpose, logits, target, *arguments, **options)

    def check_weight(self, weight: Any, logits: Any) -> None:
        mixed = weight is not None and weight.dtype.name in FLOATING
        super().check_weight(weight.astype(logits.dtype) if mixed else weight, logits)

    def check_probabilities(self, target: Any, logits: Any) -> None:
        super().check_probabilities(target.astype(logits.dtype), logits)

    def cross_entropy_vjp(self, cotangent: Array, logits: Array, target: Array, **options: Any) -> Vjp:
        found = super().cross_entropy_vjp(cotangent, logits, target, **options)
        if found.grad_target is None:
            return found
        return found._replace(grad_target=self.of_target(found.grad_target, target))

    def grad_target(self, call: Call, cotangents: Array) -> Array:
        """In the format of the intermediate values."""
        slope = (1 - call.eps) * call.class_weights * -self.log_probs(call)
        return self.placed(self.scale(call, cotangents) * slope, call.logits.astype(call.x.dtype))

    def of_target(self, gradient: Array, target: Array) -> Array:
        return gradient.astype(target.dtype)
