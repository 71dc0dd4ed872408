"""The functions of a backend as protocols: what each is called, takes and returns.

They are imported from :mod:`xent_conformance.interface`, which says what holds for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from xent_conformance.interface import Capabilities

#: An array of the backend's own kind.
Array = Any


class Vjp(NamedTuple):
    """Loss and gradients of one call.

    ``loss`` is what ``cross_entropy`` returns; ``grad_logits`` has the shape and dtype of the logits; ``grad_target``
    has those of probability targets, and is None for class indices, or if the library does not differentiate targets.
    """

    loss: Array
    grad_logits: Array
    grad_target: Array | None = None


class LinearVjp(NamedTuple):
    """Loss and gradients of one call of ``linear_cross_entropy``.

    ``grad_hidden`` (N, H), ``grad_weight`` (C, H) and ``grad_bias`` (C,) have the dtypes of the arrays they belong to;
    ``grad_bias`` is None if there is no bias.
    """

    loss: Array
    grad_hidden: Array
    grad_weight: Array
    grad_bias: Array | None = None


@runtime_checkable
class Backend(Protocol):
    """What every backend must have in addition to one of the judged functions."""

    @property
    def name(self) -> str:
        """A short name of letters, digits, dots, hyphens and underscores."""

    @property
    def capabilities(self) -> Capabilities:
        """What the backend claims."""


@runtime_checkable
class CrossEntropy(Protocol):
    """Softmax cross-entropy of logits."""

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        """The loss of logits (N, C), (C,) or (N, C, d1, ..., dk), in nats.

        For a row x with class index t, without weight and smoothing: ``logsumexp(x) - x[t]``. SPEC.md, sections 2 and
        3, defines the loss and its gradients for all options.

        Args:
            logits: Floating-point, of a claimed dtype.
            target: Class indices in the shape of the rows, or probabilities in the shape of the logits and in their
                dtype or one of ``probability_dtypes``.
            options: ``reduction``, and the options that are claimed and not at their neutral value.

        Returns:
            Shape () for "sum" and "mean", the shape of the rows for "none"; the dtype of the logits, unless the
            convention ``output_dtype`` says otherwise. With weight or probabilities of a wider dtype it may be that.

        Raises:
            Exception: Any, for an invalid call: a wrong shape, dtype or option, or, by the convention
                ``invalid_label``, a class index out of range.
        """


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
        upstream: Literal["leaf", "scaled", "interleaved", "shared"] = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and vector-Jacobian products, for a cotangent of the shape of the loss and the dtype of the logits.

        Args:
            cotangent: The gradient with respect to the loss that backward starts with.
            logits: As for ``cross_entropy``.
            target: As for ``cross_entropy``.
            repeats: 2 runs backward twice on the same graph, first for ``cotangent / -2``, and returns the gradients of
                the second pass alone.
            upstream: "scaled" makes the logits a non-leaf, ``x = 2 * (logits / 2)``, and returns the gradient with
                respect to ``x``. "interleaved" computes another loss, with a graph of its own, before backward runs on
                the first one: of ``-logits``, with the target of the first element for the whole batch. "shared" does
                the same with a loss of the same logits.
            options: As for ``cross_entropy``.

        A backend without a graph may ignore ``repeats`` and ``upstream``.
        """


