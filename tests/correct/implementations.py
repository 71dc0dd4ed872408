"""The NumPy twin of the mutants with its arithmetic chosen: its form, the order of its sums, what is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np

from correct.sums import Array, Sum
from mutants.numpy_checks import FLOATING
from mutants.numpy_rows import Call
from mutants.numpy_twin import NumpyTwin
from xent_conformance.interface import Precision

#: Absolute error of a fast logf near 1, in units of the working precision's roundoff: a little below C_LOG. Of 1
#: itself every logarithm is 0.
LOG_ERROR = 3.5


class Correct(NumpyTwin):
    """Correct in the arithmetic that its precision declares, and no better than that admits."""

    def __init__(self, name: str, add: Sum, precision: Precision, dtypes: tuple[str, ...] = FLOATING) -> None:
        super().__init__(name, dtypes)
        self.add = add
        self.precision = precision
        self.capabilities = replace(self.capabilities, precision=precision)

    def working(self, dtype: np.dtype[Any]) -> Any:
        return dtype if self.precision.internals == "native" else super().working(dtype)

    def class_sum(self, exponentials: Array) -> Array:
        return self.added(exponentials)[:, None].astype(exponentials.dtype)

    def added(self, terms: Array) -> Array:
        """Sums over the classes, in float32 or wider whatever the elementwise operations are in."""
        return self.add(terms, np.float64 if terms.dtype == np.float64 else np.float32)

    def logarithm(self, total: Array) -> Array:
        found = np.log(total)
        if self.precision.log == "accurate":
            return found
        error = LOG_ERROR * float(ml_dtypes.finfo(total.dtype).eps) / 2
        return np.where(total == 1, found, found + np.asarray(error, total.dtype))

    def log_sum_exp(self, x: Array) -> tuple[Array, Array]:
        """The row's largest logit and the logarithm of the sum of exponentials beside it."""
        maximum = self.maximum(x)
        return maximum, self.logarithm(self.class_sum(self.exponentials(x - maximum)))

    def log_probabilities(self, x: Array) -> Array:
        maximum, log_sum = self.log_sum_exp(x)
        return (x - maximum) - log_sum if self.precision.form == "A" else x - (maximum + log_sum)

    def stored(self, values: Array) -> Array:
        """Values as they are read back from where they are stored: as they are."""
        return values

    def log_softmax_rows(self, x: Array) -> Array:
        return self.log_probabilities(x)

    def softmax_rows(self, x: Array) -> Array:
        return np.exp(self.log_probabilities(x)) if self.precision.form == "B" else super().softmax_rows(x)

    def row_losses(self, call: Call) -> Array:
        return self.added(self.terms(call)).astype(call.x.dtype)

    def mass(self, call: Call) -> Array:
        """S, the sum of the shares of each row (R, 1)."""
        shares = self.shares(call)
        return self.added(shares)[:, None].astype(shares.dtype)

    def row_gradient(self, call: Call) -> Array:
        return self.softmax_rows(call.x) * self.mass(call) - self.shares(call)

    def row_hessian(self, call: Call, vector: Array) -> Array:
        p = self.softmax_rows(call.x)
        mean = self.added(p * vector)[:, None].astype(p.dtype)
        return self.mass(call) * p * (vector - mean)

    def softmax_gradient(self, cotangents: Array, x: Array) -> Array:
        p = self.softmax_rows(x)
        mean = self.added(p * cotangents)[:, None].astype(p.dtype)
        return p * (cotangents - mean)

    def log_softmax_gradient(self, cotangents: Array, x: Array) -> Array:
        return cotangents - self.softmax_rows(x) * self.added(cotangents)[:, None].astype(x.dtype)

    def batch_sum(self, values: Array, call: Call) -> Any:
        """A sum over the batch in the dtype that the precision declares, from the first row to the last."""
        wide = np.float64 if values.dtype == np.float64 else np.float32
        dtype = wide if self.precision.batch_sum == "wide" else call.logits.dtype.type
        return self.add(values.reshape(1, -1), dtype)[0]

    def divisor(self, call: Call) -> Any:
        return self.batch_sum(self.row_weights(call), call) or np.nan

    def reduced(self, call: Call, losses: Array) -> Array:
        if call.reduction == "none":
            return super().reduced(call, losses)
        total = self.batch_sum(losses, call)
        return self.cast(np.asarray(total / self.divisor(call) if call.reduction == "mean" else total), call.logits)


class StoresResults(Correct):
    """Knows the dtype of the call's operands, to round to it what is stored on the way.

    That is the dtype of the logits, or float32 or a wider one if class weights or probabilities have another.
    """

    def stored(self, values: Array) -> Array:
        """Values as they are read back from a tensor of that dtype."""
        return values.astype(self.dtype).astype(values.dtype)

    def by_row(self, array: Array) -> Array:
        self.dtype = array.dtype
        return super().by_row(array)

    def read(self, purpose: str, logits: Array, target: Array, *arguments: Any, **options: Any) -> Call:
        call = super().read(purpose, logits, target, *arguments, **options)
        operands = [logits, *(a for a in (options.get("weight"), target) if a is not None and a.dtype.name in FLOATING)]
        mixed = any(array.dtype != logits.dtype for array in operands)
        wide = np.float64 if any(array.dtype == np.float64 for array in operands) else np.float32
        self.dtype = np.dtype(wide) if mixed else logits.dtype
        return call


class StoredSums(StoresResults):
    """As torch on the CPU: float32 inside, but the class sum and its logarithm are stored in the logits' dtype."""

    def class_sum(self, exponentials: Array) -> Array:
        return self.stored(super().class_sum(exponentials))

    def logarithm(self, total: Array) -> Array:
        return self.stored(super().logarithm(total))


class StoredTensors(StoresResults):
    """As an eager framework: each operation is float32 inside, and its result a tensor of the logits' dtype."""

    def log_softmax_rows(self, x: Array) -> Array:
        return self.stored(super().log_softmax_rows(x))

    def probabilities(self, call: Call) -> Array:
        """From the stored log-probabilities, as backward has them."""
        return np.exp(self.log_softmax_rows(call.x))

    def shares(self, call: Call) -> Array:
        return self.stored(super().shares(call))

    def terms(self, call: Call) -> Array:
        return self.stored(super().terms(call))

    def row_losses(self, call: Call) -> Array:
        return self.stored(super().row_losses(call))

    def scale(self, call: Call, cotangents: Array) -> Array:
        return self.stored(np.asarray(super().scale(call, cotangents)))

    def divisor(self, call: Call) -> Any:
        return self.stored(np.asarray(super().divisor(call)))

    def mass(self, call: Call) -> Array:
        return self.stored(super().mass(call))

    def row_gradient(self, call: Call) -> Array:
        return self.stored(self.probabilities(call) * self.mass(call) - self.shares(call))

    def softmax_gradient(self, cotangents: Array, x: Array) -> Array:
        p = self.stored(self.softmax_rows(x))
        mean = self.stored(self.added(self.stored(p * cotangents))[:, None].astype(p.dtype))
        return self.stored(p * self.stored(cotangents - mean))

    def log_softmax_gradient(self, cotangents: Array, x: Array) -> Array:
        p = self.stored(np.exp(self.log_softmax_rows(x)))
        return cotangents - self.stored(p * self.stored(self.added(cotangents)[:, None].astype(x.dtype)))

    def row_hessian(self, call: Call, vector: Array) -> Array:
        p = self.stored(self.probabilities(call))
        mean = self.stored(self.added(self.stored(p * vector))[:, None].astype(p.dtype))
        return self.stored(self.mass(call) * self.stored(p * self.stored(vector - mean)))
