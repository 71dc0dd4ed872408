"""Deliberate defects of the suite itself, and the tests as plain functions that can be run under them."""

from __future__ import annotations
import __future__

import inspect
import itertools
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Sabotage:
    """One wrong idea in one function: ``old`` is what stands in its source now, ``new`` what replaces it.

    ``killed_by`` names the tests, ``module.function``, that must each fail.
    """

    name: str
    function: Any
    old: str
    new: str
    killed_by: tuple[str, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context in which the function is the wrong one, for everybody who has imported it."""
        function = unwrapped(self.function)
        source, right = textwrap.dedent(inspect.getsource(function)), function.__code__
        if source.count(self.old) != 1:
            raise LookupError(f"{self.name}: {self.old!r} stands {source.count(self.old)} times in {function.__name__}")
        function.__code__ = _compiled(source.replace(self.old, self.new), function)
        try:
            yield
        finally:
            function.__code__ = right


def unwrapped(function: Any) -> FunctionType:
    """The function of a property, a cached property, or itself."""
    found: FunctionType = getattr(function, "func", None) or getattr(function, "fget", None) or function
    return found


def _compiled(source: str, function: FunctionType) -> CodeType:
    flags = __future__.annotations.compiler_flag
    module = compile(source, inspect.getsourcefile(function) or "", "exec", flags=flags, dont_inherit=True)
    (code,) = (c for c in module.co_consts if isinstance(c, CodeType) and c.co_name == function.__name__)
    return code


def runs_of(module: ModuleType, name: str) -> Iterator[Callable[[], None]]:
    """A test of a module, once for each combination of its parameters; none that is marked to be skipped."""
    function = getattr(module, name)
    marks = getattr(function, "pytestmark", [])
    if any(mark.name == "skipif" and mark.args[0] for mark in marks):
        return
    for chosen in itertools.product(*(list(_choices(mark)) for mark in marks if mark.name == "parametrize")):
        arguments = {key: value for part in chosen for key, value in part.items()}
        yield lambda arguments=arguments: function(**arguments)


def _choices(mark: Any) -> Iterator[dict[str, Any]]:
    names, values = mark.args
    for value in values:
        yield {names: value} if isinstance(names, str) else dict(zip(names, value, strict=True))


def fails(module: ModuleType, name: str) -> bool:
    """Whether an assertion of a test fails, for any of its parameters."""
    for run in runs_of(module, name):
        try:
            run()
        except AssertionError:
            return True
    return False
