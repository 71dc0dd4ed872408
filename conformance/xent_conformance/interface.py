"""The interface between the suite and an implementation under test.

A backend is any object with ``name``, ``capabilities`` and one of the functions ``cross_entropy``,
``linear_cross_entropy``, ``softmax``, ``log_softmax`` and ``nll_loss``; nothing needs to be subclassed. Every form it
may offer is a protocol of its own below: having the method is the claim that it works.

NumPy arrays cross the border (bfloat16 through ``ml_dtypes``). A backend that computes on arrays of its own also
satisfies :class:`ArrayBridge`; the suite then converts every input with ``asarray`` and every result with ``asnumpy``.

The class axis is axis 1, or axis 0 for an unbatched input. ``options`` are ``weight`` (C,), ``ignore_index`` (int),
``reduction`` ("none", "sum" or "mean") and ``label_smoothing`` (float in [0, 1]). An option that is not claimed is
never passed, and an option at its neutral value is left out, ``reduction`` excepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from xent_conformance.conventions import Conventions
from xent_conformance.precision import Precision

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = [
    "Array",
    "ArrayBridge",
    "Backend",
    "BackendUnavailableError",
    "Capabilities",
    "Conventions",
    "CrossEntropy",
    "Described",
    "Differentiable",
    "FusedLinear",
    "FusedLinearGradient",
    "LayerForm",
    "LinearVjp",
    "LogSoftmax",
    "NllLoss",
    "Precision",
    "Primitives",
    "Reproducer",
    "ReproducerParts",
    "SecondOrder",
    "Softmax",
    "Surroundings",
    "Vjp",
]

#: An array of the backend's own kind.
Array = Any


class BackendUnavailableError(RuntimeError):
    """A backend whose framework or device is missing here. The message says what to do."""


@dataclass(frozen=True)
class Capabilities:
    """What a backend claims. What is not claimed is *not applicable*; what is claimed and does not work is a failure.

    The defaults describe the smallest useful backend: float32 logits of shape (N, C), int64 class indices, the three
    reductions, no options.
    """

    #: dtypes of logits, by name: "float16", "bfloat16", "float32", "float64".
    logits_dtypes: tuple[str, ...] = ("float32",)
    #: dtypes of class indices. Any other one must be rejected.
    target_dtypes: tuple[str, ...] = ("int64",)
    #: dtypes of class indices that some calls accept and others reject: neither of the two is judged.
    tolerated_target_dtypes: tuple[str, ...] = ()
    #: Targets may be probabilities, of the shape and dtype of the logits.
    probability_targets: bool = False
    #: ``weight`` (C,) in the dtype of the logits.
    weight: bool = False
    ignore_index: bool = False
    #: Sentinel in force when ``ignore_index`` is not passed; None: there is none.
    default_ignore_index: int | None = None
    label_smoothing: bool = False
    reductions: tuple[str, ...] = ("none", "sum", "mean")
    #: Logits of shape (C,) with a scalar target.
    unbatched: bool = False
    #: Logits of shape (N, C, d1, ..., dk).
    spatial: bool = False
    #: Largest ``label_smoothing``; below 1 where no more is taken.
    max_label_smoothing: float = 1.0
    #: Fewest classes.
    min_classes: int = 1
    #: Largest number of classes, None: no limit.
    max_classes: int | None = None
    #: ``linear_cross_entropy`` takes a bias; where it does not, it is always called with None.
    linear_bias: bool = True
    #: Infinite and nan logits are outside the domain.
    finite_logits_only: bool = False
    #: The same call gives bitwise the same answer.
    deterministic: bool = True
    #: The call may overwrite the logits it is given. Shown in red.
    overwrites_logits: bool = False
    #: Who rejects bad input: the library itself, or this adapter because the library accepts it.
    validation: Literal["library", "adapter"] = "library"
    #: Every new shape costs a compilation: problems come from a small pool of shapes.
    static_shapes: bool = False
    #: Precision promised, per dtype or for all; None: undeclared.
    precision: Precision | Mapping[str, Precision] | None = None
    conventions: Conventions = field(default_factory=Conventions)
    #: What is not claimed although it might have been expected, each with the reason: ("spatial", "it raised ...").
    left_out: tuple[tuple[str, str], ...] = ()

    def precision_for(self, dtype: str) -> Precision | None:
        """Precision declared for a dtype of the logits, None where nothing is declared."""
        if isinstance(self.precision, Mapping):
            return self.precision.get(dtype)
        return self.precision


class Vjp(NamedTuple):
    """Loss and gradients of one call.

    ``loss`` is the value of the same call; ``grad_logits`` has the shape and dtype of the logits; ``grad_target`` that
    of probability targets, None for class indices or where the library does not differentiate them.
    """

    loss: Array
    grad_logits: Array
    grad_target: Array | None = None


class LinearVjp(NamedTuple):
    """Loss and gradients of one call with the linear map fused in, each of the shape and dtype of what it is for.

    ``grad_bias`` is None where there is no bias.
    """

    loss: Array
    grad_hidden: Array
    grad_weight: Array
    grad_bias: Array | None = None


@runtime_checkable
class Backend(Protocol):
    """What every backend must have, beside one of the functions that are judged."""

    @property
    def name(self) -> str:
        """Short name: letters, digits, dot, hyphen and underscore."""

    @property
    def capabilities(self) -> Capabilities:
        """What the backend claims."""


@runtime_checkable
class CrossEntropy(Protocol):
    """The loss of logits."""

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        """Loss of logits (N, C), (C) or (N, C, d1, ..., dk): shape () for sum and mean, the target's for none."""


