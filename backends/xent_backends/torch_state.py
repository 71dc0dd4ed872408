"""Global settings of torch: reading and restoring them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def _random_state() -> bytes:
    return torch.get_rng_state().numpy().tobytes()


def _set_random_state(state: bytes) -> None:
    torch.set_rng_state(torch.from_numpy(np.frombuffer(state, dtype=np.uint8).copy()))


def _default_device() -> str:
    # From torch 2.3 on.
    return str(torch.get_default_device()) if hasattr(torch, "get_default_device") else "cpu"


def _set_default_device(device: str) -> None:
    # Setting "cpu" would leave behind a mode that every call goes through.
    torch.set_default_device(None if device == "cpu" else device)


def _casts() -> bool:
    # With the name of a device from torch 2.4 on; the older question is deprecated.
    try:
        return bool(torch.is_autocast_enabled("cpu"))
    except TypeError:
        return bool(torch.is_autocast_cpu_enabled())


def _set_casting(casts: Any) -> None:
    try:
        torch.set_autocast_enabled("cpu", casts)
    except TypeError:
        torch.set_autocast_cpu_enabled(casts)


def _flushes() -> bool:
    return bool(torch.tensor(5e-324, dtype=torch.float64, device="cpu") * 1 == 0)


#: For each setting its name, a function that reads it, and a function that sets it.
PARTS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch default device": (_default_device, _set_default_device),
    "torch default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch random state": (_random_state, _set_random_state),
    "torch gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch autocast": (_casts, _set_casting),
    "torch anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "torch threads": (torch.get_num_threads, torch.set_num_threads),
    "torch deterministic algorithms": (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    "torch float32 matrix product precision": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "torch oneDNN": (
        lambda: torch.backends.mkldnn.enabled,
        lambda enabled: setattr(torch.backends.mkldnn, "enabled", enabled),
    ),
    "torch flushing of subnormal numbers": (_flushes, torch.set_flush_denormal),
}


def surroundings() -> Mapping[str, object]:
    """The global settings of torch by name."""
    return {name: look() for name, (look, _) in PARTS.items()}


@contextmanager
def defaults_kept() -> Iterator[None]:
    """Restore torch's settings at the end of the block.

    Used for trial calls: if they changed a setting, the same change by a judged call would go unnoticed.
    """
    before = surroundings()
    try:
        yield
    finally:
        for name, (look, put_back) in PARTS.items():
            if look() != before[name]:
                put_back(before[name])
