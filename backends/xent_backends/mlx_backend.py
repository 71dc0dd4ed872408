"""Adapter for MLX: ``mlx.nn.losses.cross_entropy`` and ``mx.softmax`` on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Conventions, ReproducerParts, Vjp

try:
    import mlx.core as mx
    from mlx import nn
except ImportError as error:
    raise unavailable("mlx", error) from error

from xent_backends.source_text import joined, plain_source
from xent_backends.validation import INTEGERS

#: "Indexing out of bounds is undefined behavior": there is no check of bounds.
_BOUNDS = "https://ml-explore.github.io/mlx/build/html/usage/indexing.html"
#: "class indices or probabilities for each class": logsumexp(x) - <q, x> is the cross-entropy of those only.
_PROBABILITIES = (
    "https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.cross_entropy.html"
)

CAPABILITIES = Capabilities(
    logits_dtypes=("float16", "bfloat16", "float32"),
    target_dtypes=INTEGERS,
    probability_targets=True,
    label_smoothing=True,
    # "Label smoothing must in [0, 1)".
    max_label_smoothing=0.99,
    unbatched=True,
    spatial=True,
    conventions=Conventions(
        invalid_label="undefined",
        unnormalised_targets="undefined",
        documentation={"invalid_label": _BOUNDS, "unnormalised_targets": _PROBABILITIES},
    ),
    left_out=(
        # https://github.com/ml-explore/mlx/issues/3047
        ("logits float64", "exponentials are those of float32"),
        ("gradients of probability targets", "that of logsumexp(x) - <q, x> is another one beside the probabilities"),
        ("log_softmax", "a process whose first call of mlx.nn.log_softmax has a single class dies"),
        ("weight", "weights are of rows"),
    ),
)

SETUP = "import mlx.core as mx\nfrom mlx import nn\n\nmx.set_default_device(mx.cpu)"
ARRAY = "mx.array({array}, mx.{dtype})"
RESULT = "np.array({value}.astype(mx.float64))"

Array = Any
AnyArray = npt.NDArray[Any]


def loss(logits: Array, target: Array, reduction: str = "mean", label_smoothing: float = 0.0) -> Array:
    """The loss of class indices, or of distributions."""
    axis = 0 if logits.ndim == 1 else 1
    return nn.losses.cross_entropy(logits, target, axis=axis, label_smoothing=label_smoothing, reduction=reduction)


def gradients(cotangent: Array, logits: Array, target: Array, **options: Any) -> tuple[Array, Array]:
    """Loss and gradient of the logits."""
    losses, slopes = mx.vjp(lambda x: loss(x, target, **options), [logits], [cotangent])
    return losses[0], slopes[0]


def softmax(logits: Array) -> Array:
    """Softmax over the class axis."""
    return mx.softmax(logits, axis=0 if logits.ndim == 1 else 1)


@dataclass(frozen=True)
class MlxBackend:
    """The loss, its gradients by ``mx.vjp``, and the softmax."""

    name: str = "mlx"
    capabilities: Capabilities = CAPABILITIES
    device: str = "cpu"

    @property
    def versions(self) -> Mapping[str, str]:
        """Version of MLX."""
        return {"mlx": version("mlx")}

    def asarray(self, array: npt.NDArray[np.generic]) -> Array:
        """A contiguous array with the array's values, in memory of its own."""
        # float64 would become float32, and MLX does not know the bfloat16 of NumPy.
        wide = array.astype(np.float32) if array.dtype == ml_dtypes.bfloat16 else np.array(array, order="C")
        return mx.array(wide, getattr(mx, array.dtype.name))

    def asnumpy(self, array: Any) -> AnyArray:
        """A NumPy array with the array's values; TypeError for anything but an array of MLX."""
        if not isinstance(array, mx.array):
            raise TypeError(f"expected an mx.array, got {type(array).__name__}")
        if array.dtype == mx.bfloat16:
            return np.array(array.astype(mx.float32)).astype(ml_dtypes.bfloat16)
        return np.array(array)

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        """Loss of class indices or distributions."""
        return _computed(loss, logits, target, **options)

    def cross_entropy_vjp(
        self,
        cotangent: Array,
        logits: Array,
        target: Array,
        *,
        repeats: int = 1,
        upstream: str = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and gradients. MLX keeps no graph: ``repeats`` and ``upstream`` change nothing."""
        del repeats, upstream
        return Vjp(*_computed(gradients, cotangent, logits, target, **options))

    def softmax(self, logits: Array) -> Array:
        """``mx.softmax`` over the class axis."""
        return _computed(softmax, logits)

    def reproducer(self) -> ReproducerParts:
        """A script in plain MLX, printed from the functions that this adapter runs."""
        call = "def cross_entropy(logits, target, **options):\n    return loss(logits, target, **options)"
        calls = {
            "cross_entropy": joined(plain_source(loss), call),
            "cross_entropy_vjp": joined(plain_source(loss), plain_source(gradients), _VJP),
            "softmax": plain_source(softmax),
        }
        return ReproducerParts(SETUP, ARRAY, RESULT, calls)


_VJP = """def cross_entropy_vjp(cotangent, logits, target, upstream='leaf', **options):
    return *gradients(cotangent, logits, target, **options), None"""


def _computed(function: Callable[..., Any], *arrays: Array, **options: Any) -> Any:
    """What a function returns, computed: MLX does so when somebody looks, and an error belongs to the call."""
    result = function(*arrays, **options)
    mx.eval(result)
    return result


def backend() -> MlxBackend:
    """The registered backend ``mlx``, on the CPU."""
    mx.set_default_device(mx.cpu)
    return MlxBackend()
