"""Checks of the arguments of a call, for implementations whose library accepts invalid ones.

The functions ``check_*`` return nothing; they raise an exception whose message has the wrong value and the expected
ones:

TypeError
    a dtype that is not supported, or an option of the wrong type;
ValueError
    a shape that does not fit, an unknown reduction, a number outside its range;
IndexError
    a label outside [0, C) that is not ``ignore_index``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

# Written out: the implementation in NumPy needs nothing of the suite, so that scripts can run it alone.
FLOATING = ("float16", "bfloat16", "float32", "float64")
INDICES = ("int8", "int16", "int32", "int64", "uint8")
INTEGERS = (*INDICES, "uint16", "uint32", "uint64")
REDUCTIONS = ("none", "sum", "mean")
DEFAULT_IGNORE_INDEX = -100


class ArrayLike(Protocol):
    """What the checks need of an array: NumPy's and JAX's have it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """NumPy dtype."""


def class_axis(logits: ArrayLike) -> int:
    """Axis of the classes: 0 for unbatched logits, else 1."""
    return 0 if len(logits.shape) == 1 else 1


def row_shape(logits: ArrayLike) -> tuple[int, ...]:
    """Shape of the losses: the logits' shape without the class axis."""
    axis = class_axis(logits)
    return tuple(logits.shape[:axis]) + tuple(logits.shape[axis + 1 :])


def has_probabilities(target: ArrayLike) -> bool:
    """Whether the targets are probabilities rather than class indices."""
    return _name(target.dtype) in FLOATING


def check_call(
    logits: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    *,
    mixed: bool = False,
) -> None:
    """Check everything but the values of the labels: dtypes, shapes and options.

    ``mixed``: probabilities and weight may have another floating-point format than the logits.
    """
    check_logits(logits)
    check_target(target, logits, mixed=mixed)
    check_weight(weight, logits, mixed=mixed)
    check_reduction(reduction)
    check_label_smoothing(label_smoothing)
    check_ignore_index(ignore_index, probabilities=has_probabilities(target))


def check_indices(
    logits: ArrayLike, target: npt.NDArray[Any], reduction: str, reductions: Sequence[str] = REDUCTIONS
) -> None:
    """Check a call of a loss that takes class indices of any integer dtype, and no option but the reduction."""
    check_logits(logits)
    if has_probabilities(target):
        raise TypeError(f"targets must be class indices, got {target.dtype}")
    check_target(target, logits, INTEGERS)
    check_labels(target.astype(np.int64), logits.shape[class_axis(logits)], None)
    check_reduction(reduction, reductions)


def check_logits(logits: ArrayLike) -> None:
    """Logits are (C), (N, C) or (N, C, d1, ..., dk) in a floating-point format, with at least one class."""
    _check_dtype("logits", logits, FLOATING)
    if not logits.shape:
        raise ValueError("logits must have shape (C), (N, C) or (N, C, d1, ..., dk), got a scalar")
    if logits.shape[class_axis(logits)] == 0:
        raise ValueError(f"logits must have at least one class, got shape {tuple(logits.shape)}")


def check_target(
    target: ArrayLike, logits: ArrayLike, indices: Sequence[str] = INDICES, *, mixed: bool = False
) -> None:
    """Targets are class indices in the rows' shape, or probabilities in the logits' shape and, unless mixed, dtype."""
    shape, found = tuple(logits.shape), tuple(target.shape)
    if has_probabilities(target):
        if target.dtype != logits.dtype and found == shape and not mixed:
            raise TypeError(
                f"probability targets must have the dtype of the logits, {logits.dtype}; got {target.dtype}"
            )
        if found != shape:
            raise ValueError(
                f"floating-point targets ({target.dtype}) are probabilities and must have the shape of the logits, "
                f"{shape}; got {found}. Class indices must be one of {', '.join(indices)}"
            )
        return
    _check_dtype("class indices", target, indices)
    if found != row_shape(logits):
        raise ValueError(f"class indices for logits {shape} must have shape {row_shape(logits)}, got {found}")


def check_weight(weight: ArrayLike | None, logits: ArrayLike, *, mixed: bool = False) -> None:
    """A weight is (C,) in the dtype of the logits, if mixed in any floating-point format."""
    if weight is None:
        return
    if mixed:
        _check_dtype("weight", weight, FLOATING)
    elif weight.dtype != logits.dtype:
        raise TypeError(f"weight must have the dtype of the logits, {logits.dtype}; got {weight.dtype}")
    expected = (logits.shape[class_axis(logits)],)
    if tuple(weight.shape) != expected:
        raise ValueError(f"weight must have one entry for each class, shape {expected}; got {tuple(weight.shape)}")


def check_reduction(reduction: str, reductions: Sequence[str] = REDUCTIONS) -> None:
    """The reduction is one of those that a loss has."""
    if reduction not in reductions:
        raise ValueError(f"reduction must be one of {', '.join(reductions)}; got {reduction!r}")


def check_label_smoothing(label_smoothing: float) -> None:
    """Smoothing is a real number in [0, 1]; a bool is a mistake, not a number."""
    if isinstance(label_smoothing, (bool, np.bool_)) or not isinstance(
        label_smoothing, (int, float, np.integer, np.floating)
    ):
        raise TypeError(f"label_smoothing must be a number, got {label_smoothing!r}")
    # Written so that nan fails it too.
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must lie in [0, 1], got {label_smoothing!r}")


def check_ignore_index(ignore_index: int, *, probabilities: bool = False) -> None:
    """The sentinel is an int that fits in 64 bits; one that looks like a class makes no sense for probabilities."""
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, (int, np.integer)):
        raise TypeError(f"ignore_index must be an int, got {ignore_index!r}")
    if not -(2**63) <= ignore_index < 2**63:
        raise ValueError(f"ignore_index must fit in 64 bits, got {ignore_index}")
    if probabilities and ignore_index >= 0:
        raise ValueError(f"ignore_index does not apply to probability targets, got {ignore_index}")


def check_labels(labels: npt.NDArray[np.int64], classes: int, ignore_index: int | None) -> None:
    """Every label lies in [0, C) or is the sentinel, if there is one.

    The labels come as int64, so that a sentinel which their own dtype cannot hold does not alias one that it can:
    -1 is not 255.
    """
    invalid = (labels < 0) | (labels >= classes)
    if ignore_index is not None:
        invalid &= labels != ignore_index
    if invalid.any():
        otherwise = "" if ignore_index is None else f" and is not ignore_index ({ignore_index})"
        raise IndexError(f"label {labels[invalid][0]} is outside [0, {classes}){otherwise}")


def _check_dtype(what: str, array: ArrayLike, allowed: Sequence[str]) -> None:
    if _name(array.dtype) not in allowed:
        raise TypeError(f"{what} must be one of {', '.join(allowed)}; got {array.dtype.name}")


@cache
def _name(dtype: Any) -> str:
    """Name of a dtype, which NumPy puts together anew each time it is asked for."""
    return str(dtype.name)
