"""Losses of images: callables that take spatial logits (N, C, H, W), and none with another number of spatial axes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, Literal

from xent_backends.callables.attempt import attempted
from xent_backends.callables.batches import FLAT, SPATIAL, AnyArray, Shapes, problem_of
from xent_backends.callables.signature import Signature

#: Whether a callable takes images: beside rows (N, C), or nothing else; "" if it takes other spatial logits or none.
Images = Literal["", "beside rows", "only"]
#: The name of logits that are reshaped, in ``Capabilities.left_out``, and why they are, for each way to take images.
RESHAPED = "other logits than images (N, C, H, W)"
REASONS = {
    "beside rows": "it takes rows (N, C) and images; other spatial logits are reshaped to images",
    "only": "it takes images only; rows (N, C) and other spatial logits are reshaped to images",
}


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


def images_of(call: Callable[..., Any], signature: Signature, convert: Callable[[AnyArray], Any]) -> Images:
    """Whether a callable takes images, by trial calls with class indices.

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
            return "beside rows" if takes(FLAT, dtype, way) else "only"
    return ""
