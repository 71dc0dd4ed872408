"""Numbers, NumPy arrays and the memory behind strided views as Python text that reads back exactly."""

from __future__ import annotations

from typing import Any

import numpy as np

from xent_conformance.calling.guarded import BAND, ordinary_numbers, poison
from xent_conformance.calling.strides import extent
from xent_conformance.formats import is_floating
from xent_conformance.judging.findings.numbers import literal
from xent_conformance.problem import AnyArray

#: Arrays of up to this many elements are written out.
FEW = 16


def number(value: Any) -> str:
    """A number as an expression; shortest decimals that round-trip in float64, which holds every format's values."""
    if isinstance(value, complex | np.complexfloating):
        return repr(complex(value))
    plain = value.item() if isinstance(value, np.generic) else value
    return literal(plain) if isinstance(plain, float) else repr(plain)


def array(values: AnyArray, name: str, lines: list[str]) -> str:
    """An expression for a contiguous array with the values, in the widest dtype of their kind.

    A long array with few odd values is filled first and then changed, in statements appended to ``lines``.
    """
    kind = "np.float64" if is_floating(values.dtype) else "np.complex128" if values.dtype.kind == "c" else "np.int64"
    wide = np.asarray(values).astype(kind.removeprefix("np."))
    if not wide.size:
        return f"np.zeros({wide.shape}, dtype={kind})"
    short = None if wide.size <= FEW else _filled(wide, name, kind, lines) or _repeating(wide, kind)
    return short or f"np.array({_nested(wide)}, dtype={kind})"


def _repeating(values: AnyArray, kind: str) -> str | None:
    """An array whose elements in C order repeat with a short period; None for any other."""
    flat = values.reshape(-1)
    bits = flat.view(f"V{flat.itemsize}")
    for period in range(1, min(FEW, flat.size // 4) + 1):
        if (bits[period:] == bits[:-period]).all():
            return f"np.resize(np.array({_nested(flat[:period])}, dtype={kind}), {values.shape})"
    return None


def _filled(values: AnyArray, name: str, kind: str, lines: list[str]) -> str | None:
    """The name of an array that ``lines`` fill with its commonest value and then change; None if too many differ."""
    flat = values.reshape(-1)
    distinct, counts = np.unique(flat, return_counts=True)
    common = distinct[counts.argmax()]
    odd = [i for i, v in enumerate(flat.tolist()) if not (v == common or (v != v and common != common))]  # noqa: PLR0124
    if len(odd) > values.size // 4:
        return None
    lines.append(f"{name}_values = np.full({values.shape}, {number(common)}, dtype={kind})")
    if len(odd) > FEW:
        lines.append(f"{name}_values.flat[{odd}] = [{', '.join(number(flat[i]) for i in odd)}]")
        return f"{name}_values"
    for i in odd:
        place = ", ".join(str(int(k)) for k in np.unravel_index(i, values.shape))
        lines.append(f"{name}_values[{place}] = {number(flat[i])}")
    return f"{name}_values"


def _nested(values: AnyArray) -> str:
    if values.ndim == 0:
        return number(values[()])
    return "[" + ", ".join(_nested(v) for v in values) + "]"


def memory_of(
    values: AnyArray, *, bands: bool = False, ordinary: bool = False
) -> tuple[AnyArray, tuple[int, ...], int]:
    """The memory of an array, its strides in elements, and the position of its first element.

    As in the call (see ``guarded``), there is poison between the elements and one more before the first, and with
    ``bands`` also around them; with ``ordinary`` there are ordinary numbers instead.
    """
    strides = tuple(s // values.itemsize for s in values.strides)
    band = BAND // values.itemsize if bands else 0
    lead = band + (0 if values.flags.c_contiguous else 1)
    size = 1 + lead + extent(values.shape, [abs(s) for s in strides]) + band
    fill = ordinary_numbers if ordinary else poison
    memory = np.frombuffer(fill(values.dtype, size), dtype=np.uint8).view(values.dtype).copy()
    start = lead - extent(values.shape, [min(s, 0) for s in strides])
    np.lib.stride_tricks.as_strided(memory[start:], values.shape, values.strides)[...] = values
    return memory, strides, start