@runtime_checkable
class SecondOrder(Protocol):
    """Second derivatives of ``cross_entropy``."""

    def cross_entropy_hvp(self, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
        """Derivative of ``sum(grad_logits * vector)`` with respect to the logits, in their shape and dtype."""


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
class SoftmaxGradient(Protocol):
    """Reverse-mode gradient of ``softmax`` alone."""

    def softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of <softmax(logits), cotangent> in the shape and dtype of the logits, which the cotangent has too.

        Row by row it is p (g - <p, g>).
        """


@runtime_checkable
class LogSoftmaxGradient(Protocol):
    """Reverse-mode gradient of ``log_softmax`` alone."""

    def log_softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of <log_softmax(logits), cotangent> in the shape and dtype of the logits, which the cotangent has.

        Row by row it is g - p sum(g).
        """


@runtime_checkable
class LogSumExp(Protocol):
    """The logarithm of the sum of exponentials of each row."""

    def logsumexp(self, logits: Array) -> Array:
        """Log sum_j exp(x_j) over the class axis, in the shape of the rows and the dtype of the logits."""


@runtime_checkable
class LogSumExpGradient(Protocol):
    """Reverse-mode gradient of ``logsumexp``."""

    def logsumexp_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of <logsumexp(logits), cotangent>, row by row g p; the cotangent has the shape of the rows."""


@runtime_checkable
class TokenLogProbs(Protocol):
    """The log-probability of one class of each row, as policies and rewards are computed from."""

    def token_log_probs(self, logits: Array, target: Array) -> Array:
        """log_softmax of the logits at the class indices, which are all valid, in the shape of these."""


@runtime_checkable
class TokenLogProbsGradient(Protocol):
    """Reverse-mode gradient of ``token_log_probs``."""

    def token_log_probs_vjp(self, cotangent: Array, logits: Array, target: Array) -> Array:
        """Gradient of <token_log_probs(logits, target), cotangent>, row by row g ([j = t] - p_j)."""


@runtime_checkable
class Entropy(Protocol):
    """The entropy of the softmax of each row."""

    def entropy(self, logits: Array) -> Array:
        """-sum_j p_j log p_j in nats, in the shape of the rows and the dtype of the logits.

        A class with p = 0, such as one with a logit of -inf, has no part in it.
        """


@runtime_checkable
class EntropyGradient(Protocol):
    """Reverse-mode gradient of ``entropy``."""

    def entropy_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of <entropy(logits), cotangent>, row by row -g p (log p + entropy)."""


@runtime_checkable
class NllLoss(Protocol):
    """The loss of log-probabilities."""

    def nll_loss(self, log_probs: Array, target: Array, **options: Any) -> Array:
        """Negative log-likelihood of class indices; options as for ``cross_entropy`` without ``label_smoothing``.

        ``log_probs`` is the result of the backend's own ``log_softmax``, or, if it has none, the rounded exact one.
        """


@runtime_checkable
class Primitives(Softmax, LogSoftmax, NllLoss, Protocol):
    """All three building blocks of the loss."""


@runtime_checkable
class LayerForm(Protocol):
    """The same loss as a layer or module, constructed with the options and then called."""

    def cross_entropy_layer(self, logits: Array, target: Array, **options: Any) -> Array:
        """The loss from the layer."""

    def cross_entropy_layer_vjp(self, cotangent: Array, logits: Array, target: Array, **options: Any) -> Vjp:
        """Loss and gradients through the layer."""


@runtime_checkable
class FusedLinear(Protocol):
    """The loss fused with a final linear map: ``logits = hidden @ weight.T + bias`` is never materialised."""

    def linear_cross_entropy(
        self, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> Array:
        """Loss for hidden (N, H), weight (C, H), bias (C,) or None, and class indices (N,).

        The bias is always None if ``linear_bias`` is not claimed. ``options`` are those of ``cross_entropy`` without
        class weights, which are never passed.
        """


@runtime_checkable
class FusedLinearGradient(Protocol):
    """Reverse-mode gradients of ``linear_cross_entropy``."""

    def linear_cross_entropy_vjp(
        self, cotangent: Array, hidden: Array, weight: Array, bias: Array | None, target: Array, **options: Any
    ) -> LinearVjp:
        """Loss and gradients, for a cotangent of the shape and dtype of the loss."""


@runtime_checkable
class ArrayBridge(Protocol):
    """Conversion between NumPy arrays and the backend's own. A backend without it is called with NumPy arrays."""

    def asarray(self, array: npt.NDArray[np.generic]) -> Array:
        """The backend's array with the same values and, if it can represent them, the same strides.

        For strides that its arrays cannot have it may copy, or raise; it is then called with a contiguous copy.
        """

    def asnumpy(self, array: Array) -> npt.NDArray[np.generic]:
        """A NumPy array with the same values and dtype. Raises TypeError for anything but one of its own arrays."""


@runtime_checkable
class Reproducer(Protocol):
    """How to write standalone scripts that call the library directly, without the adapter."""

    def reproducer(self) -> ReproducerParts:
        """The parts of a script that are specific to this backend; the suite adds the data and the expected values."""


class ReproducerParts(NamedTuple):
    r"""How a script runs one problem on a backend without this suite.

    ``setup`` imports the library. ``array`` is a format string that turns the NumPy expression ``{array}`` into one of
    the backend's arrays of dtype ``{dtype}``; ``result`` is one that turns ``{value}`` into a NumPy array of float64.
    ``calls`` maps the name of each method of the backend to the source of a function with that name and arguments.

    Example:
        >>> from xent_conformance.interface import ReproducerParts
        >>> parts = ReproducerParts(
        ...     setup="import torch",
        ...     array="torch.from_numpy({array}).to(torch.{dtype})",
        ...     result="{value}.double().numpy()",
        ...     calls={"softmax": "def softmax(logits):\n    return torch.softmax(logits, 1)"},
        ... )
        >>> parts.array.format(array="np.zeros(3)", dtype="float32")
        'torch.from_numpy(np.zeros(3)).to(torch.float32)'
    """

    setup: str
    array: str
    result: str
    calls: Mapping[str, str]


@runtime_checkable
class Described(Protocol):
    """The versions and the device of a backend."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Library name to version, the library under test first."""

    @property
    def device(self) -> str:
        """The device that the backend computes on, such as "cpu" or "cuda"."""


@runtime_checkable
class Modes(Protocol):
    """Other ways of calling the same functions, such as compiled, or under a transformation of the framework.

    They are not judged. Where a run has several backends, the smallest problem of each cause is also given to them, and
    their answers are shown beside those of the other backends.
    """

    def modes(self) -> Mapping[str, Callable[[], Backend]]:
        """A factory for each way by its name, such as "compiled" or "vmap".

        It makes a backend that has only those methods which call the functions in this way, and at most the claims of
        this one; it raises BackendUnavailableError where the way does not work on this machine.
        """


@runtime_checkable
class Surroundings(Protocol):
    """Global state of the library, which a call must not change."""

    def surroundings(self) -> Mapping[str, object]:
        """Parts of that state by name, such as the default dtype or the random state; compared by their ``repr``."""
