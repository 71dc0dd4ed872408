"""Other ways of calling a loss on torch tensors: under ``vmap``, under autocast, and compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from xent_backends import torch_compiler
from xent_backends.torch_calls import Loss

Adapter = TypeVar("Adapter", bound=Any)


def modes(backend: Adapter) -> Mapping[str, Callable[[], Adapter]]:
    """Factories of the same adapter with its ``function`` called in other ways, all of whose methods call that."""
    ways = {"vmap": _under_vmap, "autocast": _under_autocast, "compiled": _compiled}
    return {name: partial(way, backend) for name, way in ways.items()}


def _under_vmap(backend: Adapter) -> Adapter:
    return replace(backend, function=vmapped(backend.function))


def vmapped(function: Loss) -> Loss:
    """The function mapped over a further axis of its arrays, of length one: the same result by the batching rules."""

    def call(*arrays: Tensor | None, **options: Any) -> Tensor:
        stacked = [None if array is None else array.unsqueeze(0) for array in arrays]
        axes = tuple(None if array is None else 0 for array in arrays)
        result: Tensor = torch.vmap(partial(function, **options), axes)(*stacked)
        return result.squeeze(0)

    return call


def _under_autocast(backend: Adapter) -> Adapter:
    """Without float64, which autocast may convert to float32."""
    claims = backend.capabilities
    narrow = tuple(dtype for dtype in claims.logits_dtypes if dtype != "float64")
    function, device = backend.function, backend.device.partition(":")[0]

    def call(*arrays: Tensor | None, **options: Any) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return function(*arrays, **options)  # type: ignore[no-any-return]

    return replace(backend, capabilities=replace(claims, logits_dtypes=narrow), function=call)


def _compiled(backend: Adapter) -> Adapter:
    torch_compiler.preload()
    return replace(backend, function=torch_compiler.only_compiled(backend.function))
