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


def without_annotations(source: str) -> str:
    r"""Source that defines functions, as it is but for the annotations of parameters and results.

    Example:
        >>> without_annotations("def f(x: Tensor = None) -> Tensor:  # twice\n    return 2 * x")
        'def f(x = None):  # twice\n    return 2 * x'
    """
    tree, text = ast.parse(source), source.encode()
    starts = [0, *(place + 1 for place, byte in enumerate(text) if byte == ord("\n"))]
    cuts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            begin = starts[node.lineno - 1] + node.col_offset + len(node.arg.encode())
            cuts.append((begin, _end(node.annotation, starts)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            arrow = text.rindex(b"->", 0, starts[node.returns.lineno - 1] + node.returns.col_offset)
            cuts.append((len(text[:arrow].rstrip()), _end(node.returns, starts)))
    for begin, end in sorted(cuts, reverse=True):
        text = text[:begin] + text[end:]
    try:
        ast.parse(text)
    except SyntaxError:
        # A parenthesis around an annotation is not part of it.
        return ast.unparse(ast.fix_missing_locations(_Plain().visit(tree)))
    return text.decode()


def _end(node: ast.expr, starts: list[int]) -> int:
    """The byte after an expression; ``starts`` has those at which lines begin."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return starts[node.end_lineno - 1] + node.end_col_offset


def enclosed(source: str, name: str, alias: str) -> str:
    """Definitions inside a function, so that nothing else in a script replaces them; ``alias`` is ``name`` of them."""
    inside = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno is not None
        for line in range(node.lineno + 1, node.end_lineno + 1)
    }
    # The later lines of a string are its content.
    lines = (
        line if number in inside or not line else f"    {line}"
        for number, line in enumerate(source.split("\n"), start=1)
    )
    return "\n".join([f"def {alias}():", *lines, f"    return {name}", "", "", f"{alias} = {alias}()"])


def joined(*definitions: str) -> str:
    """Definitions as one text, two blank lines apart."""
    return "\n\n\n".join(definitions)


def one_line(name: str, parameters: str, expression: str) -> str:
    """A function that returns one expression, as text."""
    return f"def {name}({parameters}):\n    return {expression}"
