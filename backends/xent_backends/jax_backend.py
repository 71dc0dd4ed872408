"""Adapter for JAX: cross-entropy composed from ``jax.nn.log_softmax``, compiled or eager, and any JAX callable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from xent_backends.missing import unavailable
from xent_conformance.interface import Backend, Capabilities, Precision, ReproducerParts, Vjp

try:
    import jax
except ImportError as error:
    raise unavailable("jax", error) from error

from jax import Array

from xent_backends import jax_arrays, jax_cross_entropy, jax_modes, validation
from xent_backends.jax_callable import JaxArrays, callable_backend
from xent_backends.source_text import joined, plain_source
from xent_backends.validation import DEFAULT_IGNORE_INDEX, FLOATING, INDICES

CAPABILITIES = Capabilities(
    logits_dtypes=FLOATING,
    target_dtypes=INDICES,
    probability_targets=True,
    weight=True,
    ignore_index=True,
    default_ignore_index=DEFAULT_IGNORE_INDEX,
    label_smoothing=True,
    unbatched=True,
    spatial=True,
    # JAX takes integer logits, clamps labels and has no options to check: all of that is this adapter's.
    validation="adapter",
    static_shapes=True,
    # jax.nn.log_softmax rounds every operation to the dtype of the logits, also under jit; its sums are float32
    # (measured on 0.10.2, CPU). The sums over the batch are this package's own, in float32 or wider.
    precision=Precision(internals="native", form="A"),
)

#: Scripts for the forms of the loss; {jit} is "jax.jit" or, for the eager backend, nothing.
_SCRIPTS = {
    "cross_entropy": """def cross_entropy(logits, target, **options):
    losses, total = {jit}(losses_and_total)(logits, *operands(logits, target, **options))
    return losses if options.get('reduction') == 'none' else total""",
    "cross_entropy_vjp": """def cross_entropy_vjp(cotangent, logits, target, repeats=1, upstream='leaf', **options):
    pair = cotangents(cotangent, logits, options.get('reduction', 'mean'))
    (losses, total), grads = {jit}(vjp)(pair, logits, *operands(logits, target, **options))
    loss = losses if options.get('reduction') == 'none' else total
    return loss, grads[0], grads[1] if target.ndim == logits.ndim else None""",
    "cross_entropy_hvp": """def cross_entropy_hvp(vector, cotangent, logits, target, **options):
    pair = cotangents(cotangent, logits, options.get('reduction', 'mean'))
    return {jit}(hvp)(vector, pair, logits, *operands(logits, target, **options))""",
    "nll_loss": """def nll_loss(log_probs, target, **options):
    weight, divide = class_weights(log_probs, options.get('weight')), options.get('reduction', 'mean') == 'mean'
    losses, total = {jit}(nll)(log_probs, target, weight, options.get('ignore_index', -100), divide)
    return losses if options.get('reduction') == 'none' else total""",
}


Way = Literal["compiled", "eager", "vmap"]


@dataclass(frozen=True)
class JaxBackend:
    """The composed loss.

    Attributes:
        name: The backend's name.
        capabilities: What it claims.
        device: The platform that it computes on.
        way: "compiled" runs each call as one XLA program, "eager" operation by operation, and "vmap" mapped over a
            further axis of length one.
    """

    name: str
    capabilities: Capabilities
    device: str
    way: Way = "compiled"

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of jax and of its compiler."""
        return jax_arrays.versions()

    def asarray(self, array: npt.NDArray[np.generic]) -> Array:
        """A contiguous JAX array with the array's values."""
        return jax_arrays.array_of(array)

    def asnumpy(self, array: Any) -> npt.NDArray[Any]:
        """A NumPy array with the array's values; TypeError for anything but a JAX array."""
        return jax_arrays.numpy_of(array)

    def cross_entropy(self, logits: Array, target: Array, **options: Any) -> Array:
        """Loss of the composition."""
        labels = _checked(logits, target, **options)
        program = self._program(jax_cross_entropy.losses_and_total)
        return _chosen(program(logits, *jax_cross_entropy.operands(logits, labels, **options)), **options)

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
        """Loss and gradients by ``jax.vjp``. JAX keeps no graph: ``repeats`` and ``upstream`` change nothing."""
        del repeats, upstream
        labels = _checked(logits, target, **options)
        pair = jax_cross_entropy.cotangents(cotangent, logits, options.get("reduction", "mean"))
        program = self._program(jax_cross_entropy.vjp)
        losses, grads = program(pair, logits, *jax_cross_entropy.operands(logits, labels, **options))
        return Vjp(_chosen(losses, **options), grads[0], grads[1] if validation.has_probabilities(target) else None)

    def cross_entropy_hvp(self, vector: Array, cotangent: Array, logits: Array, target: Array, **options: Any) -> Array:
        """Second derivative times a vector, forward over reverse."""
        labels = _checked(logits, target, **options)
        pair = jax_cross_entropy.cotangents(cotangent, logits, options.get("reduction", "mean"))
        program = self._program(jax_cross_entropy.hvp)
        product: Array = program(vector, pair, logits, *jax_cross_entropy.operands(logits, labels, **options))
        return product

    def softmax(self, logits: Array) -> Array:
        """``jax.nn.softmax`` over the class axis."""
        validation.check_logits(logits)
        probabilities: Array = self._program(jax_cross_entropy.softmax)(logits)
        return probabilities

    def log_softmax(self, logits: Array) -> Array:
        """``jax.nn.log_softmax`` over the class axis."""
        validation.check_logits(logits)
        log_probs: Array = self._program(jax_cross_entropy.log_softmax)(logits)
        return log_probs

    def softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of ``jax.nn.softmax``."""
        validation.check_logits(logits)
        gradient: Array = self._program(jax_cross_entropy.softmax_vjp)(cotangent, logits)
        return gradient

    def log_softmax_vjp(self, cotangent: Array, logits: Array) -> Array:
        """Gradient of ``jax.nn.log_softmax``."""
        validation.check_logits(logits)
        gradient: Array = self._program(jax_cross_entropy.log_softmax_vjp)(cotangent, logits)
        return gradient

    def nll_loss(self, log_probs: Array, target: Array, **options: Any) -> Array:
        """Negative log-likelihood of class indices, gathered rather than multiplied with a one-hot matrix."""
        if validation.has_probabilities(target):
            raise TypeError(f"nll_loss takes class indices, got {target.dtype}")
        labels = _checked(log_probs, target, **options)
        weight = jax_cross_entropy.class_weights(log_probs, options.get("weight"))
        sentinel, divide = options.get("ignore_index", DEFAULT_IGNORE_INDEX), options.get("reduction", "mean") == "mean"
        return _chosen(self._program(jax_cross_entropy.nll)(log_probs, labels, weight, sentinel, divide), **options)

    def modes(self) -> Mapping[str, Callable[[], Backend]]:
        """The other ways."""
        others = {*get_args(Way)} - {self.way}
        return {way: partial(replace, self, way=way) for way in sorted(others)}

    def reproducer(self) -> ReproducerParts:
        """A script in plain JAX, printed from the functions that this adapter runs."""
        source = {name: plain_source(getattr(jax_cross_entropy, name)) for name in _PRINTED}
        start = (source["class_axis"], source["class_weights"], source["divisor_of"])
        shared = (*start, source["operands"], source["losses_and_total"])
        calls = {name: joined(source["class_axis"], source[name]) for name in ("softmax", "log_softmax")}
        calls |= {f"{name}_vjp": joined(text, source[f"{name}_vjp"]) for name, text in calls.items()}
        before = {
            "cross_entropy": shared,
            "cross_entropy_vjp": (*shared, source["cotangents"], source["vjp"]),
            "cross_entropy_hvp": (*shared, source["cotangents"], source["vjp"], source["hvp"]),
            "nll_loss": (*start, source["nll"]),
        }
        jit = "jax.jit" if self.way == "compiled" else ""
        calls |= {name: joined(*before[name], text.replace("{jit}", jit)) for name, text in _SCRIPTS.items()}
        setup = "import numpy as np\n" + jax_arrays.SETUP
        return ReproducerParts(setup, jax_arrays.ARRAY, jax_arrays.RESULT, calls)

    def _program(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if self.way == "compiled":
            return _compiled(function)
        return jax_modes.vmapped(function) if self.way == "vmap" else function


_PRINTED = (
    "class_axis",
    "class_weights",
    "operands",
    "cotangents",
    "divisor_of",
    "softmax",
    "log_softmax",
    "softmax_vjp",
    "log_softmax_vjp",
    "nll",
    "losses_and_total",
    "vjp",
    "hvp",
)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The jitted function, one for the process, so that its cache of programs is shared."""
    return jax.jit(function)


