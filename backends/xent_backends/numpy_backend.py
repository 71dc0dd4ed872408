"""Adapter for the NumPy implementation in this package, and for any callable on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends import numpy_cross_entropy, numpy_functions, numpy_linear
from xent_backends.callables import adapter
from xent_backends.callables.mixins import class_of
from xent_backends.source_text import one_line
from xent_backends.validation import DEFAULT_IGNORE_INDEX, FLOATING, INDICES
from xent_conformance.interface import BackendUnavailableError, Capabilities, LinearVjp, Precision, ReproducerParts, Vjp

AnyArray = npt.NDArray[Any]

#: Losses are (x_t - max) - log(sum) in float64; with class indices alone the exponentials are in float32.
CAPABILITIES = Capabilities(
    logits_dtypes=FLOATING,
    target_dtypes=INDICES,
    probability_targets=True,
    probability_dtypes=FLOATING,
    weight=True,
    weight_dtypes=FLOATING,
    ignore_index=True,
    default_ignore_index=DEFAULT_IGNORE_INDEX,
    label_smoothing=True,
    divisor=True,
    lse_square_scale=True,
    logit_scale=True,
    softcap=True,
    unbatched=True,
    spatial=True,
    precision=Precision(internals="float32", form="A"),
)

ARRAY = "np.asarray({array}).astype('{dtype}')"
RESULT = "np.asarray({value}).astype(np.float64)"


@dataclass(frozen=True)
class NumpyArrays:
    """A function on NumPy arrays: values only, since NumPy has no autograd."""

    name: str
    capabilities: Capabilities
    function: Callable[..., AnyArray]
    setup: str
    expression: str
    #: The result of its trial (see ``callables``).
    tried: bytes | None = None
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=lambda: {"numpy": np.__version__})

    def settings(self) -> AbstractContextManager[object]:
        """A context manager for calls, which does nothing."""
        return nullcontext()

    def reproducer(self) -> ReproducerParts:
        """A script that imports the callable by its dotted path."""
        setup = f"import ml_dtypes\nimport numpy as np\n{self.setup}"
        return ReproducerParts(setup, ARRAY, RESULT, self._calls())

    def _calls(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class CallableBackend(NumpyArrays):
    """A loss on NumPy arrays."""

    def cross_entropy(self, logits: AnyArray, target: AnyArray, **options: Any) -> AnyArray:
        """Loss, as the callable gives it."""
        return self.function(logits, target, **options)

    def _calls(self) -> dict[str, str]:
        parameters = "logits, target, **options"
        return {"cross_entropy": one_line("cross_entropy", parameters, f"{self.expression}({parameters})")}


@dataclass(frozen=True)
class NumpyBackend:
    """The NumPy implementation of this package, in every form."""

    name: str = "numpy"
    capabilities: Capabilities = CAPABILITIES
    device: str = "cpu"

    @property
    def versions(self) -> Mapping[str, str]:
        """NumPy's version: the implementation has none of its own."""
        return {"numpy": np.__version__}

    def cross_entropy(self, logits: AnyArray, target: AnyArray, **options: Any) -> AnyArray:
        """Loss through the function form."""
        return numpy_cross_entropy.cross_entropy(logits, target, **options)

    def cross_entropy_vjp(
        self,
        cotangent: AnyArray,
        logits: AnyArray,
        target: AnyArray,
        *,
        repeats: int = 1,
        upstream: str = "leaf",
        **options: Any,
    ) -> Vjp:
        """Loss and gradients through the function form. There is no graph: ``repeats`` and ``upstream`` are ignored."""
        del repeats, upstream
        return Vjp(*numpy_cross_entropy.cross_entropy_vjp(cotangent, logits, target, **options))

    def cross_entropy_hvp(
        self, vector: AnyArray, cotangent: AnyArray, logits: AnyArray, target: AnyArray, **options: Any
    ) -> AnyArray:
        """Second derivative times a vector."""
        return numpy_cross_entropy.cross_entropy_hvp(vector, cotangent, logits, target, **options)

    def cross_entropy_layer(self, logits: AnyArray, target: AnyArray, **options: Any) -> AnyArray:
        """Loss through the layer."""
        return numpy_cross_entropy.CrossEntropyLoss(**options)(logits, target)

    def cross_entropy_layer_vjp(self, cotangent: AnyArray, logits: AnyArray, target: AnyArray, **options: Any) -> Vjp:
        """Loss and gradients through the layer."""
        return Vjp(*numpy_cross_entropy.CrossEntropyLoss(**options).vjp(cotangent, logits, target))

    def softmax(self, logits: AnyArray) -> AnyArray:
        """Softmax over the class axis."""
        return numpy_cross_entropy.softmax(logits)

    def log_softmax(self, logits: AnyArray) -> AnyArray:
        """Logarithm of the softmax over the class axis."""
        return numpy_cross_entropy.log_softmax(logits)

    def softmax_vjp(self, cotangent: AnyArray, logits: AnyArray) -> AnyArray:
        """Gradient of the softmax."""
        return numpy_cross_entropy.softmax_vjp(cotangent, logits)

    def log_softmax_vjp(self, cotangent: AnyArray, logits: AnyArray) -> AnyArray:
        """Gradient of log_softmax."""
        return numpy_cross_entropy.log_softmax_vjp(cotangent, logits)

    def logsumexp(self, logits: AnyArray) -> AnyArray:
        """Logarithm of the sum of exponentials of each row."""
        return numpy_functions.logsumexp(logits)

    def logsumexp_vjp(self, cotangent: AnyArray, logits: AnyArray) -> AnyArray:
        """Gradient of logsumexp."""
        return numpy_functions.logsumexp_vjp(cotangent, logits)

    def token_log_probs(self, logits: AnyArray, target: AnyArray) -> AnyArray:
        """Log-probability of each row's class index."""
        return numpy_functions.token_log_probs(logits, target)

    def token_log_probs_vjp(self, cotangent: AnyArray, logits: AnyArray, target: AnyArray) -> AnyArray:
        """Gradient of these log-probabilities."""
        return numpy_functions.token_log_probs_vjp(cotangent, logits, target)

    def entropy(self, logits: AnyArray) -> AnyArray:
        """Entropy of each row."""
        return numpy_functions.entropy(logits)

    def entropy_vjp(self, cotangent: AnyArray, logits: AnyArray) -> AnyArray:
        """Gradient of the entropy."""
        return numpy_functions.entropy_vjp(cotangent, logits)

    def nll_loss(self, log_probs: AnyArray, target: AnyArray, **options: Any) -> AnyArray:
        """Negative log-likelihood of class indices."""
        return numpy_cross_entropy.nll_loss(log_probs, target, **options)

    def linear_cross_entropy(
        self, hidden: AnyArray, weight: AnyArray, bias: AnyArray | None, target: AnyArray, **options: Any
    ) -> AnyArray:
        """Loss with a linear map fused in."""
        return numpy_linear.linear_cross_entropy(hidden, weight, bias, target, **options)

    def linear_cross_entropy_vjp(
        self,
        cotangent: AnyArray,
        hidden: AnyArray,
        weight: AnyArray,
        bias: AnyArray | None,
        target: AnyArray,
        **options: Any,
    ) -> LinearVjp:
        """Loss and gradients with a linear map fused in."""
        return LinearVjp(*numpy_linear.linear_cross_entropy_vjp(cotangent, hidden, weight, bias, target, **options))

    def reproducer(self) -> ReproducerParts:
        """A script that loads the implementation from this package, which needs NumPy and ml_dtypes only."""
        setup = (
            "import ml_dtypes\nimport numpy as np\n"
            "from xent_backends import numpy_cross_entropy, numpy_functions, numpy_linear"
        )
        return ReproducerParts(setup, ARRAY, RESULT, {name: one_line(name, *call) for name, call in CALLS.items()})


