"""Callables on torch tensors whose kernels Triton's interpreter runs are called by one thread at a time."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import sleep
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from xent_backends.torch_backend import from_callable
from xent_backends.triton_interpreter import REMARK

LAUNCH = Lock()


def launched() -> None:
    """A launch under the interpreter, which no other may overlap."""
    assert LAUNCH.acquire(blocking=False)
    sleep(0.001)
    LAUNCH.release()


def cross_entropy(logits: Any, target: Any) -> Any:
    """A loss with one launch."""
    launched()
    return F.cross_entropy(logits, target)


def softmax(logits: Any) -> Any:
    """Another function with one launch."""
    launched()
    return torch.softmax(logits, 1)


@pytest.mark.parametrize("interpreted", [True, False])
def test_kernels_under_the_interpreter_are_launched_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, *, interpreted: bool
) -> None:
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    monkeypatch.setenv("TRITON_INTERPRET", "1" if interpreted else "0")
    losses, rows = (from_callable(f, spec=f"torch:kernels.{f.__name__}") for f in (cross_entropy, softmax))
    assert (REMARK in losses.capabilities.left_out) is interpreted
    assert losses.interpreted is rows.interpreted is interpreted
    logits, target, one = torch.zeros(2, 3), torch.tensor([0, 1]), torch.ones(())
    calls: list[Any] = [
        lambda: losses.cross_entropy(logits, target, reduction="mean"),  # type: ignore[attr-defined]
        lambda: losses.cross_entropy_vjp(one, logits, target, reduction="mean"),  # type: ignore[attr-defined]
        lambda: rows.softmax(logits),  # type: ignore[attr-defined]
    ]
    with ThreadPoolExecutor(3) as pool:
        made = [pool.submit(call) for _ in range(20) for call in calls]
    assert any(future.exception() for future in made) is not interpreted
