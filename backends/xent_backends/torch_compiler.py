"""Ensures that a callable compiled by ``torch.compile`` is judged as compiled code.

After eight recompilations by default, torch stops to compile a function, without an error: from then on it runs
uncompiled. The shapes, dtypes and options of a run would reach that limit at once, so it is raised; if it is reached
anyway, the call fails.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from xent_backends.torch_calls import Loss
from xent_conformance.interface import BackendUnavailableError

#: The new limit for recompilations of one function and of all: more than any run needs.
ENOUGH = 1 << 20
#: Names of the two limits in torch: from version 2.7 on, and before.
LIMITS = (("recompile_limit", "cache_size_limit"), ("accumulated_recompile_limit", "accumulated_cache_size_limit"))
#: One of these is in torch's reason for not compiling if a limit was reached.
REACHED = ("recompile limit", "recompile_limit", "cache_size_limit")
#: Held by the thread that calls a compiled function.
ONE_AT_A_TIME = Lock()


class UncompiledError(RuntimeError):
    """A compiled function ran uncompiled, so its result says nothing about the compiled code."""


def check() -> None:
    """Raise torch's limits for recompilations. To be called before and after each call.

    Raises:
        UncompiledError: A limit has been reached. This is still possible because a function can have its own limit.
    """
    # If torch's compiler has not been imported, nothing has been compiled.
    config = sys.modules.get("torch._dynamo.config")
    if config is None:
        return
    for names in LIMITS:
        name = next((n for n in names if hasattr(config, n)), None)
        if name is not None and getattr(config, name) < ENOUGH:
            setattr(config, name, ENOUGH)
    for reason in _reasons():
        if any(words in reason for words in REACHED):
            raise UncompiledError(
                f"torch.compile has given up, and the function runs uncompiled: {_first_line(reason)}"
            )


def compiled_frames() -> int:
    """A number that grows with each Python frame that torch compiles in this process.

    Frames are counted where graphs may be broken, and their graphs with ``fullgraph=True`` too.
    """
    counters = _counters()
    return int(counters.get("frames", {}).get("ok", 0) + counters.get("stats", {}).get("unique_graphs", 0))


def not_compiled(function: Any, before: int) -> str | None:
    """Why a call of a compiled function compiled nothing; None if it did, or if the function is not a compiled one.

    Args:
        function: The function.
        before: The number of compiled frames before the call.
    """
    if not _is_compiled(function) or compiled_frames() > before:
        return None
    reason = next(iter(_reasons()), "it is switched off")
    return f"torch.compile has compiled nothing: {_first_line(reason)}"


def preload_for(function: Any) -> None:
    """As ``preload`` if a function is compiled, or one that it uses by name, unless nothing can be compiled here."""
    used = [function]
    # Of what is not a function, or uses a variable that is not set yet, no names are known.
    with suppress(TypeError, ValueError):
        named = inspect.getclosurevars(function)
        used += [*named.globals.values(), *named.nonlocals.values()]
    if any(map(_is_compiled, used)):
        with suppress(BackendUnavailableError):
            preload()


def _is_compiled(function: Any) -> bool:
    """Whether an object is what ``torch.compile`` returns."""
    return hasattr(function, "_torchdynamo_orig_callable") or hasattr(function, "_orig_mod")


def _counters() -> Any:
    utils = sys.modules.get("torch._dynamo.utils")
    return {} if utils is None else utils.counters


def _reasons() -> list[str]:
    """Torch's reasons for not compiling."""
    return [str(reason) for reason in _counters().get("unimplemented", {})]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def compiled(function: Loss) -> Loss:
    """The function, which is compiled when it is called; it raises where not all of it can be."""
    return torch.compile(function, fullgraph=True, dynamic=True)


@cache
def only_compiled(function: Loss) -> Loss:
    """The compiled function, one for all calls of a process. It raises ``UncompiledError`` where it runs uncompiled."""

    def traced(*arguments: Any, **options: Any) -> Tensor:
        if not torch.compiler.is_compiling():
            raise UncompiledError("torch runs the function without compiling it")
        return function(*arguments, **options)

    program = compiled(traced)

    def call(*arguments: Any, **options: Any) -> Tensor:
        check()
        with ONE_AT_A_TIME:
            return program(*arguments, **options)

    return call


@cache
def preload() -> None:
    """Import the compiler and compile a function, before workers are forked.

    The first compilation of a process changes it for good: the recursion limit, and an environment variable. Raises
    BackendUnavailableError where nothing can be compiled.
    """
    # A program is compiled in the process that calls it, which must not start others.
    inductor: Any = import_module("torch._inductor.config")
    inductor.compile_threads = 1
    torch.set_num_threads(1)
    try:
        with inductor.patch(fx_graph_cache=False):
            compiled(torch.neg)(torch.zeros(2))
    except Exception as error:  # without a C++ compiler, InvalidCxxCompiler is somewhere in it
        raise BackendUnavailableError(f"torch.compile does not work here: {str(error).splitlines()[0]}") from error
