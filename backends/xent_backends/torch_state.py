"""What torch keeps for all its users: looking at it, and leaving it as it was."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch


def surroundings() -> Mapping[str, object]:
    """The state of torch by the names of its parts."""
    return {
        "torch default dtype": torch.get_default_dtype(),
        "torch random state": zlib.crc32(torch.get_rng_state().numpy().tobytes()),
        "torch gradient mode": torch.is_grad_enabled(),
        "torch threads": torch.get_num_threads(),
        "torch deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch float32 matrix product precision": torch.get_float32_matmul_precision(),
    }


@contextmanager
def defaults_kept() -> Iterator[None]:
    """Calls that are not judged leave torch as it was, so that those that are judged show what they change."""
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    precision, deterministic = torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        torch.set_float32_matmul_precision(precision)
        torch.use_deterministic_algorithms(deterministic)
