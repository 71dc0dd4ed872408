"""Losses that take logits with a certain number of axes only: images (N, C, H, W), or sequences (N, T, C).

Other logits are reshaped for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, Literal

from xent_backends.callables.attempt import attempted
from xent_backends.callables.batches import FLAT, SPATIAL, AnyArray, Shapes, problem_of
from xent_backends.callables.signature import Signature

#: What a callable takes; "" if it takes rows (N, C), and other spatial logits than images or none.
Ranks = Literal["", "rows and images", "images", "sequences"]
#: The names of logits that are reshaped, in ``Capabilities.left_out``.
NO_IMAGES, NO_SEQUENCES = "other logits than images (N, C, H, W)", "other logits than sequences (N, T, C)"
#: What is reshaped, and why, for each of these.
REMARKS: Mapping[str, tuple[str, str]] = {
    "rows and images": (NO_IMAGES, "it takes rows (N, C) and images; other spatial logits are reshaped to images"),
    "images": (NO_IMAGES, "it takes images only; rows (N, C) and other spatial logits are reshaped to images"),
    "sequences": (
        NO_SEQUENCES,
        "it takes sequences only, with the classes last; rows (N, C) are passed as one of them, spatial logits as N",
    ),
}
#: Two sequences of four logits for three classes, and their labels.
SEQUENCES: Shapes = ((2, 4, 3), (2, 4))


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


def as_sequences(call: Callable[[Any, Any], Any], logits: Any, target: Any) -> Any:
    """The loss of rows (N, C) as that of a sequence (1, N, C), and of spatial logits as that of N sequences (N, T, C).

    T is the product of the spatial axes. A target of a wrong shape remains one for these sequences.
    """
    if logits.ndim < 2:  # noqa: PLR2004 - rows (N, C)
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


#: For each of these the function that reshapes, and its further arguments.
RESHAPING: Mapping[str, tuple[Callable[..., Any], Mapping[str, bool]]] = {
    "rows and images": (as_images, {"rows": False}),
    "images": (as_images, {"rows": True}),
    "sequences": (as_sequences, {}),
}


def ranks_of(call: Callable[..., Any], signature: Signature, convert: Callable[[AnyArray], Any]) -> Ranks:
    """Whether a callable takes images or sequences, by trial calls with class indices.

    Args:
        call: The callable, with logits and a target as its arrays.
        signature: The options that its Python signature has.
        convert: Makes the callable's arrays from NumPy arrays.
    """

    def takes(shapes: Shapes, dtype: str, way: dict[str, str]) -> bool:
        arrays = map(convert, problem_of(dtype, shapes))
        return attempted(lambda: call(*arrays, **signature.accepted(way)))[0] is not None

    axis, image = SPATIAL
    for dtype, way in product(("float32", "float64"), signature.ways):
        if takes(image, dtype, way):
            if takes(axis, dtype, way):
                return ""
            return "rows and images" if takes(FLAT, dtype, way) else "images"
        if takes(SEQUENCES, dtype, way) and not takes(FLAT, dtype, way):
            return "sequences"
    return ""
