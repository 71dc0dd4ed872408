"""A problem: one call of cross-entropy, as exact data.

Rows are the positions that have a loss of their own: N for logits (N, C), one for logits (C,), N*d1*...*dk for logits
(N, C, d1, ..., dk) in the order of the target's elements.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.formats import Format, dtype_of, format_of, is_floating, name_of
from xent_conformance.interface import Capabilities

AnyArray = npt.NDArray[np.generic]
F64Array = npt.NDArray[np.float64]

#: All reductions: what a backend claims by default.
REDUCTIONS = Capabilities().reductions
#: Options that losses of language models take, at their neutral values.
EXTRAS: dict[str, float | None] = {"divisor": None, "lse_square_scale": 0.0, "logit_scale": 1.0, "softcap": None}


@dataclass(frozen=True, eq=False)
class Problem:
    """One call: its arrays with their dtypes and strides, and its options.

    Logits are (C,), (N, C) or (N, C, d1, ..., dk); the target has class indices in the shape of the rows, or
    probabilities in the shape of the logits. ``ignore_index`` None means that the option is not passed; ``sentinel`` is
    then the class index that the backend ignores by default, None if there is none. The last four fields are options of
    language models (SPEC.md, 1.6); ``divisor`` has no meaning but for "mean".

    Example:
        >>> import numpy as np
        >>> from xent_conformance.problem import Problem
        >>> problem = Problem(np.zeros((2, 3), np.float32), np.array([0, -100]), ignore_index=-100)
        >>> problem.rows, problem.classes, problem.ignored().tolist()
        (2, 3, [False, True])
        >>> problem.options()
        {'reduction': 'mean', 'ignore_index': -100}
    """

    logits: AnyArray
    target: AnyArray
    weight: AnyArray | None = None
    ignore_index: int | None = None
    reduction: str = "mean"
    label_smoothing: float = 0.0
    cotangent: AnyArray | None = None
    sentinel: int | None = None
    divisor: float | None = None
    lse_square_scale: float = 0.0
    logit_scale: float = 1.0
    softcap: float | None = None

    @property
    def format(self) -> Format:
        """Floating-point format of the logits."""
        return format_of(self.logits)

    @property
    def dtype(self) -> str:
        """Name of the logits' dtype."""
        return name_of(self.logits.dtype)

    @property
    def class_axis(self) -> int:
        """Axis of the classes: 0 for unbatched logits, else 1."""
        return 0 if self.logits.ndim == 1 else 1

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return int(self.logits.shape[self.class_axis]) if self.logits.ndim else 0

    @property
    def rows(self) -> int:
        """Number of rows."""
        return math.prod(self.row_shape)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of the rows: the logits' shape without the class axis."""
        shape = self.logits.shape
        return shape[: self.class_axis] + shape[self.class_axis + 1 :]

    @property
    def has_probabilities(self) -> bool:
        """Whether the targets are probabilities rather than class indices."""
        return is_floating(self.target.dtype)

    @property
    def ignored_label(self) -> int | None:
        """The class index whose rows are ignored in this call: ``ignore_index``, or else the backend's default."""
        if self.has_probabilities:
            return None
        return self.sentinel if self.ignore_index is None else self.ignore_index

    def logits_by_row(self) -> F64Array:
        """Logits as float64, (rows, C)."""
        return by_row(self.logits, self.class_axis).astype(np.float64)

    def labels(self) -> npt.NDArray[np.int64]:
        """Class indices, (rows,)."""
        return self.target.reshape(-1).astype(np.int64)

    def probabilities(self) -> F64Array:
        """Probability targets as float64, (rows, C)."""
        return by_row(self.target, self.class_axis).astype(np.float64)

    def ignored(self) -> npt.NDArray[np.bool_]:
        """Which rows are ignored, (rows,)."""
        if self.has_probabilities or self.ignored_label is None:
            return np.zeros(self.rows, dtype=bool)
        return np.asarray(self.labels() == self.ignored_label)

    def class_weights(self) -> F64Array:
        """Class weights as float64, (C,); ones if the problem has no weight."""
        return np.ones(self.classes) if self.weight is None else self.weight.astype(np.float64)

    def mixed_dtypes(self) -> dict[str, str]:
        """The dtypes of class weights and probability targets that differ from that of the logits, by their claims."""
        arrays = {
            "weight_dtypes": self.weight,
            "probability_dtypes": self.target if self.has_probabilities else None,
        }
        given = {claim: array.dtype for claim, array in arrays.items() if array is not None}
        others = {claim: dtype for claim, dtype in given.items() if dtype != self.logits.dtype}
        return {claim: name_of(dtype) for claim, dtype in others.items() if is_floating(dtype)}

    def cotangents(self) -> F64Array:
        """Cotangent of the loss as float64: (rows,) for ``none``, else (); ones if the problem has none."""
        if self.cotangent is None:
            return np.ones(self.rows if self.reduction == "none" else ())
        flat = self.cotangent.astype(np.float64)
        return flat.reshape(-1) if self.reduction == "none" else flat.reshape(())

    def options(self) -> dict[str, Any]:
        """Keyword arguments of the call: ``reduction``, and every option that is not at its neutral value."""
        options: dict[str, Any] = {"reduction": self.reduction}
        if self.weight is not None:
            options["weight"] = self.weight
        if self.ignore_index is not None:
            options["ignore_index"] = self.ignore_index
        if self.label_smoothing:
            options["label_smoothing"] = self.label_smoothing
        return {**options, **self.extras}

    @property
    def extras(self) -> dict[str, float]:
        """The options of language models that are passed: those that are not at their neutral value."""
        given = {name: getattr(self, name) for name, neutral in EXTRAS.items() if getattr(self, name) != neutral}
        if self.reduction != "mean":
            given.pop("divisor", None)
        return given

    @property
    def maps_logits(self) -> bool:
        """Whether the logits are scaled or capped before anything else."""
        return self.logit_scale != EXTRAS["logit_scale"] or self.softcap is not None

    @property
    def logit_map(self) -> tuple[float, float | None]:
        """The scale and the cap of the logits: problems with the same logits and these have the same softmax."""
        return self.logit_scale, self.softcap

    def with_(self, **changes: Any) -> Problem:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def arrays(self) -> dict[str, AnyArray]:
        """The arrays of the problem by field name, without absent ones."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: v for k, v in values.items() if isinstance(v, np.ndarray)}


def by_row(array: AnyArray, class_axis: int) -> AnyArray:
    """An array of the logits' shape as (rows, C)."""
    if class_axis == array.ndim - 1 and array.ndim == 2:  # noqa: PLR2004 - already (rows, C)
        return array
    moved = np.moveaxis(array, class_axis, -1)
    return moved.reshape(math.prod(moved.shape[:-1]), moved.shape[-1])


