"""Adapter for TensorFlow: the losses of ``tf.nn`` for class indices and for distributions.

They take the classes last and give one loss for each row. Everything runs eagerly, as in a test or a notebook.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.interface import Backend, Capabilities, Conventions, ReproducerParts, Vjp

# Read when TensorFlow is loaded: its C++ code greets on standard error otherwise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from xent_backends.missing import unavailable

try:
    import tensorflow as tf
except ImportError as error:
    raise unavailable("tensorflow", error) from error

from xent_backends import validation
from xent_backends.source_text import joined, plain_source
from xent_backends.validation import FLOATING

#: "each row labels[i] must be a valid probability distribution": the gradient is softmax - labels for any sum.
DISTRIBUTIONS = "https://www.tensorflow.org/api_docs/python/tf/nn/softmax_cross_entropy_with_logits"

CAPABILITIES = Capabilities(
    logits_dtypes=FLOATING,
    target_dtypes=("int32", "int64"),
    probability_targets=True,
    unbatched=True,
    spatial=True,
    conventions=Conventions(unnormalised_targets="undefined", documentation={"unnormalised_targets": DISTRIBUTIONS}),
)

SETUP = "import numpy as np\nimport tensorflow as tf"
ARRAY = "tf.constant(np.asarray({array}).astype('{dtype}'))"
RESULT = "np.asarray({value}).astype(np.float64)"

Tensor = Any
Loss = Callable[..., Tensor]


def classes_last(tensor: Tensor) -> Tensor:
    """(N, C, d1, ..., dk) as (N, d1, ..., dk, C)."""
    rank = tensor.shape.rank
    return tf.transpose(tensor, [0, *range(2, rank), 1]) if rank > 2 else tensor  # noqa: PLR2004


def loss(logits: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Losses of the rows, or their sum or mean, which ``tf.nn`` leaves to its users; targets may be distributions."""
    if target.dtype.is_floating:
        losses = tf.nn.softmax_cross_entropy_with_logits(labels=classes_last(target), logits=classes_last(logits))
    else:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=classes_last(logits))
    return losses if reduction == "none" else tf.reduce_sum(losses) if reduction == "sum" else tf.reduce_mean(losses)


