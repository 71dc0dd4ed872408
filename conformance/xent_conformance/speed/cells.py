"""The calls that are timed, and the reasons for which a backend is not called at a shape and dtype."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

import numpy as np

from xent_conformance.calling.calls import Invocation, backward, forward
from xent_conformance.formats import dtype_of
from xent_conformance.judging.subject import CROSS_ENTROPY, GRADIENT, Subject
from xent_conformance.problem import Problem

#: Bytes of memory for each logit that judging needs at most: float64 arrays of the reference and of its bound.
JUDGING = 200
#: The name in reports for what each method computes.
QUANTITIES = {"cross_entropy": "loss", "cross_entropy_vjp": "loss and gradient"}


class Cell(NamedTuple):
    """One shape and dtype of the logits."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Bytes of the logits."""
        return math.prod(self.shape) * dtype_of(self.dtype).itemsize

    def problem(self) -> Problem:
        """A call with the default options, random labels and normally distributed logits, the same in every run."""
        generator = np.random.default_rng(0)
        logits = generator.standard_normal(self.shape, dtype=np.float32).astype(dtype_of(self.dtype))
        labels = generator.integers(0, self.shape[1], (self.shape[0], *self.shape[2:]))
        return Problem(logits, labels, cotangent=np.ones((), logits.dtype))

    def obstacle(self, subject: Subject, memory: float) -> str | None:
        """Why a backend is not called here, or None if it is. ``memory`` is the limit for judging in bytes."""
        claims = subject.capabilities
        needed = math.prod(self.shape) * JUDGING
        if needed > memory:
            return f"judging it takes about {needed / 1e9:.1f} GB, more than --memory {memory / 1e9:.1f}"
        if (without := CROSS_ENTROPY.missing(subject)) is not None:
            return without
        classes, rows = self.shape[1], math.prod(self.shape) // self.shape[1]
        claimed = {
            "spatial logits are": len(self.shape) == 2 or claims.spatial,  # noqa: PLR2004 - (N, C)
            "the mean is": "mean" in claims.reductions,
            f"{classes} classes are": claims.min_classes <= classes and subject.takes_classes(classes),
            f"{rows} rows are": subject.takes_rows(rows),
        }
        return next((f"{what} not claimed" for what, is_claimed in claimed.items() if not is_claimed), None)


def shape_of(text: str) -> tuple[int, ...]:
    """The shape that a text such as "4096x1000" describes.

    Raises:
        ValueError: It is not a list of at least two lengths, each at least 1, with "x" between them.
    """
    lengths = tuple(int(part) if part.isdecimal() else 0 for part in text.split("x"))
    if len(lengths) < 2 or 0 in lengths:  # noqa: PLR2004 - (N, C)
        raise ValueError(f"expected a shape such as 4096x1000, with at least two lengths from 1 on, not {text!r}")
    return lengths


def calls(subject: Subject, problem: Problem) -> list[Invocation]:
    """The calls that are timed: forward, and forward with backward if the backend has gradients."""
    return [forward(problem)] + ([] if GRADIENT.missing(subject) else [backward(problem)])


def half_of_memory() -> float:
    """Half of the memory that is free now, in bytes."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
