"""Callables that take no logits (N, C, d...) of any rank, but images (N, C, H, W) or sequences (N, T, C).

Other logits are reshaped for them. A softmax may have the classes last in logits of any rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any, Literal

import numpy as np

from xent_backends.callables.attempt import attempted
from xent_backends.callables.batches import FLAT, SPATIAL, AnyArray, Shapes, logits_of, problem_of
from xent_backends.callables.signature import Signature

#: What a callable takes; "" if it takes rows (N, C), and other spatial logits than these or none.
Ranks = Literal["", "rows and images", "images", "rows and sequences", "sequences", "classes last"]
#: The names of logits that are reshaped, in ``Capabilities.left_out``.
NO_IMAGES, NO_SEQUENCES = "other logits than images (N, C, H, W)", "other logits than sequences (N, T, C)"
#: What is reshaped, and why, for each of these.
REMARKS: Mapping[str, tuple[str, str]] = {
    "rows and images": (NO_IMAGES, "it takes rows (N, C) and images; other spatial logits are reshaped to images"),
    "images": (NO_IMAGES, "it takes images only; rows (N, C) and other spatial logits are reshaped to images"),
    "rows and sequences": (
        NO_SEQUENCES,
        "it takes rows (N, C), and sequences with the classes last; spatial logits are passed as N sequences",
    ),
    "sequences": (
        NO_SEQUENCES,
        "it takes sequences only, with the classes last; rows (N, C) are passed as one of them, spatial logits as N",
    ),
    "classes last": ("classes on axis 1", "it has them on the last axis, where it gets those of spatial logits"),
}
#: The sum of a row's probabilities differs from 1 by at most this, in the narrowest format.
TOLERANCE = 0.05
#: Two sequences of four rows of logits for three classes, and their labels.
SEQUENCES: Shapes = ((2, 4, 3), (2, 4))
#: The rows of these sequences.
ROWS: Shapes = ((8, 3), (8,))


def as_images(call: Callable[[Any, Any], Any], logits: Any, target: Any, *, rows: bool) -> Any:
    """The loss of spatial logits, and of ``rows`` (N, C) too, as that of images (N, C, H, W).

    W is the last spatial axis, H has all others. A target of a wrong shape is passed on as it is.
    """
    axes = tuple(logits.shape[2:])
    places = (*logits.shape[:1], *axes)
    as_it_is = logits.ndim < 2 or len(axes) == 2 or (not axes and not rows)  # noqa: PLR2004 - (H, W)
    if as_it_is or tuple(target.shape) not in (places, tuple(logits.shape)):
        return call(logits, target)
    height, width = 1, axes[-1] if axes else 1
    for length in axes[:-1]:
        height = height * length
    image = (*logits.shape[:2], height, width)
    labels = (*logits.shape[:1], height, width)
    loss = call(logits.reshape(image), target.reshape(labels if target.ndim < logits.ndim else image))
    return loss.reshape(places) if getattr(loss, "ndim", 0) else loss


def as_sequences(call: Callable[[Any, Any], Any], logits: Any, target: Any, *, rows: bool) -> Any:
    """The loss of spatial logits as that of N sequences (N, T, C), and of ``rows`` (N, C) too as that of one (1, N, C).

    T is the product of the spatial axes. A target of a wrong shape remains one for these sequences.
    """
    if logits.ndim < (2 if rows else 3):
        return call(logits, target)
    places = (*logits.shape[:1], *logits.shape[2:])
    samples, classes, length = logits.shape[0], logits.shape[1], 1
    for axis in logits.shape[2:]:
        length = length * axis

    def last(array: Any) -> Any:
        # Rows first, which makes a copy: sequences are contiguous, as a model returns them.
        rows = array.reshape((samples, classes, length)).swapaxes(1, 2).reshape((samples * length, classes))
        return rows.reshape((samples, length, classes))

    if len(places) == 1:
        arrays = [array.reshape((1, *array.shape)) for array in (logits, target)]
    else:
        shape = tuple(target.shape)
        labels = target.reshape((samples, length)) if shape == places else target
        arrays = [last(logits), last(target) if shape == tuple(logits.shape) else labels]
    loss = call(*arrays)
    return loss.reshape(places) if getattr(loss, "ndim", 0) else loss


def with_classes_last(call: Callable[[Any], Any], logits: Any) -> Any:
    """The probabilities of spatial logits by a function that has the classes on the last axis."""
    last = logits.ndim - 1
    if last <= 1:
        return call(logits)
    moved, rows = logits.swapaxes(1, last), 1
    for axis in moved.shape[:-1]:
        rows = rows * axis
    # Rows first, which makes a copy: the logits are contiguous, as a model returns them.
    copied = moved.reshape((rows, moved.shape[last])).reshape(moved.shape)
    return call(copied).swapaxes(1, last)


#: For each of these the function that reshapes, and its further arguments.
RESHAPING: Mapping[str, tuple[Callable[..., Any], Mapping[str, bool]]] = {
    "rows and images": (as_images, {"rows": False}),
    "images": (as_images, {"rows": True}),
    "rows and sequences": (as_sequences, {"rows": False}),
    "sequences": (as_sequences, {"rows": True}),
    "classes last": (with_classes_last, {}),
}


def ranks_of(
    call: Callable[..., Any],
    signature: Signature,
    convert: Callable[[AnyArray], Any],
    back: Callable[[Any], AnyArray],
    prepared: Callable[[AnyArray], AnyArray],
) -> Ranks:
    """Whether a callable takes images or sequences, by trial calls with class indices or with probabilities.

    Args:
        call: The callable, with logits and a target as its arrays.
        signature: The options that its Python signature has.
        convert: Makes the callable's arrays from NumPy arrays.
        back: Makes NumPy arrays from the callable's arrays.
        prepared: Makes the callable's input, such as log-probabilities, from logits (N, C).
    """

    def loss(way: dict[str, Any], logits: AnyArray, target: AnyArray) -> AnyArray | None:
        """The loss, of no element if it is no array; None if the call raised an exception."""
        value, _ = attempted(lambda: call(convert(logits), convert(target), **signature.accepted(way)))
        try:
            return None if value is None else np.asarray(back(value)).astype(np.float64)
        except Exception:  # noqa: BLE001 - a result that is no array is a fault, which the requirements report
            return np.zeros(0)

    axis, image = SPATIAL
    for dtype, way in product(("float32", "float64"), signature.ways):
        of, tried = partial(loss, way), partial(problem_of, dtype)
        takes_rows = of(*tried(FLAT)) is not None
        if _takes_sequences(of, prepared, *tried(ROWS), indices=takes_rows):
            return "rows and sequences"
        if of(*tried(image)) is not None:
            if of(*tried(axis)) is not None:
                return ""
            return "rows and images" if takes_rows else "images"
        if not takes_rows and of(*tried(SEQUENCES)) is not None:
            return "sequences"
    return ""


def axis_of(call: Callable[..., Any], convert: Callable[[AnyArray], Any], back: Callable[[Any], AnyArray]) -> Ranks:
    """Whether a softmax, or its logarithm, has the classes of spatial logits on the last axis, by a trial call."""
    tried = (logits_of(SPATIAL[0][0], dtype) for dtype in ("float32", "float64"))
    values = (attempted(lambda x=x: np.asarray(back(call(convert(x)))))[0] for x in tried)  # type: ignore[misc]
    value = next((value for value in values if value is not None), None)
    if value is None or value.ndim < 2:  # noqa: PLR2004 - the last axis is not that of the classes
        return ""
    shares = value.astype(np.float64)
    shares = shares if (shares > 0).all() else np.exp(shares)
    on_axis, on_last = (bool((np.abs(shares.sum(axis=axis) - 1) < TOLERANCE).all()) for axis in (1, -1))
    return "classes last" if on_last and not on_axis else ""


def _takes_sequences(
    loss: Callable[..., AnyArray | None],
    prepared: Callable[[AnyArray], AnyArray],
    logits: AnyArray,
    labels: AnyArray,
    *,
    indices: bool,
) -> bool:
    """Whether the loss of sequences is that of their rows, and the loss of the same as spatial logits is another.

    Args:
        loss: The loss of logits and target, None if the call raises an exception.
        prepared: Makes the callable's input from logits.
        logits: The rows.
        labels: Their labels.
        indices: Whether class indices are accepted; if not, probabilities are tried.
    """
    shape, places = SEQUENCES
    target = labels if indices else np.eye(shape[-1])[labels].astype(logits.dtype)
    rows = prepared(logits), target
    sequences = [array.reshape((*places, *array.shape[1:])) for array in rows]
    whole = loss(*sequences)
    if whole is None or not _same(whole, loss(*rows)):
        return False
    return not _same(loss(*(np.moveaxis(a, -1, 1) if a.shape == shape else a for a in sequences)), whole)


def _same(loss: AnyArray | None, other: AnyArray | None) -> bool:
    """Whether two calls returned the same numbers, whatever their axes, up to rounding."""
    if loss is None or other is None or loss.size != other.size:
        return False
    return bool(np.allclose(loss.ravel(), other.ravel(), rtol=0.02, atol=1e-3))
