"""Backends of callables that are softmax, log_softmax, nll_loss or the loss of a linear map: a mixin class for each.

They are combined with a class of the framework, which has the fields ``function`` and ``expression``, the context
manager ``settings`` for each call and, if the framework differentiates, ``linear_vjp`` for the loss of a linear map and
``pullback`` for a function of logits.
"""

from __future__ import annotations

from typing import Any

from xent_backends.source_text import joined, one_line, plain_source
from xent_conformance.interface import Array, LinearVjp

_LINEAR = "hidden, weight, bias, target, **options"


class _Alone:
    """The attributes that the class of a framework provides."""

    function: Any
    expression: str
    linear_vjp: Any
    pullback: Any
    settings: Any


class Softmax(_Alone):
    """Probabilities."""

    def softmax(self, logits: Array) -> Array:
        """Softmax, as the callable gives it."""
        with self.settings():
            return self.function(logits)

    def _calls(self) -> dict[str, str]:
        return {"softmax": one_line("softmax", "logits", f"{self.expression}(logits)")}


class LogSoftmax(_Alone):
    """Log-probabilities."""

    def log_softmax(self, logits: Array) -> Array:
        """Logarithm of the softmax, as the callable gives it."""
        with self.settings():
            return self.function(logits)

    def _calls(self) -> dict[str, str]:
        return {"log_softmax": one_line("log_softmax", "logits", f"{self.expression}(logits)")}


class DifferentiableSoftmax(Softmax):
    """Probabilities, with their gradient."""

    def softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of the softmax."""
        with self.settings():
            return self.pullback(self.function, cotangent, logits)

    def _calls(self) -> dict[str, str]:
        return super()._calls() | {"softmax_vjp": _pulled_back("softmax_vjp", self)}


class DifferentiableLogSoftmax(LogSoftmax):
    """Log-probabilities, with their gradient."""

    def log_softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of log_softmax."""
        with self.settings():
            return self.pullback(self.function, cotangent, logits)

    def _calls(self) -> dict[str, str]:
        return super()._calls() | {"log_softmax_vjp": _pulled_back("log_softmax_vjp", self)}


def _pulled_back(name: str, made: _Alone) -> str:
    call = one_line(name, "cotangent, logits", f"pullback({made.expression}, cotangent, logits)")
    return joined(plain_source(made.pullback), call)


class NllLoss(_Alone):
    """The loss of log-probabilities."""

    def nll_loss(self, log_probs: Array, target: Array, **options: Any) -> Array:
        """Negative log-likelihood, as the callable gives it."""
        with self.settings():
            return self.function(log_probs, target, **options)

    def _calls(self) -> dict[str, str]:
        parameters = "log_probs, target, **options"
        return {"nll_loss": one_line("nll_loss", parameters, f"{self.expression}({parameters})")}


class Linear(_Alone):
    """The loss of a linear map."""

    def linear_cross_entropy(
        self, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> Array:
        """Loss with the linear map fused in, as the callable gives it."""
        with self.settings():
            return self.function(hidden, weight, bias, target, **options)

    def _calls(self) -> dict[str, str]:
        return {"linear_cross_entropy": one_line("linear_cross_entropy", _LINEAR, f"{self.expression}({_LINEAR})")}


class DifferentiableLinear(Linear):
    """The loss of a linear map, with gradients."""

    def linear_cross_entropy_vjp(
        self, cotangent: Array, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> LinearVjp:
        """Loss and gradients of hidden, weight and bias."""
        with self.settings():
            return LinearVjp(*self.linear_vjp(self.function, cotangent, hidden, weight, bias, target, **options))

    def _calls(self) -> dict[str, str]:
        parameters = f"cotangent, {_LINEAR}"
        call = one_line("linear_cross_entropy_vjp", parameters, f"linear_vjp({self.expression}, {parameters})")
        return super()._calls() | {"linear_cross_entropy_vjp": joined(plain_source(self.linear_vjp), call)}


def class_of(form: str, base: type, *, gradient: bool) -> type:
    """The class of a backend.

    Args:
        form: The name of the function.
        base: The class of the framework.
        gradient: Whether the backend has gradients.
    """
    kinds: dict[str, type] = {
        "linear_cross_entropy": DifferentiableLinear if gradient else Linear,
        "softmax": DifferentiableSoftmax if gradient else Softmax,
        "log_softmax": DifferentiableLogSoftmax if gradient else LogSoftmax,
        "nll_loss": NllLoss,
    }
    return type(f"{base.__name__}{kinds[form].__name__}", (kinds[form], base), {"__module__": base.__module__})