def _checked(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = DEFAULT_IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array | npt.NDArray[np.int64]:
    """Check a call on the host, and give its class indices as int64: every dtype of them would be a compilation."""
    validation.check_call(logits, target, weight, ignore_index, reduction, label_smoothing)
    if validation.has_probabilities(target):
        return target
    labels = np.asarray(target).astype(np.int64)
    validation.check_labels(labels, logits.shape[validation.class_axis(logits)], ignore_index)
    return labels


def _chosen(losses: jax_cross_entropy.Losses, reduction: str = "mean", **_: Any) -> Array:
    """The losses of the rows for the reduction "none", or else their total."""
    return losses[0] if reduction == "none" else losses[1]


#: Restores the settings of JAX that a factory changes.
settings_kept = jax_arrays.settings_kept


def backend() -> JaxBackend:
    """The registered backend ``jax``: compiled, on JAX's default device."""
    jax_arrays.configure()
    return JaxBackend("jax", CAPABILITIES, jax_arrays.platform())


def eager_backend() -> JaxBackend:
    """The registered backend ``jax-eager``: the same loss, operation by operation."""
    jax_arrays.configure()
    return JaxBackend("jax-eager", CAPABILITIES, jax_arrays.platform(), way="eager")


def from_callable(
    function: Callable[..., Array],
    *,
    spec: str,
    dtypes: tuple[str, ...] | None = None,
    gradient: bool = True,
    device: str = "cpu",
    tried: bytes | None = None,
    form: str | None = None,
) -> JaxArrays:
    """A backend from any callable with the signature of F.cross_entropy, on JAX arrays (see ``callables``)."""
    jax_arrays.configure()
    jax_arrays.platform(device)
    return callable_backend(
        function, spec=spec, dtypes=dtypes, gradient=gradient, device=device, tried=tried, form=form
    )
