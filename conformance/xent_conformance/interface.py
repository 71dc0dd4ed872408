"""The interface between the suite and an implementation under test.

A backend is any object with ``name``, ``capabilities`` and at least one of the functions ``cross_entropy``,
``linear_cross_entropy``, ``softmax``, ``log_softmax``, ``nll_loss``, ``logsumexp``, ``token_log_probs`` and
``entropy``; nothing needs to be subclassed. Each further function is a protocol of its own, and a backend that has the
method claims that it works.

Arrays are NumPy's (bfloat16 through ``ml_dtypes``). A backend that computes on arrays of its own also satisfies
:class:`ArrayBridge`; the suite then converts every input with ``asarray`` and every result with ``asnumpy``.

Shapes: logits (N, C), or (N, C, d1, ..., dk) with ``spatial``, or (C,) with ``unbatched``; class indices in the shape
of the logits without the class axis, probabilities in the shape of the logits. The class axis is axis 1, or axis 0 of
unbatched logits. Losses are in nats.

``options`` are ``weight`` (C,), ``ignore_index`` (int), ``reduction`` ("none", "sum" or "mean") and ``label_smoothing``
(float in [0, 1]). An option that is not claimed is never passed; a claimed option is passed unless it has its neutral
value; ``reduction`` is always passed. Losses of language models take four more, each a claim of its own:

- ``divisor`` (a positive number): the mean divides the sum of the losses by this number;
- ``lse_square_scale`` (positive): each row that is not ignored adds that times the square of its logsumexp, the z-loss;
- ``logit_scale`` (positive): the logits are multiplied by it first;
- ``softcap`` (positive, c): c tanh(x / c) takes the place of each logit x, after any scale.

Example:
    A complete backend::

        >>> import numpy as np
        >>> from xent_conformance.interface import Capabilities
        >>> class MyBackend:
        ...     name = "my-backend"
        ...     capabilities = Capabilities(logits_dtypes=("float64",))
        ...
        ...     def cross_entropy(self, logits, target, *, reduction):
        ...         shifted = logits - logits.max(axis=1, keepdims=True)
        ...         log_sum = np.log(np.exp(shifted).sum(axis=1))
        ...         rows = log_sum - shifted[np.arange(len(target)), target]
        ...         return rows if reduction == "none" else rows.sum() if reduction == "sum" else rows.mean()
        >>> result = xent.judge(MyBackend(), profile="quick", only="accuracy.loss")
        >>> result.passed
        True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from xent_conformance.attempts import may_attempt
from xent_conformance.conventions import Conventions
from xent_conformance.precision import Precision
from xent_conformance.protocols import (
    Array,
    ArrayBridge,
    Backend,
    CrossEntropy,
    Described,
    Differentiable,
    Entropy,
    EntropyGradient,
    FusedLinear,
    FusedLinearGradient,
    LayerForm,
    LinearVjp,
    LogSoftmax,
    LogSoftmaxGradient,
    LogSumExp,
    LogSumExpGradient,
    Modes,
    NllLoss,
    Primitives,
    Reproducer,
    ReproducerParts,
    SecondOrder,
    Softmax,
    SoftmaxGradient,
    Surroundings,
    TokenLogProbs,
    TokenLogProbsGradient,
    Vjp,
)

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
    "Entropy",
    "EntropyGradient",
    "FusedLinear",
    "FusedLinearGradient",
    "LayerForm",
    "LinearVjp",
    "LogSoftmax",
    "LogSoftmaxGradient",
    "LogSumExp",
    "LogSumExpGradient",
    "Modes",
    "NllLoss",
    "Precision",
    "Primitives",
    "Reproducer",
    "ReproducerParts",
    "SecondOrder",
    "Softmax",
    "SoftmaxGradient",
    "Surroundings",
    "TokenLogProbs",
    "TokenLogProbsGradient",
    "Vjp",
    "may_attempt",
]


class BackendUnavailableError(RuntimeError):
    """The framework or device of a backend is missing on this machine.

    Adapters raise it with a message that says how to install the framework, such as the ``pip install`` line.
    """


@dataclass(frozen=True)
class Capabilities:
    """What a backend claims to support.

    Requirements about anything else are *not applicable*; what is claimed and does not work is a failure. The defaults
    describe the smallest useful backend: float32 logits of shape (N, C), int64 class indices, the three reductions, no
    options. Wrong values are reported when the backend is loaded, as :class:`BrokenBackendError`.

    Example:
        >>> from xent_conformance.interface import Capabilities, Precision
        >>> claims = Capabilities(
        ...     logits_dtypes=("float32", "bfloat16"), weight=True, precision={"bfloat16": Precision(form="B")}
        ... )
        >>> claims.precision_for("bfloat16").form, claims.precision_for("float32")
        ('B', None)
    """

    #: dtypes of logits, by name: "float16", "bfloat16", "float32", "float64".
    logits_dtypes: tuple[str, ...] = ("float32",)
    #: dtypes of class indices, of "int8" to "int64" and "uint8" to "uint64". Any other dtype must be rejected.
    target_dtypes: tuple[str, ...] = ("int64",)
    #: dtypes of class indices that some calls accept and others reject; the suite judges neither.
    tolerated_target_dtypes: tuple[str, ...] = ()
    #: Targets may be probabilities, in the shape and dtype of the logits.
    probability_targets: bool = False
    #: dtypes of probability targets that are claimed beside that of the logits.
    probability_dtypes: tuple[str, ...] = ()
    #: ``weight`` (C,) in the dtype of the logits.
    weight: bool = False
    #: dtypes of ``weight`` that are claimed beside that of the logits.
    weight_dtypes: tuple[str, ...] = ()
    #: Class weights may be negative; otherwise all are 0 or larger.
    negative_weights: bool = True
    ignore_index: bool = False
    #: The class index that is ignored when ``ignore_index`` is not passed; None if there is none.
    default_ignore_index: int | None = None
    label_smoothing: bool = False
    #: ``divisor``, passed with the reduction "mean" only.
    divisor: bool = False
    #: ``lse_square_scale``, never passed with class weights to a mean whose divisor is not given.
    lse_square_scale: bool = False
    logit_scale: bool = False
    softcap: bool = False
    reductions: tuple[str, ...] = ("none", "sum", "mean")
    #: Logits of shape (C,) with a scalar target.
    unbatched: bool = False
    #: Logits of shape (N, C, d1, ..., dk).
    spatial: bool = False
    #: Largest ``label_smoothing`` that is accepted, above 0 and at most 1.
    max_label_smoothing: float = 1.0
    #: Smallest number of classes.
    min_classes: int = 1
    #: Largest number of classes; None if there is no limit.
    max_classes: int | None = None
    #: Largest number of rows, N times the spatial sizes; None if there is no limit.
    max_rows: int | None = None
    #: ``linear_cross_entropy`` takes a bias; otherwise it is always called with ``bias=None``.
    linear_bias: bool = True
    #: Infinite and nan logits are outside the supported domain.
    finite_logits_only: bool = False
    #: Repeating a call gives bitwise the same result.
    deterministic: bool = True
    #: The call may overwrite its logits. The report shows this claim in red.
    overwrites_logits: bool = False
    #: What rejects invalid input: the library itself, or this adapter because the library accepts it.
    validation: Literal["library", "adapter"] = "library"
    #: Every new shape costs a compilation, so problems are drawn with few shapes.
    static_shapes: bool = False
    #: Every new value of an option costs a compilation.
    static_options: bool = False
    #: Single operations are compiled, for each shape: other options for the same shapes cost next to nothing.
    compiles_operations: bool = False
    #: Seconds that one compilation takes. If it is above 0, the profile limits how many a run makes.
    compile_seconds: float = 0.0
    #: The precision promised, for each dtype or for all; None if undeclared.
    precision: Precision | Mapping[str, Precision] | None = None
    conventions: Conventions = field(default_factory=Conventions)
    #: Claims that might have been expected and are not made, each with the reason: ("spatial", "it raised ...").
    left_out: tuple[tuple[str, str], ...] = ()

    def precision_for(self, dtype: str) -> Precision | None:
        """The precision declared for a dtype of the logits; None if none is declared."""
        if isinstance(self.precision, Mapping):
            return self.precision.get(dtype)
        return self.precision
