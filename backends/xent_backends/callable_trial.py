"""What a callable claims that its signature does not say: it is tried on tiny batches.

What is accepted and gives a loss of the right shape is claimed, and held to; any other is not claimed. A callable
without ``reduction`` claims the one that it is seen to compute, one that takes any keyword those options that it does
not refuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import ml_dtypes  # noqa: F401  (registers bfloat16 with NumPy)
import numpy as np
import numpy.typing as npt

from xent_backends.callable_signature import Signature
from xent_backends.validation import FLOATING, INTEGERS, REDUCTIONS
from xent_conformance.interface import Capabilities, Conventions

#: Logits with spatial dimensions, all axes of different length, and the shape of their labels.
SPATIAL = (((2, 3, 4), (2, 4)), ((4, 3, 2, 5), (4, 2, 5)))


class Trial:
    """Calls on tiny batches, each accepted or refused; anything that a call raises is a refusal."""

    def __init__(
        self, function: Callable[..., Any], signature: Signature, convert: Callable[[npt.NDArray[Any]], Any]
    ) -> None:
        """Nothing is called yet."""
        self.function, self.signature, self.convert, self.dtype = function, signature, convert, "float32"

    def claims(self, dtypes: tuple[str, ...] | None, *, expendable: bool) -> tuple[Signature, Capabilities]:
        """What the callable claims, and its signature with what it is seen to do."""
        # A callable that accepts nothing is left to fail in the suite's own smoke test, with its own message.
        claimed = dtypes or self.dtypes or ("float32",)
        self.dtype = claimed[0]
        reductions = self.reductions()
        if self.signature.open:
            self.signature = self.without_refused(expendable=expendable)
        unbatched = self.gives((3,), ())
        spatial = all(self.gives(x, y) for x, y in SPATIAL)
        ranks = [((2, 3), (2,)), *([((3,), ())] if unbatched else []), *(SPATIAL if spatial else ())]
        indices = {i: [self.gives(x, y, i) for x, y in ranks] for i in INTEGERS}
        options = self.signature.options
        return self.signature, Capabilities(
            logits_dtypes=claimed,
            target_dtypes=tuple(i for i, ranks in indices.items() if all(ranks)) or ("int64",),
            tolerated_target_dtypes=tuple(i for i, ranks in indices.items() if any(ranks) and not all(ranks)),
            probability_targets=self.gives((2, 3), (2, 3), self.dtype),
            weight="weight" in options,
            ignore_index="ignore_index" in options,
            default_ignore_index=self.signature.default_ignore_index,
            label_smoothing="label_smoothing" in options,
            reductions=reductions,
            unbatched=unbatched,
            spatial=spatial,
            conventions=Conventions(invalid_label=self.invalid_label() if expendable else "abort"),
        )

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """Those of logits that are accepted with class indices."""
        return tuple(d for d in FLOATING if self.loss(_logits((2, 3), d), _labels(2)) is not None)

    def takes_distributions_only(self) -> bool:
        """Whether class indices are refused, and a loss of distributions is not: a number for each row, or for all."""
        if self.dtypes:
            return False
        losses = [self.loss(_logits((2, 3), d), np.eye(3)[:2].astype(d)) for d in FLOATING]
        return any(loss is not None and _shape(loss) in ((2,), ()) for loss in losses)

    def of_distributions(self, capabilities: Capabilities) -> Capabilities:
        """What a callable claims that is given the distributions of labels.

        It need not have its classes on axis 1 where a scalar loss does not tell, nor take infinite logits, which times
        a share of zero are nan.
        """
        logits = _logits((2, 3, 2), self.dtype)
        flat = np.moveaxis(logits, 1, -1).reshape(-1, 3)
        # Both averages, so that it does not matter which of the three reductions it is.
        found = self.loss(logits, np.array([[0, 1], [2, 2]]), **self.first)
        expected = self.loss(flat, np.array([0, 1, 2, 2]), **self.first)
        masked = self.loss(np.array([[0, -np.inf]]).astype(self.dtype), _labels(1), **self.first)
        return replace(
            capabilities,
            ignore_index=False,
            default_ignore_index=None,
            validation="adapter",
            spatial=capabilities.spatial and _close(found, expected),
            finite_logits_only=not _close(masked, 0.0),
        )

    def loss(self, logits: npt.NDArray[Any], target: npt.NDArray[Any], **options: Any) -> Any:
        """What a call returns, None where it is refused."""
        try:
            accepted = self.signature.accepted(options)
            return self.function(self.convert(logits), self.convert(target), **accepted)
        except Exception:  # noqa: BLE001  (any refusal is a refusal)
            return None

    def numbers(self, target: list[int], **options: Any) -> npt.NDArray[Any] | None:
        """The loss of equal rows with these labels, None where it is refused."""
        rows = np.tile(_logits((1, 3), self.dtype), (len(target), 1))
        loss = self.loss(rows, np.array(target), **self.first, **options)
        try:
            return None if loss is None else np.array([float(v) for v in (loss if _shape(loss) else [loss])])
        except (TypeError, ValueError):
            return None

    def gives(self, logits: tuple[int, ...], target: tuple[int, ...], dtype: str = "int64") -> bool:
        """Whether a call is accepted and its loss has the right shape: broadcasting may accept what it garbles."""
        shares = np.full(target, 0.5 if dtype == self.dtype else 0).astype(dtype)
        loss = self.loss(_logits(logits, self.dtype), shares, **self.first)
        reduction = self.first.get("reduction", self.signature.only_reduction)
        rows = (logits[0], *logits[2:]) if len(logits) > 1 else ()
        return loss is not None and _shape(loss) == (rows if reduction == "none" else ())

    def reductions(self) -> tuple[str, ...]:
        """Those that are accepted; of a callable without the option the one that it computes."""
        self.first: dict[str, Any] = {}
        if "reduction" in self.signature.options:
            flat = _logits((2, 3), self.dtype)
            found = tuple(r for r in REDUCTIONS if self.loss(flat, _labels(2), reduction=r) is not None)
            # Behind **kwargs there may be no reduction at all.
            if found or not self.signature.open:
                self.first = {"reduction": found[0]} if found else {}
                return found or REDUCTIONS
            self.signature = replace(self.signature, options=self.signature.options - {"reduction"})
        loss = self.loss(_logits((2, 3), self.dtype), _labels(2))
        once, twice = self.numbers([0]), self.numbers([0] * 2)
        only = "mean"
        if loss is not None and _shape(loss) == (2,):
            only = "none"
        elif once is not None and twice is not None and np.allclose(twice, 2 * once, rtol=0.02):
            only = "sum"
        self.signature = replace(self.signature, only_reduction=only)
        return (only,)

    def without_refused(self, *, expendable: bool) -> Signature:
        """The signature less the options that a callable which takes any keyword refuses."""
        values = {"weight": np.ones(3).astype(self.dtype), "ignore_index": 1, "label_smoothing": 0.5}
        taken = {n: self.convert(np.asarray(v)) if n == "weight" else v for n, v in values.items()}
        plain = self.numbers([0, 1]) is not None
        refused = {n for n, v in taken.items() if plain and self.numbers([0, 1], **{n: v}) is None}
        sentinel = self.signature.default_ignore_index
        if "ignore_index" in refused or (expendable and plain and not self.ignores(sentinel)):
            sentinel = None
        return replace(self.signature, options=self.signature.options - refused, default_ignore_index=sentinel)

    def ignores(self, sentinel: int | None) -> bool:
        """Whether a label is accepted as the sentinel that nobody has passed."""
        loss = None if sentinel is None else self.numbers([0, sentinel])
        return loss is not None and bool(np.isfinite(loss).all())

    def invalid_label(self) -> Literal["error", "nan"]:
        """What becomes of labels just outside the range: nan where all of them give it, else they must be refused."""
        outside = [label for label in (3, -1) if label != self.signature.default_ignore_index]
        losses = [self.numbers([0, label]) for label in outside]
        return "nan" if all(loss is not None and np.isnan(loss[-1]) for loss in losses) else "error"


def _shape(loss: Any) -> tuple[int, ...]:
    return tuple(loss.shape) if hasattr(loss, "shape") else np.shape(loss)


def _close(loss: Any, other: Any) -> bool:
    """Whether two losses are about equal on average; nothing is close to none."""
    try:
        first, second = (float(x.mean() if hasattr(x, "mean") else x) for x in (loss, other))
    except (TypeError, ValueError):
        return False
    return math.isclose(first, second, rel_tol=0.02, abs_tol=1e-3)


def _logits(shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
    return np.linspace(-1.0, 1.0, int(np.prod(shape))).reshape(shape).astype(dtype)


def _labels(rows: int) -> npt.NDArray[np.int64]:
    return np.arange(rows, dtype=np.int64)