def from_rows(rows: AnyArray, like: AnyArray, class_axis: int) -> AnyArray:
    """The inverse of :func:`by_row` for the shape of ``like``, contiguous."""
    moved_shape = np.moveaxis(like, class_axis, -1).shape
    return np.ascontiguousarray(np.moveaxis(rows.reshape(moved_shape), -1, class_axis))


def ignored_rows(problem: Problem) -> npt.NDArray[np.bool_]:
    """Which rows are ignored, (rows,): none in a call whose target does not have one label for each row."""
    return problem.ignored() if problem.target.size == problem.rows else np.zeros(problem.rows, bool)


def labels_exist(problem: Problem) -> bool:
    """Whether the class indices of all rows that are not ignored are classes."""
    labels = problem.labels()[~problem.ignored()]
    return bool(((labels >= 0) & (labels < problem.classes)).all())


def same_bits(left: AnyArray, right: AnyArray) -> bool:
    """Whether two arrays have the same shape, dtype and bytes."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()


def identical(problem: Problem, other: Problem) -> bool:
    """Whether two problems have the same options, and arrays of the same bits in the same memory layouts."""
    one, two = problem.arrays(), other.arrays()
    if one.keys() != two.keys():
        return False
    options = [(getattr(problem, f.name), getattr(other, f.name)) for f in fields(problem) if f.name not in one]
    # A smoothing of nan is the same as itself.
    return all(mine is its or mine == its for mine, its in options) and all(
        array is two[name] or (array.strides == two[name].strides and same_bits(array, two[name]))
        for name, array in one.items()
    )


def array_of(values: npt.ArrayLike, dtype: str) -> AnyArray:
    """An array of the named dtype from exactly representable values."""
    return np.asarray(values, dtype=np.float64 if is_floating(dtype_of(dtype)) else None).astype(dtype_of(dtype))
