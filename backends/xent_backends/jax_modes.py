"""Other ways of calling a loss on JAX arrays: under ``vmap``, compiled, and operation by operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

Adapter = TypeVar("Adapter", bound=Any)


def modes(backend: Adapter) -> Mapping[str, Callable[[], Adapter]]:
    """Factories of the same adapter with its ``function`` called in other ways.

    It is eager if it is a compiled function, and compiled otherwise.
    """
    other = ("eager", eager) if hasattr(backend.function, "lower") else ("compiled", compiled)
    ways = dict([other, ("vmap", vmapped)])
    return {name: partial(_with, backend, way) for name, way in ways.items()}


def _with(backend: Adapter, way: Callable[..., Any]) -> Adapter:
    return replace(backend, function=way(backend.function))


def vmapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function mapped over a further axis of its arrays, of length one: the same results by the batching rules."""

    def call(*arguments: Any, **options: Any) -> Any:
        stacked = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], arguments)
        results = jax.vmap(partial(function, **options))(*stacked)
        return jax.tree.map(lambda leaf: leaf[0], results)

    return call


def compiled(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function as one program for each call; its options are constants of it."""

    def call(*arrays: Any, **options: Any) -> Array:
        result: Array = jax.jit(partial(function, **options))(*arrays)
        return result

    return call


def eager(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function operation by operation, although it is compiled otherwise."""

    def call(*arrays: Any, **options: Any) -> Array:
        with jax.disable_jit():
            return function(*arrays, **options)

    return call
