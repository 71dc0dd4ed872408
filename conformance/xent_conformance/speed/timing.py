"""Wall-clock times of calls of a backend, on its own arrays, and of a copy of the logits.

The conversion of inputs is not timed. A call ends when its loss has been converted to a NumPy array, because by then
the device has finished the work that it was given before. This assumes one queue of work; on CUDA, work on other
streams might still be running.
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

#: The fewest and the most calls that are timed.
FEWEST, MOST = 5, 100


class Times(NamedTuple):
    """Median and interquartile range in seconds, and the number of calls."""

    median: float
    iqr: float
    rounds: int


class SlowError(Exception):
    """One call takes far longer than the time for all repetitions."""


def call_of(backend: Backend, invocation: Invocation) -> Callable[[], AnyArray]:
    """A function that makes the call and returns the loss as a NumPy array. The inputs are converted once, before."""
    bridge = Bridge(backend)
    arrays = [None if array is None else bridge.asarray(array) for array in invocation.inputs.values()]
    method, options = getattr(backend, invocation.method), dict(invocation.options)
    several = len(invocation.results) > 1

    def call() -> AnyArray:
        returned = method(*arrays, **options)
        return bridge.asnumpy(returned[0] if several else returned)

    return call


def copy_of(backend: Backend, device: str, logits: AnyArray) -> Callable[[], Any]:
    """A function that copies the logits, in memory of this process or on the backend's device.

    Raises:
        TypeError: The arrays of the device have neither a method ``clone`` nor ``copy``.
    """
    if device == "cpu":
        target = np.empty_like(logits)
        return lambda: np.copyto(target, logits)
    bridge = Bridge(backend)
    array = bridge.asarray(logits)
    copy = getattr(array, "clone", None) or getattr(array, "copy", None)
    if copy is None:
        raise TypeError(f"arrays on {device} cannot be copied there")
    # The conversion of one element waits until the copy is done.
    return lambda: bridge.asnumpy(copy()[(0,) * logits.ndim])


def timed(call: Callable[[], Any], seconds: float) -> Times:
    """Time repeated calls, after one that does not count.

    Args:
        call: The function.
        seconds: For how long it is repeated; it is called at least FEWEST and at most MOST times.

    Raises:
        SlowError: The first call takes more than ten times ``seconds``.
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