_CALL = "logits, target, **options"
_LINEAR = "hidden, weight, bias, target, **options"
CALLS: Mapping[str, tuple[str, str]] = {
    "cross_entropy": (_CALL, f"numpy_cross_entropy.cross_entropy({_CALL})"),
    "cross_entropy_vjp": (
        "cotangent, logits, target, repeats=1, upstream='leaf', **options",
        f"numpy_cross_entropy.cross_entropy_vjp(cotangent, {_CALL})",
    ),
    "cross_entropy_hvp": (
        f"vector, cotangent, {_CALL}",
        f"numpy_cross_entropy.cross_entropy_hvp(vector, cotangent, {_CALL})",
    ),
    "cross_entropy_layer": (_CALL, "numpy_cross_entropy.CrossEntropyLoss(**options)(logits, target)"),
    "cross_entropy_layer_vjp": (
        f"cotangent, {_CALL}",
        "numpy_cross_entropy.CrossEntropyLoss(**options).vjp(cotangent, logits, target)",
    ),
    "linear_cross_entropy": (_LINEAR, f"numpy_linear.linear_cross_entropy({_LINEAR})"),
    "linear_cross_entropy_vjp": (
        f"cotangent, {_LINEAR}",
        f"numpy_linear.linear_cross_entropy_vjp(cotangent, {_LINEAR})",
    ),
    "softmax": ("logits", "numpy_cross_entropy.softmax(logits)"),
    "log_softmax": ("logits", "numpy_cross_entropy.log_softmax(logits)"),
    "softmax_vjp": ("cotangent, logits", "numpy_cross_entropy.softmax_vjp(cotangent, logits)"),
    "log_softmax_vjp": ("cotangent, logits", "numpy_cross_entropy.log_softmax_vjp(cotangent, logits)"),
    **{name: ("logits", f"numpy_functions.{name}(logits)") for name in ("logsumexp", "entropy")},
    **{
        name: ("cotangent, logits", f"numpy_functions.{name}(cotangent, logits)")
        for name in ("logsumexp_vjp", "entropy_vjp")
    },
    "token_log_probs": ("logits, target", "numpy_functions.token_log_probs(logits, target)"),
    "token_log_probs_vjp": (
        "cotangent, logits, target",
        "numpy_functions.token_log_probs_vjp(cotangent, logits, target)",
    ),
    "nll_loss": ("log_probs, target, **options", "numpy_cross_entropy.nll_loss(log_probs, target, **options)"),
}


