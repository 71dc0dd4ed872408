"""A recipe: every discrete choice of a problem, and one seed for its numbers.

Hypothesis draws recipes, the covering array lists them, and a record names the recipe of a problem whose data would be
too long to write out. A recipe does not depend on the backend: what a backend does not claim is left out when the
problem is built, so backends that compile for each shape, and all others, get the same problems as far as possible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import FLOATING, HALVES, dtype_of, format_named, rounded
from xent_conformance.interface import Capabilities
from xent_conformance.problem import AnyArray, F64Array, Problem, array_of, from_rows
from xent_conformance.strategies.cotangents import cotangent_of
from xent_conformance.strategies.layouts import REPEATED, laid_out
from xent_conformance.strategies.logits import logits_rows
from xent_conformance.strategies.sizes import fixed, with_rows
from xent_conformance.strategies.targets import LABELS, PROBABILITIES, WEIGHTS, ignoring

#: What replaces -inf for backends that claim finite logits only.
ALMOST_MASKED = -1e4
#: Behind a dtype of labels: int64 if that is not claimed, and no other one.
OR_WIDE = " or int64"


@dataclass(frozen=True)
class Recipe:
    """Choices by name; the modules ``logits``, ``targets`` and ``layouts`` define the names."""

    row_shape: tuple[int, ...] = (3,)
    classes: int = 4
    regime: str = "normal"
    target: str = "random"
    weight: str = "none"
    ignore: str = "none"
    ignored_content: str = "plain"
    labels: str = "int64"
    reduction: str = "mean"
    label_smoothing: float = 0.0
    cotangent: str = "random"
    layout: str = "contiguous"
    target_layout: str = ""
    seed: int = 0
    values: tuple[tuple[float, ...], ...] | None = None
    options: tuple[tuple[str, float], ...] | None = None
    #: Preferred dtypes of class weights and of probability targets, where another one than that of the logits is
    #: claimed; None for that of the logits.
    weight_dtype: str | None = None
    probability_dtype: str | None = None

    @classmethod
    def of(cls, chosen: Mapping[str, Any], seed: int, values: Any = None) -> Recipe:
        """The recipe of choices from a menu; where its shape has sizes to be drawn, the seed says which."""
        row_shape, classes = fixed(chosen["shape"], seed)
        rest = {factor: choice for factor, choice in chosen.items() if factor != "shape"}
        return cls(row_shape=row_shape, classes=classes, seed=seed, values=values, **rest)

    def __str__(self) -> str:
        """The choices as one line."""
        return ", ".join(f"{k}={v!r}" for k, v in asdict(self).items() if v is not None)

    def build(self, dtype: str, capabilities: Capabilities) -> Problem:
        """The problem for one dtype of logits, within what a backend claims."""
        rng = np.random.default_rng(self.seed)
        shape = self._claimed_shape(capabilities)
        rows = int(np.prod(shape, dtype=np.int64))
        classes = max(capabilities.min_classes, min(self.classes, capabilities.max_classes or self.classes))
        logits = self._logits(rng, rows, classes, dtype, capabilities)
        target, in_force, passed = self._target(rng, logits, dtype, capabilities)
        layout = self.layout
        beside = self.target_layout or layout
        if beside == REPEATED:
            repeated = _repeated(target, logits, shape)
            beside = "contiguous" if repeated is None else beside
            target = target if repeated is None else repeated
        if target.ndim == 1:
            if in_force is not None and self.layout != REPEATED:
                _fill_ignored(logits, target == in_force, self.ignored_content)
            claimed = capabilities.target_dtypes
            wanted = self._labels if self._labels in claimed or OR_WIDE not in self.labels else "int64"
            target = target.astype(label_dtype(wanted, target, passed, claimed, self.seed))
        like = np.empty((*shape[:1], classes, *shape[1:]) if shape else (classes,))
        arrange = _Arranger(like, shape, layout)
        weight = self._weight(rng, classes, dtype, capabilities)
        reduction = self._claimed_reduction(weight, rows, dtype, capabilities)
        extras = self._extras(reduction, capabilities)
        if reduction == "mean" and "lse_square_scale" in extras and "divisor" not in extras:
            # What such a mean of weighted rows is divided by differs.
            weight = None
        problem = Problem(
            logits=arrange.wide(logits, dtype),
            target=replace(arrange, layout=beside).target(
                target, self._operand(self.probability_dtype, dtype, capabilities.probability_dtypes)
            ),
            weight=weight,
            ignore_index=passed,
            reduction=reduction,
            label_smoothing=min(self.label_smoothing, capabilities.max_label_smoothing * capabilities.label_smoothing),
            sentinel=capabilities.default_ignore_index,
            **extras,
        )
        return problem.with_(cotangent=cotangent_of(problem, self.cotangent, rng))

    @property
    def _labels(self) -> str:
        """The dtype of labels that is wanted."""
        return self.labels.removesuffix(OR_WIDE)

    def _claimed_shape(self, capabilities: Capabilities) -> tuple[int, ...]:
        shape = self.row_shape
        if (shape == () and not capabilities.unbatched) or (len(shape) > 1 and not capabilities.spatial):
            shape = (math.prod(shape),)
        return shape if capabilities.max_rows is None else with_rows(shape, capabilities.max_rows)

    def _claimed_reduction(self, weight: AnyArray | None, rows: int, dtype: str, capabilities: Capabilities) -> str:
        claimed = capabilities.reductions
        # Nothing else is divided.
        wanted = "mean" if "divisor" in self._claimed_extras(capabilities) else self.reduction
        chosen = wanted if wanted in claimed else claimed[self.seed % len(claimed)]
        heaviest = 1.0 if weight is None else float(np.abs(weight.astype(np.float64)).max())
        if chosen == "mean" and rows * max(1.0, heaviest) > format_named(dtype).max_finite / 2:
            # The divisor may exceed the format's range.
            return next((r for r in ("none", "sum") if r in claimed), chosen)
        return chosen

    def _claimed_extras(self, capabilities: Capabilities) -> dict[str, float]:
        return {name: value for name, value in self.options or () if getattr(capabilities, name)}

    def _extras(self, reduction: str, capabilities: Capabilities) -> dict[str, Any]:
        """The claimed options of language models."""
        extras = self._claimed_extras(capabilities)
        return {name: value for name, value in extras.items() if name != "divisor" or reduction == "mean"}

    def _logits(
        self, rng: np.random.Generator, rows: int, classes: int, dtype: str, capabilities: Capabilities
    ) -> F64Array:
        if self.values is not None:
            drawn = np.resize(np.array(self.values, dtype=np.float64), (rows, classes))
        else:
            drawn = logits_rows(self.regime, rng, rows, classes, format_named(dtype))
        if self.layout == REPEATED:
            # In a lone row it is the classes that are repeated.
            first = np.where(np.isfinite(drawn), drawn, 0.0)[:, :1] if self.row_shape == () else drawn[:1]
            drawn = np.broadcast_to(first, drawn.shape)
        if capabilities.finite_logits_only:
            drawn = np.where(np.isinf(drawn), ALMOST_MASKED, drawn)
        return rounded(drawn, dtype)

    def _target(
        self, rng: np.random.Generator, logits: F64Array, dtype: str, capabilities: Capabilities
    ) -> tuple[AnyArray, int | None, int | None]:
        """Labels (rows,) or probabilities (rows, C); the class index that is ignored; ``ignore_index`` if passed."""
        if self.target in PROBABILITIES and capabilities.probability_targets:
            own = self._operand(self.probability_dtype, dtype, capabilities.probability_dtypes)
            probabilities = self._exact(PROBABILITIES[self.target](rng, logits), own, dtype, capabilities)
            return np.where(np.isfinite(logits), probabilities, 0.0), None, None
        labels = LABELS.get(self.target, LABELS["random"])(rng, logits)
        held = min(np.iinfo(self._labels).max + 1, logits.shape[1])
        labels = labels % held
        finite = np.isfinite(logits)
        likeliest = np.where(finite[:, :held].any(axis=1), logits[:, :held].argmax(axis=1), logits.argmax(axis=1))
        labels = np.where(finite[np.arange(len(labels)), labels], labels, likeliest)
        default = capabilities.default_ignore_index
        kind = self.ignore
        if not capabilities.ignore_index and kind not in ("none", "all"):
            kind = "default"
        if not capabilities.ignore_index and default is None:
            kind = "none"
        if kind == "default" and capabilities.ignore_index and (default or 0) < np.iinfo(self._labels).min:
            # Labels of this dtype cannot have the default mark.
            kind = "outside"
        marked, sentinel = ignoring(kind, rng, labels, logits.shape[1], self._labels)
        if sentinel is None:
            return labels, default, None
        if default is not None and (kind == "default" or not capabilities.ignore_index):
            return np.where(marked == sentinel, default, marked), default, None
        return marked, sentinel, sentinel

    def _weight(
        self, rng: np.random.Generator, classes: int, dtype: str, capabilities: Capabilities
    ) -> AnyArray | None:
        make = WEIGHTS[self.weight]
        if make is None or not capabilities.weight:
            return None
        own = self._operand(self.weight_dtype, dtype, capabilities.weight_dtypes)
        drawn = make(rng, classes)
        claimed = drawn if capabilities.negative_weights else np.abs(drawn)
        return array_of(self._exact(claimed, own, dtype, capabilities), own)

    def _operand(self, wanted: str | None, dtype: str, claimed: Sequence[str]) -> str:
        """The dtype of class weights or probability targets, of those claimed beside that of the logits."""
        others = [name for name in claimed if name != dtype]
        if wanted is None or not others:
            return dtype
        if wanted in others:
            return wanted
        # The other half format is an operand beside logits of a half format only, and would else be rare.
        halves = [name for name in others if {name, dtype} == {*HALVES}]
        return halves[0] if halves and wanted == dtype else others[self.seed % len(others)]

    def _exact(self, values: F64Array, own: str, dtype: str, capabilities: Capabilities) -> F64Array:
        """Values that both the dtype of an operand and the arithmetic of the call represent exactly.

        An implementation may convert the operand to the format of its intermediate values, which is at least float32
        unless it declares otherwise: the answer for what it then computes with is the same.
        """
        if own == dtype:
            return rounded(values, dtype)
        precision = capabilities.precision_for(dtype)
        native = precision is None or precision.internals == "native"
        narrow = FLOATING.index(dtype) < FLOATING.index("float32")
        return rounded(rounded(values, "float32" if narrow and not native else dtype), own)


def label_dtype(wanted: str, labels: AnyArray, passed: int | None, claimed: Sequence[str], turn: int = 0) -> str:
    """The dtype for class indices: ``wanted``, or else another claimed one, which ``turn`` chooses.

    It can represent every label and the ``ignore_index`` that is passed. If none can, it is int64, which a subject then
    casts to a claimed dtype.
    """
    used = ([int(labels.min()), int(labels.max())] if labels.size else []) + ([] if passed is None else [passed])
    others = [name for name in claimed if name != "int64"]
    turn %= max(1, len(others))
    for name in (wanted, *others[turn:], *others[:turn]) if wanted != "int64" else ():
        if name in claimed and all(np.iinfo(name).min <= value <= np.iinfo(name).max for value in used):
            return name
    return "int64"


def _repeated(target: npt.NDArray[Any], logits: F64Array, shape: tuple[int, ...]) -> AnyArray | None:
    """The target with that of the first index along axis 0 for every index; None if some rows have no common class.

    Rows that share a label, or a distribution, may have different masked classes: those have no share of it.
    """
    if not shape or not target.size:
        return None
    first = target[: len(target) // shape[0]]
    common = np.asarray(np.isfinite(logits).reshape(shape[0], len(first), -1).all(axis=0))
    if not common.any(axis=1).all():
        return None
    if first.ndim > 1:
        return np.resize(np.where(common, first, 0.0), target.shape)
    within = (first >= 0) & (first < logits.shape[1])
    masked = within & ~common[np.arange(len(first)), np.where(within, first, 0)]
    return np.resize(np.where(masked, common.argmax(axis=1), first), target.shape)


def _fill_ignored(logits: F64Array, ignored: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], content: str) -> None:
    """Fill ignored rows: their content must not matter."""
    if content != "plain" and ignored.any():
        logits[ignored] = {"nan": np.nan, "infinite": np.inf, "masked": -np.inf}[content]


@dataclass(frozen=True)
class _Arranger:
    """Puts rows into the shape of the call and the memory layout of the recipe."""

    like: AnyArray
    row_shape: tuple[int, ...]
    layout: str

    def wide(self, rows: AnyArray, dtype: str) -> AnyArray:
        axis = 0 if self.like.ndim == 1 else 1
        shaped = from_rows(rows, self.like, axis)
        return laid_out(shaped.astype(dtype_of(dtype)), self.layout)

    def target(self, target: AnyArray, dtype: str) -> AnyArray:
        """Labels (rows,) or probabilities (rows, C)."""
        return self.wide(target, dtype) if target.ndim > 1 else laid_out(target.reshape(self.row_shape), self.layout)
