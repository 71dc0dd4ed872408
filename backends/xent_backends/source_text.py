"""The source of the adapters' own functions, for scripts that run without this suite.

A script must do the same as the adapter. It therefore contains the source of the functions that the adapter calls,
without annotations and docstrings; these functions use nothing but the library.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def plain_source(function: Callable[..., Any]) -> str:
    """The source of a function, without decorators, annotations and docstring. Raises TypeError for anything else."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"{function!r} is not a plain function")
    definition.decorator_list = []
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:]
    return ast.unparse(ast.fix_missing_locations(_Plain().visit(tree)))


class _Plain(ast.NodeTransformer):
    """Code without annotations, those of nested functions too: a script has not imported what they name."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """The function without the annotation of its result."""
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """The function without the annotation of its result."""
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """The parameter alone."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """The assignment alone; nothing in place of a declaration."""
        return ast.Pass() if node.value is None else ast.Assign([node.target], self.visit(node.value))


def joined(*definitions: str) -> str:
    """Definitions as one text, two blank lines apart."""
    return "\n\n\n".join(definitions)


def one_line(name: str, parameters: str, expression: str) -> str:
    """A function that returns one expression, as text."""
    return f"def {name}({parameters}):\n    return {expression}"
