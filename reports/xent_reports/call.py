"""The arrays of one call, read back from a record by rows and classes, whatever the rank of the logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from xent_conformance.records.lines import ArrayLine, ProblemLine
from xent_reports.figures import element

#: Arrays that do not fit the table and have more elements than this are described, not listed.
_LISTED = 12
_ARRAYS = ("logits", "target", "weight", "cotangent")
#: Options that are not passed at these values, None for those that are not passed without one.
_NEUTRAL = {"label_smoothing": 0, "divisor": None, "lse_square_scale": 0, "logit_scale": 1, "softcap": None}


@dataclass(frozen=True)
class Call:
    """A problem of a record. Rows are as in the suite: N*d1*...*dk of them, in the order of the target's elements."""

    content: ProblemLine
    #: The class index whose rows are ignored, passed or by default.
    ignored: int | None = None
    #: Whether it takes nothing else, as softmax does.
    logits_only: bool = False
    #: Whether the failure is about its cotangent.
    names_cotangent: bool = False

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of the logits."""
        return self.content.logits.shape

    @cached_property
    def classes(self) -> int:
        """C, the number of classes."""
        return self.shape[0] if len(self.shape) == 1 else self.shape[1] if self.shape else 0

    @cached_property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of the rows: the logits' without the class axis."""
        return self.shape[:1] + self.shape[2:] if len(self.shape) > 1 else ()

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return math.prod(self.row_shape) if self.shape else 0

    def array(self, name: str) -> ArrayLine | None:
        """An array of the problem as the record has it; None if it is absent.

        A contiguous cotangent of ones in the dtype of the logits counts as absent, unless the failure is about it.
        """
        if self.logits_only and name != "logits":
            return None
        found: ArrayLine | None = getattr(self.content, name)
        return None if name == "cotangent" and found is not None and self._is_usual(found) else found

    def _is_usual(self, cotangent: ArrayLine) -> bool:
        ones = bool(cotangent.values) and all(value == 1 for value in cotangent.values or ())
        plain = cotangent.strides is None and cotangent.dtype == self.content.logits.dtype
        return ones and plain and not self.names_cotangent

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        return {
            name: _elements(array.values or (), array.dtype)
            for name in _ARRAYS
            if (array := self.array(name)) is not None
        }

    def texts(self, name: str) -> list[str]:
        """Elements of an array as text in C order; empty if the array is absent or given by a recipe."""
        return self._texts.get(name, [])

    def by_row(self, name: str) -> list[list[str]]:
        """Elements of an array of the logits' shape as (rows, C); empty if it has another shape or no values."""
        texts, array = self.texts(name), self.array(name)
        if not texts or array is None or array.shape != self.shape:
            return []
        inner = math.prod(self.shape[2:])
        whole = self.classes * inner
        starts = (n * whole + s for n in range(self.rows // max(inner, 1)) for s in range(inner))
        return [texts[start : start + whole : inner][: self.classes] for start in starts]

    def per_row(self, name: str) -> list[str]:
        """Elements of an array with one for each row; empty if it has another size."""
        texts, array = self.texts(name), self.array(name)
        return texts if array is not None and len(texts) == self.rows and array.shape == self.row_shape else []

    def per_class(self, name: str) -> list[str]:
        """Elements of an array with one for each class; empty if it has another size."""
        texts = self.texts(name)
        return texts if len(texts) == self.classes else []

    def row_name(self, row: int) -> str:
        """A row's index in the target: ``3``, or ``0, 2, 1`` for logits with spatial dimensions."""
        return ", ".join(map(str, self._coordinates(row))) or "0"

    def place(self, index: Sequence[int] | None) -> tuple[int | None, int | None]:
        """Row and class of a finding's index; None for the part that it does not have.

        The suite counts by rows: (row,), or (row, class), whatever the rank of the logits.
        """
        limits = (self.rows, self.classes)
        if not index or len(index) > len(limits) or any(not 0 <= i < n for i, n in zip(index, limits, strict=False)):
            return None, None
        return index[0], index[1] if len(index) > 1 else None

    def index_text(self, index: Sequence[int]) -> str:
        """The index as the backend's own arrays have it: ``3, 1, 0, 2`` for row 3, 0, 2 and class 1."""
        row, label = self.place(index)
        if row is None:
            return ", ".join(map(str, index))
        place = self._coordinates(row)
        if label is not None:
            place.insert(min(1, len(place)), label)
        return ", ".join(map(str, place))

    def _coordinates(self, row: int) -> list[int]:
        """A row's index in the target."""
        found = []
        for length in reversed(self.row_shape):
            row, place = divmod(row, length)
            found.append(place)
        return found[::-1]

    def facts(self) -> list[tuple[str, str]]:
        """The arguments of the call in words: each array's dtype and shape, each option's value."""
        arrays = [(name, self._described(name)) for name in _ARRAYS]
        names = () if self.logits_only else ("reduction", "ignore_index", *_NEUTRAL)
        options = [(name, getattr(self.content, name)) for name in names]
        written = [(k, element(v, "float64")) for k, v in options if v is not None and _NEUTRAL.get(k) != v]
        return [fact for fact in arrays if fact[1]] + written

    def _described(self, name: str) -> str:
        array = self.array(name)
        if array is None:
            return ""
        strides = f", strides {array.strides} in elements" if array.strides else ""
        values = self._listed(name) if array.recipe is None else f", by recipe: {array.recipe}"
        return f"{array.dtype} {array.shape}{strides}{values}"

    def _listed(self, name: str) -> str:
        """The elements of an array that has no place in the table."""
        texts = self.texts(name)
        whole, single = self.by_row(name), {"weight": self.per_class}.get(name, self.per_row)(name)
        if not texts or (single if name in {"weight", "cotangent"} else whole or (name == "target" and single)):
            return ""
        return ": " + ", ".join(texts[:_LISTED]) + (", …" if len(texts) > _LISTED else "")


def _elements(values: Sequence[Any], dtype: str) -> list[str]:
    """Elements as text; in long arrays the same few numbers are there many times."""
    written: dict[Any, str] = {}
    texts = []
    for value in values:
        key = value or str(value)  # zero and minus zero would be the same key
        text = written.get(key)
        if text is None:
            text = written[key] = element(value, dtype)
        texts.append(text)
    return texts
