"""A callable in a script: the lines that import or define it, and an expression with the interface's parameters."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from keyword import iskeyword
from pathlib import Path
from typing import Any

from xent_backends.callables.forms import Form, definition_of
from xent_backends.callables.ranks import RESHAPING
from xent_backends.callables.signature import Signature
from xent_backends.definitions import definition
from xent_backends.source_text import enclosed, joined, plain_source

#: Names of what a script defines itself: forms, adapters' functions, arrays, results, and what is compared.
_DEFINED = """
    cross_entropy cross_entropy_vjp cross_entropy_hvp cross_entropy_layer cross_entropy_layer_vjp
    linear_cross_entropy linear_cross_entropy_vjp softmax softmax_vjp log_softmax log_softmax_vjp nll_loss
    logsumexp logsumexp_vjp token_log_probs token_log_probs_vjp entropy entropy_vjp vjp hvp pullback linear_vjp
    layer plugged one_hot logits target weight cotangent vector hidden bias log_probs loss
    probabilities log_probabilities log_sums of_tokens entropies product grad_logits grad_target grad_log_probs
    grad_hidden grad_weight grad_bias results parts part kinds got expected bound same wrong arrays before after
    changed one other first second answer answers alone different calls call pool looks seen file suite backend
"""
#: A module or function of such a name has another one there.
TAKEN = frozenset([*_DEFINED.split(), *(reshape.__name__ for reshape, _ in RESHAPING.values())])
#: That other name.
JUDGED = "judged"


def script_of(
    access: tuple[str, str], form: Form, signature: Signature, one_hot: str | None, *, layer: bool
) -> tuple[str, str]:
    """The setup lines and the expression for a callable in a script.

    Args:
        access: Lines that import or define the callable, and its name there.
        form: Which function it is.
        signature: The options that it takes.
        one_hot: Source of the conversion of class indices, if they have to be converted.
        layer: Whether it is a class.
    """
    line, dotted = access
    plain = not (form.order or form.keywords or form.items or form.ranks) and (form.is_loss or not form.axis)
    same = not (layer or one_hot or signature.required or signature.renamed)
    if plain and same and "reduction" in signature.options:
        return line, dotted
    options = "options" if not signature.required else f"{{**{dict(signature.required)}, **options}}"
    if signature.renamed:
        options = f"{{{dict(signature.renamed)}.get(k, k): v for k, v in {options}.items()}}"
    if "reduction" not in signature.options:
        options = f"{{k: v for k, v in {options}.items() if k != 'reduction'}}"
    definition = definition_of(dotted, form, f"**{options}", layer=layer, one_hot=one_hot is not None)
    before = [] if one_hot is None else [one_hot]
    if form.ranks:
        before.append(plain_source(RESHAPING[form.ranks][0]))
    return joined(line, *before, definition), "plugged"


def access_to(spec: str, function: Callable[..., Any]) -> tuple[str, str]:
    """Lines of a script that import or define a callable, and its name there.

    A spec without a module is that of an object of this process, whose definition is printed.
    """
    _, _, name = spec.partition(":")
    path, in_file, attribute = name.rpartition(".py:")
    if in_file:
        return _in_file(Path(f"{path}.py"), attribute)
    return _printed(function, name) if name.isidentifier() else import_line(spec)


def _printed(function: Callable[..., Any], name: str) -> tuple[str, str]:
    """Lines that define a function, and its name there."""
    lines = definition(function, name)
    defined = compile(lines, name, "exec").co_names
    return (lines, name) if TAKEN.isdisjoint(defined) else (enclosed(lines, name, JUDGED), JUDGED)


def _in_file(path: Path, attribute: str) -> tuple[str, str]:
    """Lines that import a file, and the expression for an object in it."""
    name = path.stem
    beside = f"import sys\nsys.path.insert(0, {str(path.parent)!r})"
    found = PathFinder.find_spec(name, [str(path.parent)])
    free = name not in sys.modules and name not in sys.stdlib_module_names
    # Beside the file there may be a compiled module of the same name, which Python would import.
    if name.isidentifier() and not iskeyword(name) and free and found is not None and found.origin == str(path):
        line, known = _imported(name)
        return f"{beside}\n{line}", f"{known}.{attribute}"
    return (
        f"{beside}\nimport runpy, types\nfile = types.SimpleNamespace(**runpy.run_path({str(path)!r}))",
        f"file.{attribute}",
    )


def import_line(spec: str) -> tuple[str, str]:
    """The line that imports the callable of a spec such as "torch:package.module.function", and its dotted name."""
    dotted = spec.partition(":")[2] or spec
    dotted = dotted.replace(":", ".")
    parts = dotted.split(".")
    loaded = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    module = next((name for name in loaded if name in sys.modules), ".".join(parts[:-1]) or dotted)
    line, known = _imported(module)
    return line, known + dotted.removeprefix(module)


def _imported(module: str) -> tuple[str, str]:
    """The line that imports a module, and the expression for it."""
    if module.partition(".")[0] in TAKEN:
        return f"import {module} as {JUDGED}", JUDGED
    return f"import {module}", module
