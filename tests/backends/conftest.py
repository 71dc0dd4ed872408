"""The closed form that adapters are held to here: float64, index or probability targets, every option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

F64Array = npt.NDArray[np.float64]


class Exact(NamedTuple):
    """Loss and gradient of the logits for a cotangent of one."""

    loss: F64Array
    gradient: F64Array


def exact(
    logits: npt.NDArray[Any],
    target: npt.NDArray[Any],
    *,
    weight: npt.NDArray[Any] | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Exact:
    """Loss and gradient of (N, C) logits, by the definition: sum_j Q_ij (-log p_ij) and p_ij S_i - Q_ij."""
    x = logits.astype(np.float64)
    rows, classes = x.shape
    w = np.ones(classes) if weight is None else weight.astype(np.float64)
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    indices = target.dtype.kind in "iu"
    valid = target != ignore_index if indices else np.ones(rows, bool)
    labels = np.where(valid, target, 0).astype(int) if indices else None
    shares = np.eye(classes)[labels] if labels is not None else target.astype(np.float64)
    q = valid[:, None] * w * ((1 - label_smoothing) * shares + label_smoothing / classes)
    losses, gradient = -(q * np.log(p)).sum(axis=1), p * q.sum(axis=1, keepdims=True) - q
    if reduction == "none":
        return Exact(losses, gradient)
    divisor = 1.0
    if reduction == "mean":
        divisor = float((w[labels] * valid).sum()) if labels is not None else float(rows)
    return Exact(np.asarray(losses.sum() / divisor), gradient / divisor)


@pytest.fixture
def closed_form() -> Callable[..., Exact]:
    """The closed form, as a function of one call."""
    return exact


@pytest.fixture
def batch() -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Logits (5, 7) on a grid that every format represents, labels, probabilities (dyadic) and weights."""
    generator = np.random.default_rng(7)
    logits = generator.integers(-16, 16, (5, 7)) / 4
    probabilities = generator.integers(0, 9, (5, 7)) / 8
    return logits, np.array([0, 6, -100, 3, 3]), probabilities, generator.integers(1, 9, 7) / 4
