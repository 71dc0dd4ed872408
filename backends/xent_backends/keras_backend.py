"""Adapter for Keras 3: its two losses of classes, on each of the frameworks that Keras computes with.

A process has one of these: Keras reads ``KERAS_BACKEND`` when it is imported, which is when a factory is called.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from typing import Any

from xent_backends.missing import unavailable
from xent_backends.validation import INTEGERS
from xent_conformance.interface import Backend, BackendUnavailableError, Capabilities, Conventions

if importlib.util.find_spec("keras") is None:
    raise unavailable("keras", ModuleNotFoundError("No module named 'keras'"))

#: "dtype: The dtype of the loss's computations. Defaults to None, which means using keras.backend.floatx()".
_DTYPE = "https://keras.io/api/losses/probabilistic_losses/"

CAPABILITIES = Capabilities(
    logits_dtypes=("float16", "bfloat16", "float32"),
    target_dtypes=INTEGERS,
    probability_targets=True,
    ignore_index=True,
    # Keras converts inputs of any dtype to that of the loss, without checking them.
    validation="adapter",
    # A mean of rows that are all ignored is zero: Keras divides by ``divide_no_nan``, and does not document it.
    conventions=Conventions(
        all_ignored_loss="zero",
        all_ignored_gradient="zero",
        output_dtype="float32",
        documentation={"output_dtype": _DTYPE},
    ),
    left_out=(
        ("logits float64", "a loss computes in float32 unless it is told otherwise"),
        ("label_smoothing", "it is there for distributions only"),
        ("weight", "weights are of rows"),
    ),
)

#: https://github.com/keras-team/keras/issues/21097
_LAST = (*CAPABILITIES.left_out, ("spatial", "axis=1 is refused: labels must have the shape of all but the last axis"))


def loss(logits: Any, target: Any, reduction: str = "mean", ignore_index: int | None = None) -> Any:
    """The loss of class indices, or of distributions."""
    import keras

    if "float" not in str(logits.dtype) or any(kind in str(target.dtype) for kind in ("bool", "complex")):
        raise TypeError(f"expected floating-point logits, and classes or shares, got {logits.dtype}, {target.dtype}")
    axis = 1 if len(logits.shape) > 2 else -1  # noqa: PLR2004
    if "float" in str(target.dtype):
        made = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=reduction, axis=axis)
    else:
        made = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=ignore_index, reduction=reduction, axis=axis
        )
    return made(target, logits)


def on_jax() -> Backend:
    """The registered backend ``keras-jax``, compiled."""
    _choose("jax")
    from xent_backends import jax_callable

    capabilities = replace(CAPABILITIES, static_shapes=True, left_out=_LAST)
    static = ("reduction", "ignore_index")
    return jax_callable.library_loss(
        "keras-jax", loss, capabilities, libraries=("keras",), setup=_chosen("jax"), static=static
    )


def on_tensorflow() -> Backend:
    """The registered backend ``keras-tensorflow``."""
    _choose("tensorflow")
    from xent_backends import tensorflow_backend

    documentation = {**CAPABILITIES.conventions.documentation, "unnormalised_targets": tensorflow_backend.DISTRIBUTIONS}
    conventions = replace(CAPABILITIES.conventions, unnormalised_targets="undefined", documentation=documentation)
    capabilities = replace(CAPABILITIES, left_out=_LAST, conventions=conventions)
    return tensorflow_backend.library_loss(
        "keras-tensorflow", loss, capabilities, libraries=("keras",), setup=_chosen("tensorflow")
    )


def on_torch() -> Backend:
    """The registered backend ``keras-torch``."""
    _choose("torch")
    from xent_backends import torch_callable

    capabilities = replace(CAPABILITIES, spatial=True)
    return torch_callable.library_loss("keras-torch", loss, capabilities, libraries=("keras",), setup=_chosen("torch"))


def on_numpy() -> Backend:
    """The registered backend ``keras-numpy``: values only."""
    _choose("numpy")
    from xent_backends import numpy_library

    capabilities = replace(CAPABILITIES, left_out=_LAST)
    return numpy_library.library_loss("keras-numpy", loss, capabilities, libraries=("keras",), setup=_chosen("numpy"))


def _chosen(framework: str) -> str:
    """Lines of a script that select Keras's framework."""
    return f'import os\n\nos.environ["KERAS_BACKEND"] = "{framework}"'


def _choose(framework: str) -> None:
    """Import Keras with a framework. Raises BackendUnavailableError if it is imported already, with another one."""
    os.environ["KERAS_BACKEND"] = framework
    import keras

    if keras.backend.backend() != framework:
        raise BackendUnavailableError(f"Keras computes with {keras.backend.backend()} in this process already")
