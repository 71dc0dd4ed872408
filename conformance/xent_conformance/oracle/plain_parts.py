"""Softmax and its intermediate results for the bounds: in float64, and zero where they are infinite or nan."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from xent_conformance.oracle.log1p_form import SoftmaxParts
from xent_conformance.problem import F64Array


class PlainParts:
    """Arrays (rows, C), or (rows, 1) for t, log_sum and log_sum_exp. Bounds of several precisions share them.

    ``distance`` is max - x, ``defined`` and ``infinite`` say where nlp is finite and where it is infinite.
    """

    defined: npt.NDArray[np.bool_]
    infinite: npt.NDArray[np.bool_]
    nlp: F64Array
    distance: F64Array
    p: F64Array
    t: F64Array
    log_sum: F64Array
    log_sum_exp: F64Array

    def __init__(self, parts: SoftmaxParts) -> None:
        """From the softmax in any arithmetic."""
        d, nlp = _float64(parts.d), _float64(parts.nlp)
        self.defined = np.isfinite(nlp)
        self.p, self.t, self.log_sum = _float64(parts.p), _float64(parts.t), _float64(parts.log_sum)
        with np.errstate(invalid="ignore"):
            self.log_sum_exp = np.abs(_float64(parts.m) + self.log_sum)
        if self.defined.all():
            # Then everything is finite.
            self.infinite, self.nlp, self.distance = ~self.defined, nlp, -d
            return
        self.infinite = np.isinf(nlp)
        self.nlp = np.where(self.defined, nlp, 0.0)
        self.distance = np.where(np.isfinite(d), -d, 0.0)
        self.p, self.t, self.log_sum, self.log_sum_exp = map(_finite, (self.p, self.t, self.log_sum, self.log_sum_exp))

    @cached_property
    def worst_tree(self) -> F64Array:
        """Sum of the partial sums of the worst binary tree, in units of the whole sum, (rows, 1)."""
        descending = -np.sort(-self.p, axis=1)
        return np.asarray(np.cumsum(descending, axis=1)[:, 1:].sum(axis=1, keepdims=True))


def _float64(values: npt.NDArray[np.generic]) -> F64Array:
    return values.astype(np.float64, copy=False)


def _finite(values: F64Array) -> F64Array:
    return np.where(np.isfinite(values), values, 0.0)