def backend() -> NumpyBackend:
    """The registered backend ``numpy``."""
    return NumpyBackend()


def one_hot(logits: AnyArray, target: AnyArray) -> AnyArray:
    """One-hot rows of class indices, in the shape and dtype of the logits."""
    axis = 0 if logits.ndim == 1 else 1
    shares = np.zeros_like(logits)
    np.put_along_axis(shares, np.expand_dims(target, axis).astype(np.int64), 1, axis)
    return shares


def from_callable(
    function: Callable[..., AnyArray],
    *,
    spec: str,
    dtypes: tuple[str, ...] | None = None,
    gradient: bool = True,
    device: str = "cpu",
    tried: bytes | None = None,
    form: str | None = None,
) -> NumpyArrays:
    """A backend from any callable with a signature like that of F.cross_entropy, on NumPy arrays (see ``callables``).

    It has no gradients, whatever ``gradient`` is, because NumPy does not differentiate.

    Raises:
        BackendUnavailableError: The device is not the CPU.
    """
    del gradient
    if device != "cpu":
        raise BackendUnavailableError(f"NumPy computes on the cpu only, not on {device!r}")
    arrays = adapter.Arrays(np.asarray, np.asarray, one_hot, np.float64)
    plugged = adapter.plugged(function, spec, arrays, dtypes, tried=tried, form=form)
    kind: Any = CallableBackend
    if plugged.form != "cross_entropy":
        kind = class_of(plugged.form, NumpyArrays, gradient=False)
    name, made = adapter.backend_name(spec), (plugged.call, plugged.setup, plugged.expression, plugged.tried)
    return kind(name, plugged.capabilities, *made)  # type: ignore[no-any-return]
