"""A call as readable text."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent_conformance.calling.calls import Invocation
from xent_conformance.formats import is_floating
from xent_conformance.problem import AnyArray, by_row
from xent_conformance.subproblems import MATRIX

#: Longest row that is written out.
WIDE_ROW = 12
#: Most rows that are written out, and most of rows that are longer than that: a reader learns no more from others.
MOST_ROWS, MOST_LONG_ROWS = 12, 3
#: Larger integers are written as floating-point numbers.
LONG_INTEGER = 1e6


def to_text(call: Invocation, message: str = "") -> str:
    """A call as lines: its method with the options, then one line for each array.

    A usual cotangent, ones in the dtype and layout of a new array, has a line only if the ``message`` of its failure
    names it.
    """
    # A function may have no parameter for what is None, such as a bias.
    inputs = [name for name, array in call.inputs.items() if array is not None]
    passed = [*inputs, *(f"{k}={k if isinstance(v, np.ndarray) else repr(v)}" for k, v in call.options.items())]
    lines = [f"{call.method}({', '.join(passed)})"]
    rank = next((a.ndim for n, a in call.arrays.items() if n in ("logits", "log_probs", "hidden")), 0)
    for name, array in call.arrays.items():
        if name == "cotangent" and name not in message and _is_usual(array, call):
            continue
        layout = "" if array.flags.c_contiguous else f", strides {tuple(s // array.itemsize for s in array.strides)}"
        # Rows of the logits are not what is innermost in an array with more axes.
        by_rows = ", by row" if array.ndim == rank > MATRIX else ""
        lines.append(f"{name}: {array.dtype.name} {array.shape}{layout}{by_rows} = {array_text(array, rank)}")
    return "\n".join(lines)


def _is_usual(cotangent: AnyArray, call: Invocation) -> bool:
    """Whether a cotangent is what most callers pass: ones, contiguous, in the dtype of the logits."""
    ones = cotangent.size > 0 and bool((np.asarray(cotangent, dtype=np.float64) == 1).all())
    operands = [array.dtype for name, array in call.arrays.items() if name in ("logits", "log_probs", "hidden")]
    return ones and cotangent.flags.c_contiguous and cotangent.dtype in (operands or [cotangent.dtype])


def array_text(array: AnyArray, rank: int) -> str:
    """Values of an array, by row; for a long row only the elements that differ from its most common value.

    ``rank``: the class axis of arrays with this many axes is the second, of any others the last.
    """
    if array.ndim == 0:
        return number_text(array[()])
    if array.ndim == 1:
        return _row_text(array)
    rows = by_row(array, 1 if array.ndim == rank else array.ndim - 1)
    most = MOST_ROWS if rows.shape[1] <= WIDE_ROW else MOST_LONG_ROWS
    shown = [_row_text(row) for row in rows[:most]]
    more = [f"... {len(rows) - most} more rows"] if len(rows) > most else []
    return "[" + ", ".join(shown + more) + "]"


def _row_text(row: AnyArray) -> str:
    if len(row) <= WIDE_ROW:
        return "[" + ", ".join(number_text(v) for v in row) + "]"
    wide = row.astype(np.float64) if is_floating(row.dtype) else row
    values, counts = np.unique(wide, return_counts=True)
    common = values[counts.argmax()]
    others = np.flatnonzero(wide != common)
    if len(others) > WIDE_ROW and len(others) > len(row) // 4:
        return f"[{', '.join(number_text(v) for v in row[:WIDE_ROW])}, ... {len(row) - WIDE_ROW} more]"
    named = [f"[{i}] = {number_text(row[i])}" for i in others[:WIDE_ROW]]
    more = [f"... {len(others) - WIDE_ROW} others"] if len(others) > WIDE_ROW else []
    return f"[{len(row)} values, all {number_text(common)}" + (
        f" except {', '.join(named + more)}]" if others.size else "]"
    )


def number_text(value: Any) -> str:
    """A number in the fewest digits that read back as the same value of its dtype."""
    kind = np.asarray(value).dtype
    if kind.kind in "iub":
        return str(value)
    if is_floating(kind):
        number = float(value)
        whole = number.is_integer() and abs(number) < LONG_INTEGER
        return f"{number:.0f}" if whole else str(value)
    return str(value)
