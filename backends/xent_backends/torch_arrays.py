"""Conversion between NumPy arrays and torch tensors, with the same values, dtypes and strides."""

from __future__ import annotations

from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

#: Formats that NumPy gets from ml_dtypes are converted as integers of the same width.
_CARRIERS: dict[int, npt.DTypeLike] = {1: np.uint8, 2: np.int16}


#: Most bytes of a storage outside a tensor that are converted together with it.
AROUND = 4096


class _Writeable:
    """The memory of a read-only array, offered as writeable: torch has no read-only tensors and warns about them."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._keep = array
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def tensor_of(array: npt.NDArray[Any], device: str = "cpu") -> Tensor:
    """A tensor with the array's values and strides; on the CPU it shares the array's memory.

    An array that is a view of bytes, as the suite's guarded ones are, becomes a view of the same bytes with its storage
    offset: what lies around it lies around the tensor too, on any device. Negative strides, and strides that are no
    multiple of the item size, do not exist in torch: such an array is copied into a contiguous tensor. Raises TypeError
    for a dtype that torch does not have.
    """
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = np.ascontiguousarray(array).reshape(array.shape)
    extension = _is_extension(array.dtype)
    name = array.dtype.name
    memory = array.base
    if isinstance(memory, np.ndarray) and memory.dtype == np.uint8 and memory.ndim == 1 and memory.flags.writeable:
        return _view_of(torch.from_numpy(memory).to(device), array, memory, name)
    if extension:
        array = array.view(_CARRIERS[array.itemsize])
    if not array.flags.writeable:
        array = np.asarray(_Writeable(array))
    tensor = torch.from_numpy(array)
    if extension:
        tensor = tensor.view(getattr(torch, name))
    return tensor if device == "cpu" else _moved(tensor, device)


def numpy_of(tensor: Any) -> npt.NDArray[Any]:
    """A NumPy array with the tensor's values, dtype and strides.

    Raises TypeError for anything but a dense tensor of the class ``torch.Tensor`` itself: what a subclass adds, such as
    the mask of a masked tensor, would be lost.
    """
    if type(tensor) is not Tensor:
        raise TypeError(f"expected a torch.Tensor, got {type(tensor).__name__}")
    if tensor.layout != torch.strided:
        raise TypeError(f"expected a dense tensor, got {tensor.layout}")
    tensor = tensor.detach()
    name = str(tensor.dtype).removeprefix("torch.")
    dtype = getattr(ml_dtypes, name, None)
    if tensor.device.type != "cpu" and _little_around(tensor):
        memory = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage()).cpu().numpy()
        strides = tuple(step * tensor.element_size() for step in tensor.stride())
        start = tensor.storage_offset() * tensor.element_size()
        view = np.ndarray(tuple(tensor.shape), f"V{tensor.element_size()}", memory, start, strides)
        return view.view(np.dtype(name if dtype is None else dtype))
    tensor = tensor.cpu()
    if dtype is None:
        return np.asarray(tensor.numpy(force=True))
    carrier = torch.uint8 if tensor.element_size() == 1 else torch.int16
    return np.asarray(tensor.view(carrier).numpy().view(dtype))


def _view_of(memory: Tensor, array: npt.NDArray[Any], base: npt.NDArray[np.uint8], name: str) -> Tensor:
    """The tensor with the same position in a memory that the array has in its own."""
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0] if array.size else 0
    steps = [step // array.itemsize for step in array.strides]
    return memory.view(getattr(torch, name)).as_strided(array.shape, steps, start // array.itemsize)


def _little_around(tensor: Tensor) -> bool:
    """Whether a tensor fills almost all of its storage, so that the rest of it can be examined as well."""
    return tensor.untyped_storage().nbytes() <= tensor.numel() * tensor.element_size() + AROUND


@cache
def _is_extension(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype comes from ml_dtypes."""
    return getattr(ml_dtypes, dtype.name, None) is not None


def _moved(tensor: Tensor, device: str) -> Tensor:
    """A copy on a device with the same strides, which ``Tensor.to`` keeps for dense tensors only."""
    if not tensor.numel():
        return tensor.to(device)
    extent = 1 + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.as_strided((extent,), (1,)).to(device).as_strided(tensor.shape, tensor.stride())
