"""Adapter for ONNX Runtime: the operator ``SoftmaxCrossEntropyLoss`` on the CPU, as a model of one node.

Values only: the inference package has no gradients.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_backends.missing import unavailable
from xent_conformance.interface import Capabilities, Conventions, ReproducerParts

try:
    import onnx
    import onnxruntime
except ImportError as error:
    raise unavailable("onnxruntime", error) from error

from xent_backends import validation
from xent_backends.source_text import plain_source

#: "Values of labels ... shall be in range of [0, C)": with -1 the gathered class is the last one.
_OPERATOR = "https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html"

DTYPES = ("float32", "float64")
LABELS = ("int32", "int64")

CAPABILITIES = Capabilities(
    logits_dtypes=DTYPES,
    target_dtypes=LABELS,
    weight=True,
    ignore_index=True,
    spatial=True,
    # Neither the reduction nor shapes that can be broadcast are checked.
    validation="adapter",
    conventions=Conventions(invalid_label="undefined", documentation={"invalid_label": _OPERATOR}),
)

SETUP = "import numpy as np\nimport onnx\nimport onnxruntime"
ARRAY = "np.asarray({array}).astype('{dtype}')"
RESULT = "np.asarray({value}).astype(np.float64)"


@cache
def model(logits: Any, target: Any, weight: Any, ignore_index: Any, reduction: str) -> Any:
    """A session with the one operator, for arrays of these dtypes and ranks; weight and sentinel may be None."""
    kinds = {"float32": 1, "int32": 6, "int64": 7, "float64": 11}
    given = {"logits": logits, "target": target} | ({"weight": weight} if weight else {})
    inputs = [onnx.helper.make_tensor_value_info(n, kinds[d], [None] * rank) for n, (d, rank) in given.items()]
    rows = [None] * target[1] if reduction == "none" else []
    output = onnx.helper.make_tensor_value_info("loss", kinds[logits[0]], rows)
    options = {} if ignore_index is None else {"ignore_index": ignore_index}
    node = onnx.helper.make_node("SoftmaxCrossEntropyLoss", list(given), ["loss"], reduction=reduction, **options)
    graph = onnx.helper.make_graph([node], "loss", inputs, [output])
    whole = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(whole.SerializeToString(), settings, providers=["CPUExecutionProvider"])


def loss(logits: Any, target: Any, weight: Any = None, ignore_index: Any = None, reduction: str = "mean") -> Any:
    """The loss of contiguous NumPy arrays."""
    given = {"logits": logits, "target": target} | ({} if weight is None else {"weight": weight})
    kinds = {name: (array.dtype.name, array.ndim) for name, array in given.items()}
    session = model(kinds["logits"], kinds["target"], kinds.get("weight"), ignore_index, reduction)
    return session.run(None, {name: np.ascontiguousarray(array) for name, array in given.items()})[0]


@dataclass(frozen=True)
class OnnxruntimeBackend:
    """The operator, in a session for each rank, dtype and option."""

    name: str = "onnxruntime"
    capabilities: Capabilities = CAPABILITIES
    device: str = "cpu"

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of the runtime and of the standard's package."""
        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}

    def cross_entropy(self, logits: npt.NDArray[Any], target: npt.NDArray[Any], **options: Any) -> npt.NDArray[Any]:
        """Loss of class indices."""
        _check(logits, target, **options)
        return np.asarray(loss(logits, target, **options))

    def reproducer(self) -> ReproducerParts:
        """A script that makes the same model and runs it."""
        setup = f"{SETUP}\n\n\n{plain_source(inspect.unwrap(model))}\n\n\n{plain_source(loss)}"
        call = "def cross_entropy(logits, target, **options):\n    return loss(logits, target, **options)"
        return ReproducerParts(setup, ARRAY, RESULT, {"cross_entropy": call})


def _check(
    logits: npt.NDArray[Any],
    target: npt.NDArray[Any],
    weight: npt.NDArray[Any] | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> None:
    """Dtypes by name and what the runtime broadcasts or takes for a mean; not the values of the labels."""
    del ignore_index
    if logits.dtype.name not in DTYPES:
        raise TypeError(f"logits must be one of {', '.join(DTYPES)}; got {logits.dtype.name}")
    validation.check_logits(logits)
    if target.dtype.name not in LABELS:
        raise TypeError(f"labels must be one of {', '.join(LABELS)}; got {target.dtype.name}")
    validation.check_target(target, logits, LABELS)
    validation.check_weight(weight, logits)
    validation.check_reduction(reduction)


def backend() -> OnnxruntimeBackend:
    """The registered backend ``onnxruntime``."""
    return OnnxruntimeBackend()
