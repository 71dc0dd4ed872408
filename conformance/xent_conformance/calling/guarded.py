"""Guard bands: an array as a view of a larger memory whose other elements are poison.

A read outside the array then makes the result wrong, and a write there is detected. The poison is nan, or for integers
a number that is not a class index; it also fills the gaps between the elements of a strided view. Because a maximum may
ignore nan and so hide a read, the call can be repeated with ordinary numbers instead.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from xent_conformance.calling.strides import behind, extent, once, overlapping, strides_like, view_of
from xent_conformance.formats import format_named, is_floating, name_of
from xent_conformance.problem import AnyArray, same_bits

#: Bytes before the first and after the last element: a few cache lines, and the widest vector load of a kernel.
BAND = 256
#: Each byte of integer poison; as an int64 it is about 7.7e18.
INTEGER_POISON = 0x6B

Bytes = npt.NDArray[np.uint8]


class Guarded:
    """A copy of an array with the same values and strides, between guard bands. ``view`` is passed to the backend.

    ``view.base`` is the whole memory as bytes, for bridges that can copy it to another device.
    """

    def __init__(self, array: AnyArray, band: int = BAND, *, ordinary: bool = False) -> None:
        """Copy the array. Strides that are not multiples of the item size are not preserved. A band of 0 is none.

        ``ordinary``: the bands have the largest finite number, or the label 0, instead of poison.
        """
        self._original = array
        self.memory, self.view, self._offset = _between_bands(array, band, ordinary=ordinary)
        # Stored here because the backend can change the view, for example its shape.
        self._form = self.view.dtype, self.view.shape, self.view.strides
        self._before = self.memory.tobytes()

    def after(self, there: AnyArray) -> tuple[bool, bool]:
        """Whether elements were changed, and whether something was written around them.

        ``there`` is the backend's own array after the call, as NumPy's.
        """
        held = self._memory_behind(there)
        if held is None:
            return not self._equals(there), False
        dtype, shape, strides = self._form
        moved = (there.dtype, there.shape) != (dtype, shape) or (there.strides != strides and not self._equals(there))
        if held.tobytes() == self._before:
            # The same bytes, but perhaps with another view, such as after transposing in place.
            return moved, False
        elements = self._view_of(held)
        changed = moved or not self._equals(elements)
        restored = held.copy()
        _fill(self._view_of(restored), self._original)
        return changed, restored.tobytes() != self._before

    def _equals(self, there: AnyArray) -> bool:
        return same_bits(there, self._original)

    def _memory_behind(self, there: AnyArray) -> Bytes | None:
        """The memory of the backend's array, including the bands; None if it does not have them."""
        if np.may_share_memory(there, self.memory):
            return self.memory
        base = there.base
        if isinstance(base, np.ndarray) and base.dtype == np.uint8 and base.nbytes == self.memory.nbytes:
            return base
        return None

    def _view_of(self, memory: Bytes) -> AnyArray:
        """The elements in another copy of the memory."""
        return view_of(memory, *self._form, self._offset)


def poison(dtype: np.dtype[Any], count: int) -> bytes:
    """The bytes of ``count`` elements of poison."""
    if dtype.kind == "c" or is_floating(dtype):
        return np.full(count, np.nan).astype(dtype).tobytes()
    return bytes([INTEGER_POISON]) * (count * dtype.itemsize)


def ordinary_numbers(dtype: np.dtype[Any], count: int) -> bytes:
    """The bytes of ``count`` plausible elements: the largest finite number, or the label 0."""
    if is_floating(dtype):
        return np.full(count, format_named(name_of(dtype)).max_finite).astype(dtype).tobytes()
    return bytes(count * dtype.itemsize)


def _between_bands(array: AnyArray, width: int, *, ordinary: bool) -> tuple[Bytes, AnyArray, int]:
    """The memory, the view of it, and the byte at which the view's first element begins."""
    band, dtype = _band(array.dtype, ordinary=ordinary), array.dtype
    if array.flags.c_contiguous or not array.size or any(s % array.itemsize for s in array.strides):
        held, offset = array.size * array.itemsize, width
        memory = np.empty(held + 2 * width, dtype=np.uint8)
        memory[:width] = memory[width + held :] = band[:width]
        view = memory[width : width + held].view(dtype).reshape(array.shape)
        view[...] = array
    else:
        low, high = np.lib.array_utils.byte_bounds(array)
        # The view need not be aligned to 16 bytes as new arrays are, on which kernels that load vectors may rely.
        lead = width + (array.itemsize if width else 0)
        memory = np.empty(-(-(high - low + lead + width) // BAND) * BAND, dtype=np.uint8)
        memory.reshape(-1, BAND)[...] = band
        offset = lead + array.__array_interface__["data"][0] - low
        view = view_of(memory, dtype, array.shape, array.strides, offset)
        _fill(view, array)
    view.flags.writeable = array.flags.writeable
    return memory, view, offset


def _fill(view: AnyArray, array: AnyArray) -> None:
    """Write the elements, each only once if a stride of zero repeats them or windows overlap."""
    if overlapping(array.shape, array.strides, array.itemsize):
        behind(view)[...] = behind(array)
        return
    view[once(view.strides)] = array[once(view.strides)]


@cache
def _band(dtype: np.dtype[Any], *, ordinary: bool) -> Bytes:
    """The bytes of a band of poison, or of ordinary numbers."""
    fill = ordinary_numbers if ordinary else poison
    return np.frombuffer(fill(dtype, BAND // dtype.itemsize), dtype=np.uint8)


def laid_out_like(array: AnyArray, values: AnyArray) -> AnyArray:
    """Other values in the layout of an array, so that a fault that depends on the layout still shows.

    Values of the same shape and item size get the same strides, others similar strides if possible.
    """
    if array.flags.c_contiguous:
        return values
    if array.shape == values.shape and array.itemsize == values.itemsize:
        view = Guarded(array).view.view(values.dtype)
    elif (strides := strides_like(array, values.shape)) is not None and values.size:
        view = _of_strides(values, tuple(step // array.itemsize * values.itemsize for step in strides))
    else:
        return np.ascontiguousarray(values)
    view.flags.writeable = True
    view[once(view.strides)] = values[once(view.strides)]
    view.flags.writeable = array.flags.writeable
    return view


def _of_strides(values: AnyArray, strides: tuple[int, ...]) -> AnyArray:
    """An array with the shape and dtype of ``values`` and other strides, with poison between its elements."""
    start = sum((n - 1) * -step for n, step in zip(values.shape, strides, strict=True) if step < 0)
    count = extent(values.shape, [abs(step) for step in strides]) // values.itemsize + 1
    memory = np.frombuffer(bytearray(poison(values.dtype, count)), np.uint8)
    return view_of(memory, values.dtype, values.shape, strides, start)
