"""Determines by trial calls whether a loss comes first in a tuple or a list.

It may be the only item, as in the outputs of a graph, or come before its log-sum-exp or its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from xent_backends.callables.attempt import attempted
from xent_backends.callables.batches import FLAT, AnyArray, Problem, logits_of, problem_of
from xent_backends.callables.signature import Signature
from xent_backends.validation import FLOATING

#: The name of the items after the loss in ``Capabilities.left_out``.
FURTHER = "items after the loss"
#: Likewise, of the tuple or list itself where the loss is its only item.
CONTAINER = "the tuple or list around the loss"
#: The rows of a batch are repeated this many times: a tuple of the rows' losses then has more items.
REPEATS = 4


def items_of(
    call: Callable[..., Any], signature: Signature, convert: Callable[[AnyArray], Any], back: Callable[[Any], AnyArray]
) -> int:
    """The number of items of the tuple or list that a callable returns with its loss first; 0 if it returns none.

    Args:
        call: The callable, with logits (N, C) and a target as its arrays.
        signature: The options that its Python signature has.
        convert: Makes the callable's arrays from NumPy arrays.
        back: Makes NumPy arrays from the callable's arrays.

    Returns:
        The number of items if there are equally many for 2 and for 8 rows, and the first is an array or a number with
        the shape of a loss for both: () or (N). 0 otherwise: also if each of these calls raises an exception.

    Example:
        >>> from xent_backends.callables.signature import signature_of
        >>> def loss_and_gradient(logits, target):
        ...     return logits.sum(), logits
        >>> items_of(loss_and_gradient, signature_of(loss_and_gradient), np.asarray, np.asarray)
        2
    """
    for way, (logits, target) in product(signature.ways, _batches()):

        def result(times: int, way: Any = way, logits: AnyArray = logits, target: AnyArray = target) -> Any:
            arrays = (convert(np.concatenate([array] * times)) for array in (logits, target))
            return attempted(lambda: call(*arrays, **signature.accepted(way)))[0]

        once = result(1)
        if once is not None and not isinstance(once, tuple | list):
            return 0
        if once is not None and _losses_first(((1, once), (REPEATS, result(REPEATS))), back):
            return len(once)
    return 0


def _batches() -> Iterator[Problem]:
    """Batches of two rows in each dtype, with labels and with one-hot rows for those who take no labels."""
    for dtype in FLOATING:
        yield problem_of(dtype)
        yield logits_of(FLAT[0], dtype), np.eye(3)[:2].astype(dtype)


def _losses_first(results: tuple[tuple[int, Any], ...], back: Callable[[Any], AnyArray]) -> bool:
    """Whether the results for batches of different size are tuples or lists of one length, with a loss first."""
    if not all(isinstance(result, tuple | list) and result for _, result in results):
        return False
    if any(isinstance(result[0], tuple | list) for _, result in results):
        return False
    shapes = [(times, attempted(partial(_shape, back, result[0]))[0]) for times, result in results]
    of_rows = all(shape == (FLAT[1][0] * times,) for times, shape in shapes)
    return len({len(result) for _, result in results}) == 1 and (of_rows or all(shape == () for _, shape in shapes))


def _shape(back: Callable[[Any], AnyArray], value: Any) -> tuple[int, ...] | None:
    """The shape of an array or a number; None for anything else."""
    array = np.asarray(back(value))
    return None if array.dtype == object else array.shape
