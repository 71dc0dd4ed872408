"""From the arrays of a call to rows and classes, and back: the outer steps of the NumPy twin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mutants.numpy_checks import FLOATING, Checks

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Call:
    """One checked call by row: R rows, C classes. ``labels`` has 0 in place of ignored labels."""

    logits: Array
    x: Array
    labels: Array
    raw_labels: Array
    ignored: Array
    probabilities: Array | None
    weight: Array | None
    reduction: str
    eps: float
    ignore_index: int
    purpose: str

    @property
    def classes(self) -> int:
        return self.x.shape[1]

    @property
    def rows(self) -> Array:
        return np.arange(len(self.x))

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.logits.shape[:1] + self.logits.shape[2:] if self.logits.ndim > 1 else ()

    @property
    def class_weights(self) -> Array:
        return np.ones(self.classes, self.x.dtype) if self.weight is None else self.weight


class Rows(Checks):
    """Reads a call into rows (R, C) of the working dtype and puts results back into its shape and dtype."""

    def read(
        self,
        purpose: str,
        logits: Array,
        target: Array,
        weight: Array | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> Call:
        self.check_logits(logits)
        self.check_target(target, logits)
        self.check_weight(weight, logits)
        self.check_reduction(reduction)
        self.check_smoothing(label_smoothing)
        x = self.by_row(logits)
        probabilities, labels, ignored = None, np.zeros(len(x), np.int64), np.zeros(len(x), bool)
        if target.dtype.name in FLOATING:
            probabilities = self.by_row(target)
        else:
            labels = self.read_labels(target)
            ignored = self.ignored(labels, ignore_index, logits)
        call = Call(
            logits=logits,
            x=x,
            labels=self.gathered(labels, ignored),
            raw_labels=labels,
            ignored=ignored,
            probabilities=probabilities,
            weight=None if weight is None else self.read_weight(weight).astype(x.dtype),
            reduction=reduction,
            eps=label_smoothing,
            ignore_index=ignore_index,
            purpose=purpose,
        )
        if probabilities is None:
            self.check_labels(call)
        return call

    def working(self, dtype: np.dtype[Any]) -> type:
        return np.float64 if dtype == np.float64 else np.float32

    def by_row(self, array: Array) -> Array:
        moved = array if array.ndim <= 2 else np.moveaxis(array, 1, -1)
        rows = math.prod(moved.shape[:-1])
        return np.array(moved, dtype=self.working(array.dtype), order="C").reshape(rows, moved.shape[-1])

    def read_labels(self, target: Array) -> Array:
        return target.reshape(-1).astype(np.int64)

    def read_weight(self, weight: Array) -> Array:
        return weight

    def ignored(self, labels: Array, ignore_index: int, logits: Array) -> Array:
        return labels == ignore_index

    def gathered(self, labels: Array, ignored: Array) -> Array:
        return np.where(ignored, 0, labels)

    def cotangents(self, call: Call, cotangent: Array) -> Array:
        return np.asarray(cotangent).astype(call.x.dtype).reshape(-1, 1)

    def cast(self, array: Array, logits: Array) -> Array:
        return array.astype(logits.dtype)

    def restored(self, rows: Array, call: Call) -> Array:
        return self.placed(rows, call.logits)

    def placed(self, rows: Array, logits: Array) -> Array:
        if logits.ndim <= 2:
            return rows.reshape(logits.shape).astype(logits.dtype)
        axis = min(1, logits.ndim - 1)
        moved = rows.reshape(np.moveaxis(logits, axis, -1).shape)
        return np.ascontiguousarray(np.moveaxis(moved, -1, axis)).reshape(logits.shape).astype(logits.dtype)
