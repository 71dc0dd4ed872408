"""What a bare callable with the signature of ``torch.nn.functional.cross_entropy`` claims.

Options are read off the signature: a missing ``weight``, ``ignore_index``, ``label_smoothing`` or ``reduction``
parameter is an unclaimed capability, and without ``reduction`` only the mean is claimed. A callable that takes
``**kwargs``, or has no signature that Python can read, claims every option and PyTorch's default sentinel, -100.

Shapes, dtypes, reductions and kinds of target are not in a signature. Each is tried on a tiny batch: one that is
accepted and gives a loss of the right shape is claimed, and held to; any other is not claimed.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes  # noqa: F401  (registers bfloat16 with NumPy)
import numpy as np
import numpy.typing as npt

from xent_backends.validation import DEFAULT_IGNORE_INDEX, FLOATING, REDUCTIONS
from xent_conformance.interface import Capabilities

OPTIONS = ("weight", "ignore_index", "reduction", "label_smoothing")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

#: Runs the callable on NumPy arrays and options, raising whatever it raises.
Trial = Callable[..., Any]

#: Logits with spatial dimensions, all axes of different length, and the shape of their labels.
SPATIAL = (((2, 3, 4), (2, 4)), ((4, 3, 2, 5), (4, 2, 5)))


@dataclass(frozen=True)
class Signature:
    """The options a callable takes by keyword, and the sentinel it ignores unless told otherwise."""

    options: frozenset[str]
    default_ignore_index: int | None

    def accepted(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options without ``reduction="mean"`` where the callable knows no reduction: mean is what it computes."""
        if "reduction" in self.options or options.get("reduction") != "mean":
            return options
        return {name: value for name, value in options.items() if name != "reduction"}


def signature_of(function: Callable[..., Any]) -> Signature:
    """The options that a callable takes, by its signature."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return Signature(frozenset(OPTIONS), DEFAULT_IGNORE_INDEX)
    by_keyword = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    everything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    options = frozenset(OPTIONS if everything else (name for name in OPTIONS if name in by_keyword))
    if "ignore_index" not in options:
        return Signature(options, None)
    sentinel = by_keyword["ignore_index"].default if "ignore_index" in by_keyword else DEFAULT_IGNORE_INDEX
    return Signature(options, sentinel if isinstance(sentinel, int) and not isinstance(sentinel, bool) else None)


def capabilities_of(signature: Signature, trial: Trial, dtypes: tuple[str, ...] | None) -> Capabilities:
    """Capabilities by signature and by trial. Logits dtypes that the user names are claimed without a trial."""
    claimed = dtypes or tuple(dtype for dtype in FLOATING if _works(trial, _logits((2, 3), dtype), _labels(2)))
    # A callable that accepts nothing is left to fail in the suite's own smoke test, with its own message.
    dtype = claimed[0] if claimed else "float32"
    flat = _logits((2, 3), dtype)
    reductions = [r for r in REDUCTIONS if _works(trial, flat, _labels(2), reduction=r)]
    tried = reductions if "reduction" in signature.options else []
    return Capabilities(
        logits_dtypes=claimed or ("float32",),
        target_dtypes=tuple(i for i in INTEGERS if _works(trial, flat, _labels(2).astype(i))) or ("int64",),
        probability_targets=_gives(trial, flat, np.full((2, 3), 0.5).astype(dtype), tried),
        weight="weight" in signature.options,
        ignore_index="ignore_index" in signature.options,
        default_ignore_index=signature.default_ignore_index,
        label_smoothing="label_smoothing" in signature.options,
        reductions=(tuple(reductions) or REDUCTIONS) if "reduction" in signature.options else ("mean",),
        unbatched=_gives(trial, _logits((3,), dtype), np.array(1), tried),
        spatial=all(_gives(trial, _logits(x, dtype), np.zeros(y, dtype=np.int64), tried) for x, y in SPATIAL),
    )


def _gives(trial: Trial, logits: npt.NDArray[Any], target: npt.NDArray[Any], reductions: Sequence[str]) -> bool:
    """Whether a call is accepted and its loss has the right shape: broadcasting may accept what it garbles."""
    options = {"reduction": reductions[0]} if reductions else {}
    try:
        shape = tuple(trial(logits, target, **options).shape)
    except Exception:  # noqa: BLE001  (any refusal, and anything that is no array, is a refusal)
        return False
    rows = (logits.shape[0], *logits.shape[2:]) if logits.ndim > 1 else ()
    return shape == (rows if options.get("reduction") == "none" else ())


def backend_name(spec: str) -> str:
    """The spec with every character that a backend's name cannot have replaced by a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", spec)


def import_line(spec: str) -> tuple[str, str]:
    """The line that imports the callable of a spec such as "torch:package.module.function", and its dotted name."""
    dotted = spec.partition(":")[2] or spec
    dotted = dotted.replace(":", ".")
    parts = dotted.split(".")
    loaded = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    module = next((name for name in loaded if name in sys.modules), ".".join(parts[:-1]) or dotted)
    return f"import {module}", dotted


def _works(trial: Trial, *arguments: npt.NDArray[Any], **options: Any) -> bool:
    try:
        trial(*arguments, **options)
    except Exception:  # noqa: BLE001  (any refusal is a refusal)
        return False
    return True


def _logits(shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    return np.linspace(-1.0, 1.0, int(np.prod(shape))).reshape(shape).astype(dtype)


def _labels(rows: int) -> npt.NDArray[np.int64]:
    return np.arange(rows, dtype=np.int64)
