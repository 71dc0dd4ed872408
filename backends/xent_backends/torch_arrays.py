"""The border between NumPy arrays and torch tensors: same values, same dtype, same strides."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

#: Formats that NumPy gets from ml_dtypes cross the border as integers of the same width.
_CARRIERS: dict[int, npt.DTypeLike] = {1: np.uint8, 2: np.int16}


class _Writeable:
    """The memory of a read-only array, offered as writeable: torch has no read-only tensors and warns about them."""

    def __init__(self, array: npt.NDArray[Any]) -> None:
        self._keep = array
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def tensor_of(array: npt.NDArray[Any], device: str = "cpu") -> Tensor:
    """A tensor with the array's values and strides; on the CPU it shares the array's memory.

    Negative strides, and strides that are no multiple of the item size, do not exist in torch: such an array is copied
    into a contiguous tensor. Raises TypeError for a dtype that torch does not have.
    """
    array = np.asarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = np.ascontiguousarray(array).reshape(array.shape)
    extension = _is_extension(array.dtype)
    name = array.dtype.name
    if extension:
        array = array.view(_CARRIERS[array.itemsize])
    if not array.flags.writeable:
        array = np.asarray(_Writeable(array))
    tensor = torch.from_numpy(array)
    if extension:
        tensor = tensor.view(getattr(torch, name))
    return tensor if device == "cpu" else _moved(tensor, device)


def numpy_of(tensor: Any) -> npt.NDArray[Any]:
    """A NumPy array with the tensor's values, dtype and strides. Raises TypeError for anything but a tensor."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected a torch.Tensor, got {type(tensor).__name__}")
    tensor = tensor.detach().cpu()
    name = str(tensor.dtype).removeprefix("torch.")
    extension = getattr(ml_dtypes, name, None)
    if extension is None:
        return np.asarray(tensor.numpy(force=True))
    carrier = torch.uint8 if tensor.element_size() == 1 else torch.int16
    return np.asarray(tensor.view(carrier).numpy().view(extension))


def _is_extension(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype comes from ml_dtypes."""
    return getattr(ml_dtypes, dtype.name, None) is not None


def _moved(tensor: Tensor, device: str) -> Tensor:
    """A copy on a device with the same strides, which ``Tensor.to`` keeps for dense tensors only."""
    if not tensor.numel():
        return tensor.to(device)
    extent = 1 + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.as_strided((extent,), (1,)).to(device).as_strided(tensor.shape, tensor.stride())
