"""Callables compiled by ``torch.compile``: what is judged is what was compiled, never what torch falls back to.

After some recompilations, eight by default, torch gives up on a function without an error: it runs uncompiled from then
on, or as a program made for something else. Shapes, dtypes and options as varied as ours get there at once.
"""

from __future__ import annotations

import sys
from typing import Any

#: Recompilations that are allowed, of one function and in all: more than any run needs.
ENOUGH = 1 << 20
#: The two limits by their names in torch, from 2.7 on and before.
LIMITS = (("recompile_limit", "cache_size_limit"), ("accumulated_recompile_limit", "accumulated_cache_size_limit"))
#: What a reason for not compiling has in it where such a limit was reached.
REACHED = ("recompile limit", "recompile_limit", "cache_size_limit")


class UncompiledError(RuntimeError):
    """A compiled function ran uncompiled: what it returned says nothing of what the compiler makes of it."""


def check() -> None:
    """Before a call and after it: raise torch's limits, and UncompiledError where one has been reached all the same.

    A function can have a limit of its own. What has not been imported has compiled nothing.
    """
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
    """Frames that torch has compiled in this process."""
    return int(_counters().get("frames", {}).get("ok", 0))


def not_compiled(function: Any, before: int) -> str | None:
    """Why nothing was compiled of a function, given the frames before it was called; None: it was, or need not be."""
    meant = hasattr(function, "_torchdynamo_orig_callable") or hasattr(function, "_orig_mod")
    if not meant or compiled_frames() > before:
        return None
    reason = next(iter(_reasons()), "it is switched off")
    return f"torch.compile has compiled nothing: {_first_line(reason)}"


def _counters() -> Any:
    utils = sys.modules.get("torch._dynamo.utils")
    return {} if utils is None else utils.counters


def _reasons() -> list[str]:
    """Why something was not compiled, in torch's words."""
    return [str(reason) for reason in _counters().get("unimplemented", {})]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