@runtime_checkable
class Differentiable(Protocol):
    """Reverse-mode gradients of ``cross_entropy``."""

    def cross_entropy_vjp(
        self,
        cotangent: Array,
        logits: Array,
        target: Array,
        *,
        repeats: int = 1,
        upstream: Literal["leaf", "scaled"] = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and vector-Jacobian products for a cotangent of the loss's shape and dtype.

        ``repeats=2`` runs backward twice on one graph and returns the result of the second pass alone.
        ``upstream="scaled"`` makes the logits a non-leaf, ``x = 2 * (logits / 2)``, and returns the gradient that
        arrives at ``x``. A backend without graphs may ignore both.
        """


@runtime_checkable
class SecondOrder(Protocol):
    """Second derivatives of ``cross_entropy``."""

    def cross_entropy_hvp(self, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
        """Derivative of <vjp(cotangent), vector> with respect to the logits, in their shape."""


@runtime_checkable
class Softmax(Protocol):
    """Probabilities of logits."""

    def softmax(self, logits: Array) -> Array:
        """Softmax over the class axis, in the shape and dtype of the logits."""


@runtime_checkable
class LogSoftmax(Protocol):
    """Log-probabilities of logits."""

    def log_softmax(self, logits: Array) -> Array:
        """Logarithm of the softmax over the class axis, in the shape and dtype of the logits."""


@runtime_checkable
class NllLoss(Protocol):
    """The loss of log-probabilities."""

    def nll_loss(self, log_probs: Array, target: Array, **options: Any) -> Array:
        """Negative log-likelihood of class indices; options as for cross_entropy without label_smoothing.

        ``log_probs`` are the backend's own ``log_softmax``, or, where it has none, rounded exact ones.
        """


@runtime_checkable
class Primitives(Softmax, LogSoftmax, NllLoss, Protocol):
    """All three building blocks of the loss."""


@runtime_checkable
class LayerForm(Protocol):
    """The same loss as a layer or module, built from the options and then called."""

    def cross_entropy_layer(self, logits: Array, target: Array, **options: Any) -> Array:
        """Value of the layer."""

    def cross_entropy_layer_vjp(self, cotangent: Array, logits: Array, target: Array, **options: Any) -> Vjp:
        """Loss and gradients through the layer."""


@runtime_checkable
class FusedLinear(Protocol):
    """A final linear map fused into the loss: logits = hidden @ weight.T + bias, never materialised."""

    def linear_cross_entropy(
        self, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> Array:
        """Loss for hidden (N, H), weight (C, H), bias (C,) or None, and class indices (N,).

        The bias is always None where ``linear_bias`` is not claimed.
        ``options`` are those of ``cross_entropy`` but for class weights, which are never passed.
        """


@runtime_checkable
class FusedLinearGradient(Protocol):
    """Reverse-mode gradients of ``linear_cross_entropy``."""

    def linear_cross_entropy_vjp(
        self, cotangent: Array, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> LinearVjp:
        """Loss and gradients for a cotangent of the loss's shape and dtype."""


@runtime_checkable
class ArrayBridge(Protocol):
    """Conversion between NumPy and the backend's own arrays. Without it arrays stay NumPy's."""

    def asarray(self, array: npt.NDArray[np.generic]) -> Array:
        """The backend's array with the same values and, where it can represent them, the same strides.

        It may copy, or raise, for strides that its arrays cannot have; what it raises for is given to it contiguous.
        """

    def asnumpy(self, array: Array) -> npt.NDArray[np.generic]:
        """A NumPy array with the same values and dtype. Raises TypeError for anything but one of its arrays."""


@runtime_checkable
class Reproducer(Protocol):
    """Standalone scripts in the backend's own vocabulary."""

    def reproducer(self) -> ReproducerParts:
        """The lines that are special to this backend; the suite adds the data and the expected values."""


class ReproducerParts(NamedTuple):
    """How a script runs one problem on a backend without this suite.

    ``setup`` imports the library. ``array`` is a format string that turns the NumPy expression ``{array}`` into one of
    the backend's arrays of ``{dtype}``, ``result`` one that turns ``{value}`` into a NumPy array of float64. ``calls``
    has the source of a function for each form that the backend has, under the form's name and with its arguments.
    """

    setup: str
    array: str
    result: str
    calls: Mapping[str, str]


@runtime_checkable
class Described(Protocol):
    """Where a backend comes from."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Library name to version, the library under test first."""

    @property
    def device(self) -> str:
        """Device the backend computes on, such as "cpu" or "cuda"."""


@runtime_checkable
class Surroundings(Protocol):
    """State of the library that is there for all its users."""

    def surroundings(self) -> Mapping[str, object]:
        """Its parts by name, such as the default dtype or the random state; compared by their ``repr``."""