def gradients(
    loss: Loss, cotangent: Tensor, logits: Tensor, target: Tensor, repeats: int = 1, scale: int = 1, **options: Any
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Loss, gradient of the logits, and of distributions; None for class indices.

    With ``repeats=2`` the tape is read for cotangent / -2 first; the loss sees scale * (logits / scale).
    """
    soft = target.dtype.is_floating
    leaf = logits / scale if scale > 1 else logits
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([leaf, target] if soft else leaf)
        x = leaf * scale if scale > 1 else leaf
        value = loss(x, target, **options)
    # A loss may be wider than its logits.
    cotangent = tf.cast(cotangent, value.dtype)
    for given in [cotangent / -2, cotangent] if repeats > 1 else [cotangent]:
        by_logits = tape.gradient(value, x, output_gradients=given)
    return value, by_logits, tape.gradient(value, target, output_gradients=cotangent) if soft else None


def softmax(logits: Tensor) -> Tensor:
    """Softmax over the class axis."""
    return tf.nn.softmax(logits, axis=0 if logits.shape.rank == 1 else 1)


def log_softmax(logits: Tensor) -> Tensor:
    """Logarithm of the softmax over the class axis."""
    return tf.nn.log_softmax(logits, axis=0 if logits.shape.rank == 1 else 1)


@dataclass(frozen=True)
class TensorflowLoss:
    """A loss on eager tensors, with gradients by a tape.

    Attributes:
        name: The backend's name.
        capabilities: What it claims.
        device: Always "cpu".
        libraries: Names of the distributions that it belongs to, if that is not TensorFlow.
        function: The loss. Its source is part of scripts.
        setup: The lines that the source needs.
    """

    name: str = "tensorflow"
    capabilities: Capabilities = CAPABILITIES
    device: str = "cpu"
    libraries: tuple[str, ...] = ()
    function: Loss = loss
    setup: str = SETUP

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the libraries and of TensorFlow."""
        return {name: version(name) for name in self.libraries} | {"tensorflow": str(tf.__version__)}

    def asarray(self, array: npt.NDArray[np.generic]) -> Tensor:
        """A contiguous tensor with the array's values, in memory of its own."""
        return tf.constant(np.array(array, order="C"))

    def asnumpy(self, array: Any) -> npt.NDArray[Any]:
        """A NumPy array with the tensor's values; TypeError for anything but an eager tensor."""
        if not tf.is_tensor(array):
            raise TypeError(f"expected a tf.Tensor, got {type(array).__name__}")
        return np.asarray(array.numpy())

    def cross_entropy(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        """Loss, as the library gives it."""
        return self.function(logits, target, **options)

    def cross_entropy_vjp(
        self,
        cotangent: Tensor,
        logits: Tensor,
        target: Tensor,
        *,
        repeats: int = 1,
        upstream: str = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and gradients by one tape, read once or several times."""
        scale = 2 if upstream == "scaled" else 1
        return Vjp(*gradients(self.function, cotangent, logits, target, repeats=repeats, scale=scale, **options))

    def modes(self) -> Mapping[str, Callable[[], Backend]]:
        """The function as a graph, and compiled by XLA."""
        ways = {"graph": tf.function, "xla": partial(tf.function, jit_compile=True)}
        return {name: partial(self._called, way) for name, way in ways.items()}

    def _called(self, way: Callable[[Loss], Loss]) -> TensorflowLoss:
        made: TensorflowLoss = replace(self, function=way(self.function))
        return made

    def reproducer(self) -> ReproducerParts:
        """A script that calls the library, made from the source of the adapter's functions."""
        name = self.function.__name__
        call = f"def cross_entropy(logits, target, **options):\n    return {name}(logits, target, **options)"
        calls = {
            "cross_entropy": joined(plain_source(self.function), call),
            "cross_entropy_vjp": joined(plain_source(self.function), plain_source(gradients), _VJP),
        }
        return ReproducerParts(f"{self.setup}\n{SETUP}", ARRAY, RESULT, calls)


@dataclass(frozen=True)
class TensorflowBackend(TensorflowLoss):
    """The two losses, their gradients by a tape, and the softmax that they are made of."""

    def cross_entropy(self, logits: Tensor, target: Tensor, **options: Any) -> Tensor:
        """Loss of class indices or distributions."""
        _check(logits, target, **options)
        return super().cross_entropy(logits, target, **options)

    def cross_entropy_vjp(
        self,
        cotangent: Tensor,
        logits: Tensor,
        target: Tensor,
        *,
        repeats: int = 1,
        upstream: str = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and gradients by one tape, read once or several times."""
        _check(logits, target, **options)
        return super().cross_entropy_vjp(cotangent, logits, target, repeats=repeats, upstream=upstream, **options)

    def _called(self, way: Callable[[Loss], Loss]) -> TensorflowLoss:
        """Without softmax and log_softmax, which are not called in this way."""
        function = way(self.function)

        def checked(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
            _check(logits, target, **options)
            return function(logits, target, **options)

        return TensorflowLoss(self.name, self.capabilities, function=checked)

    def softmax(self, logits: Tensor) -> Tensor:
        """``tf.nn.softmax`` over the class axis."""
        return softmax(logits)

    def log_softmax(self, logits: Tensor) -> Tensor:
        """``tf.nn.log_softmax`` over the class axis."""
        return log_softmax(logits)

    def reproducer(self) -> ReproducerParts:
        """A script in plain TensorFlow, printed from the functions that this adapter runs."""
        shared = joined(plain_source(classes_last), plain_source(loss))
        call = "def cross_entropy(logits, target, **options):\n    return loss(logits, target, **options)"
        calls = {
            "cross_entropy": joined(shared, call),
            "cross_entropy_vjp": joined(shared, plain_source(gradients), _VJP),
            "softmax": plain_source(softmax),
            "log_softmax": plain_source(log_softmax),
        }
        return ReproducerParts(SETUP, ARRAY, RESULT, calls)


_VJP = """def cross_entropy_vjp(cotangent, logits, target, upstream='leaf', **options):
    return gradients(loss, cotangent, logits, target, scale=2 if upstream == 'scaled' else 1, **options)"""


def _check(logits: Tensor, target: Tensor, reduction: str = "mean") -> None:
    """Check what TensorFlow does not: the reduction, and the shape of distributions, which it would broadcast."""
    validation.check_reduction(reduction)
    if target.dtype.is_floating and target.shape != logits.shape:
        raise ValueError(
            f"{target.dtype.name} targets are distributions and must have the shape of the logits, {logits.shape};"
            f" got {target.shape}"
        )


def library_loss(
    name: str, function: Loss, capabilities: Capabilities, *, libraries: tuple[str, ...], setup: str
) -> TensorflowLoss:
    """A backend for a library's loss on eager tensors, on one thread of the CPU.

    Args:
        name: The backend's name.
        function: Calls the library; its name must be ``loss``, by which scripts call it. Its source is part of them.
        capabilities: What it claims.
        libraries: Names of the distributions, the one under test first.
        setup: The lines that the source of ``function`` needs.
    """
    _configure()
    return TensorflowLoss(name, capabilities, libraries=libraries, function=function, setup=setup)


def backend() -> TensorflowBackend:
    """The registered backend ``tensorflow``: the CPU, on one thread."""
    _configure()
    return TensorflowBackend()


def _configure() -> None:
    """Use the CPU with one thread."""
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
