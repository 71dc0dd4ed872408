"""Inputs and tolerances of tests in common use, for comparison: each compares an implementation with a correct one.

The shapes, options, distributions and tolerances are those of the tests that a grid is named after. Where a grid has
fewer rows than the original, its name says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np

from xent_conformance.interface import Capabilities
from xent_conformance.problem import REDUCTIONS, Problem, array_of

#: Relative and absolute tolerance.
Tolerance = tuple[float, float]

#: Problems for a random generator and a dtype.
Source = Callable[[np.random.Generator, str], Iterator[Problem]]

#: What ``torch.testing.assert_close`` takes where none is given.
TORCH_DEFAULTS: Mapping[str, Tolerance] = MappingProxyType(
    {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
)


@dataclass(frozen=True)
class Grid:
    """One test: its problems for a dtype, and what it compares with which tolerances.

    What a backend does not claim is left out of its problems. ``gradient_atol`` replaces the absolute tolerance for
    gradients.
    """

    problems: Source
    tolerances: Mapping[str, Tolerance]
    gradients: bool = True
    primitives: bool = False
    gradient_atol: float | None = None


def claimed(problem: Problem, claims: Capabilities) -> bool:
    """Whether a backend claims everything that a problem needs."""
    needs = (
        problem.reduction in claims.reductions,
        claims.weight or problem.weight is None,
        claims.ignore_index or problem.ignore_index is None,
        claims.label_smoothing or not problem.label_smoothing,
        claims.probability_targets or not problem.has_probabilities,
        claims.spatial or len(problem.row_shape) == 1,
        problem.has_probabilities or problem.target.dtype.name in claims.target_dtypes,
        claims.min_classes <= problem.classes <= (claims.max_classes or problem.classes),
        problem.rows <= (claims.max_rows or problem.rows),
    )
    return all(needs)


def kernelbench(rng: np.random.Generator, dtype: str) -> Iterator[Problem]:
    """KernelBench, level 1, problem 95: five batches of one shape, the loss alone."""
    for _ in range(5):
        yield Problem(array_of(rng.standard_normal((4096, 10)), dtype), rng.integers(0, 10, 4096))


def typical(rng: np.random.Generator, dtype: str) -> Iterator[Problem]:
    """Normal logits of some usual shapes, with each reduction."""
    for (rows, classes), reduction in product([(4, 5), (32, 10), (64, 1000)], REDUCTIONS):
        logits = array_of(rng.standard_normal((rows, classes)), dtype)
        yield Problem(logits, rng.integers(0, classes, rows), reduction=reduction)


def opinfo(rng: np.random.Generator, dtype: str) -> Iterator[Problem]:
    """The sample inputs of ``nn.functional.cross_entropy`` in PyTorch's table of operators (OpInfo)."""

    def uniform(*shape: int, low: float = -9.0, high: float = 9.0) -> Any:
        return array_of(rng.uniform(low, high, shape), dtype)

    reductions = ("mean", "sum", "none")
    samples: list[tuple[tuple[int, ...], dict[str, Any]]] = [
        *[((2, 3, *places), {}) for places in ((), (1,), (1, 2), (1, 2, 3))],
        *[((2, 3), {"reduction": reduction}) for reduction in reductions],
        *[((2, 3), {"weight": uniform(3), "reduction": reduction}) for reduction in reductions],
        ((2, 3), {"ignore_index": 1}),
    ]
    for (shape, options), probabilities in product(samples, (False, True)):
        logits = uniform(*shape)
        if probabilities and "ignore_index" not in options:
            yield Problem(logits, uniform(*shape, low=0.0, high=1.0), **options)
        if not probabilities:
            labels = rng.integers(0, 3, (2, *shape[2:]))
            if "ignore_index" in options:
                labels[0] = 0  # the original also makes sure that one row is not ignored
            yield Problem(logits, labels, **options)


#: Rows of Liger's second shape, 3 batches of 423 tokens, and how many of them the grid here has.
LIGER_ROWS, ROWS = 3 * 423, 8


def liger(rng: np.random.Generator, dtype: str) -> Iterator[Problem]:
    """Liger Kernel's tests of its cross-entropy for 32,000 classes, with and without ignored rows and smoothing."""
    for ignore_index, smoothing in ((None, 0.0), (2, 0.0), (-123, 0.0), (None, 0.1), (1, 0.1), (-300, 0.2)):
        for reduction in ("sum", "mean") if not smoothing else ("mean",):
            logits = array_of(rng.standard_normal((ROWS, 32_000)), dtype)
            labels = rng.integers(0, 32_000, ROWS)
            if ignore_index is not None:
                labels[: int(rng.integers(1, ROWS // 2))] = ignore_index
            yield Problem(logits, labels, None, ignore_index, reduction, smoothing)


GRIDS: Mapping[str, Grid] = MappingProxyType(
    {
        "KernelBench's comparison (1e-2, one shape)": Grid(
            kernelbench, dict.fromkeys(TORCH_DEFAULTS, (1e-2, 1e-2)), gradients=False
        ),
        "usual shapes, torch.testing's tolerances": Grid(typical, TORCH_DEFAULTS),
        "PyTorch's OpInfo samples": Grid(opinfo, TORCH_DEFAULTS, primitives=True),
        # The gradient of a mean grows as rows are left out; the absolute tolerance grows with it.
        "Liger Kernel's grid, 8 of its 1269 rows": Grid(
            liger, {"float32": (1e-6, 1e-8), "bfloat16": (5e-2, 1e-8)}, gradient_atol=1e-8 * LIGER_ROWS / ROWS
        ),
    }
)
