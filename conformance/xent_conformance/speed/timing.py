"""Wall-clock times of calls of a backend, on its own arrays, and of a copy of its logits.

Only the call is timed, not the conversion of its inputs. A call is over when its loss is a NumPy array: what a device
was asked for before, in the same order, is then done. This is unverified on CUDA, where other streams could run on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from xent_conformance.calling.bridge import Bridge
from xent_conformance.calling.calls import Invocation
from xent_conformance.interface import Backend
from xent_conformance.problem import AnyArray

#: Fewest and most timed calls.
FEWEST, MOST = 5, 100


class Times(NamedTuple):
    """Median and interquartile range in seconds, and how many calls they are of."""

    median: float
    iqr: float
    rounds: int


class SlowError(Exception):
    """A call that takes longer than there is time for."""


def call_of(backend: Backend, invocation: Invocation) -> Callable[[], AnyArray]:
    """A function that makes the call, on arrays that are converted once, and returns the loss as NumPy's."""
    bridge = Bridge(backend)
    arrays = [None if array is None else bridge.asarray(array) for array in invocation.inputs.values()]
    method, options = getattr(backend, invocation.method), dict(invocation.options)
    several = len(invocation.results) > 1

    def call() -> AnyArray:
        returned = method(*arrays, **options)
        return bridge.asnumpy(returned[0] if several else returned)

    return call


def copy_of(backend: Backend, device: str, logits: AnyArray) -> Callable[[], Any]:
    """A function that copies the logits: into memory of this process, or on the backend's device by its own arrays.

    Raises TypeError where the arrays of a device have neither ``clone`` nor ``copy``.
    """
    if device == "cpu":
        target = np.empty_like(logits)
        return lambda: np.copyto(target, logits)
    bridge = Bridge(backend)
    array = bridge.asarray(logits)
    copy = getattr(array, "clone", None) or getattr(array, "copy", None)
    if copy is None:
        raise TypeError(f"arrays on {device} cannot be copied there")
    # One element tells when the copy is done.
    return lambda: bridge.asnumpy(copy()[(0,) * logits.ndim])


def timed(call: Callable[[], Any], seconds: float) -> Times:
    """Times of repeated calls, after one that is not counted; raises SlowError where that one takes ten times as long.

    ``seconds``: calls are repeated for so long, FEWEST to MOST times.
    """
    start = time.perf_counter()
    call()
    if (first := time.perf_counter() - start) > 10 * seconds:
        raise SlowError(f"one call takes {first:.1f} s; --seconds {first / 10:.1f} has time for it")
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < FEWEST or (len(times) < MOST and time.perf_counter() < end):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    low, median, high = np.percentile(times, [25, 50, 75])
    return Times(float(median), float(high - low), len(times))
