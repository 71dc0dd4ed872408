"""What a call of the NumPy twin must look like; every check is a step that a mutant may get wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

FLOATING = ("float16", "bfloat16", "float32", "float64")
INDICES = ("int8", "int16", "int32", "int64", "uint8")
REDUCTIONS = ("none", "sum", "mean")


class Checks:
    """Checks of dtypes, shapes, options and labels. Messages name what was found and what was expected."""

    def check_logits(self, logits: Any) -> None:
        self.check_logits_dtype(logits.dtype)
        if logits.ndim == 0 or logits.shape[min(1, logits.ndim - 1)] == 0:
            raise ValueError(f"logits must be (C), (N, C) or (N, C, d1, ..., dk) with C > 0, got {logits.shape}")

    def check_logits_dtype(self, dtype: Any) -> None:
        if dtype.name not in FLOATING:
            raise TypeError(f"logits must be floating-point, got {dtype.name}")

    def check_target(self, target: Any, logits: Any) -> None:
        if target.dtype.name in FLOATING:
            self.check_probabilities(target, logits)
            return
        self.check_label_dtype(target.dtype)
        self.check_label_shape(target, logits.shape[:1] + logits.shape[2:] if logits.ndim > 1 else ())

    def check_probabilities(self, target: Any, logits: Any) -> None:
        if target.shape != logits.shape:
            raise ValueError(f"{target.dtype.name} targets must have the shape {logits.shape}, got {target.shape}")
        if target.dtype != logits.dtype:
            raise TypeError(f"probabilities must be {logits.dtype.name} as the logits, got {target.dtype.name}")

    def check_label_dtype(self, dtype: Any) -> None:
        if dtype.name not in INDICES:
            raise TypeError(f"class indices must be one of {', '.join(INDICES)}, got {dtype.name}")

    def check_label_shape(self, target: Any, expected: tuple[int, ...]) -> None:
        if target.shape != expected:
            raise ValueError(f"class indices must have shape {expected}, got {target.shape}")

    def check_weight(self, weight: Any, logits: Any) -> None:
        if weight is None:
            return
        if weight.dtype != logits.dtype:
            raise TypeError(f"weight must be {logits.dtype.name} as the logits, got {weight.dtype.name}")
        expected = (logits.shape[min(1, logits.ndim - 1)],)
        if weight.shape != expected:
            raise ValueError(f"weight must have shape {expected}, got {weight.shape}")

    def check_reduction(self, reduction: Any) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}")

    def check_smoothing(self, label_smoothing: Any) -> None:
        if isinstance(label_smoothing, bool | np.bool_ | str):
            raise TypeError(f"label_smoothing must be a number, got {label_smoothing!r}")
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing!r}")

    def check_labels(self, call: Any) -> None:
        """Labels that are not ignored lie in [0, C)."""
        outside = ~call.ignored & ((call.raw_labels < 0) | (call.raw_labels >= call.classes))
        if outside.any():
            raise IndexError(f"label {call.raw_labels[outside][0]} is outside [0, {call.classes})")
