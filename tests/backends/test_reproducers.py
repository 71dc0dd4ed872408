"""Standalone scripts give bitwise what the adapter gave."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from xent_backends.source_text import enclosed, plain_source, without_annotations

BACKENDS = ("numpy_backend:backend", "torch_backend:backend", "jax_backend:backend")
LABELS = "np.array([0, 2, -100])"
LOGITS = "np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0], [2.0, 2.0, -1.0]])"
OPTIONS: dict[str, Any] = {"reduction": "sum", "label_smoothing": 0.25}


@pytest.fixture(params=BACKENDS)
def adapter(request: pytest.FixtureRequest) -> Any:
    """Each registered backend whose framework is installed."""
    module, _, factory = request.param.partition(":")
    framework = module.removesuffix("_backend")
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    return getattr(importlib.import_module(f"xent_backends.{module}"), factory)()


#: Arguments of each form: x logits, y labels and v valid ones, g a cotangent and r one of the rows, w a linear map.
ARGUMENTS = {
    "cross_entropy": "xy",
    "cross_entropy_vjp": "gxy",
    "cross_entropy_hvp": "xgxy",
    "cross_entropy_layer": "xy",
    "cross_entropy_layer_vjp": "gxy",
    "linear_cross_entropy": "xwby",
    "linear_cross_entropy_vjp": "gxwby",
    "softmax": "x",
    "log_softmax": "x",
    "softmax_vjp": "xx",
    "log_softmax_vjp": "xx",
    "nll_loss": "xy",
    "logsumexp": "x",
    "logsumexp_vjp": "rx",
    "token_log_probs": "xv",
    "token_log_probs_vjp": "rxv",
    "entropy": "x",
    "entropy_vjp": "rx",
}
#: Forms that take no options.
PLAIN = ("softmax", "log_softmax", "logsumexp", "token_log_probs", "entropy")


def _options(form: str) -> dict[str, Any]:
    if form.removesuffix("_vjp") in PLAIN:
        return {}
    return {k: v for k, v in OPTIONS.items() if form != "nll_loss" or k != "label_smoothing"}


def script(parts: Any, form: str, dtype: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Names that a script for one form has defined, the result of the call among them, as float64."""
    arrays = {
        "x": parts.array.format(array=LOGITS, dtype=dtype),
        "y": parts.array.format(array=LABELS, dtype="int64"),
        "v": parts.array.format(array="np.array([0, 2, 1])", dtype="int64"),
        "r": parts.array.format(array="np.array([1.0, -0.5, 2.0])", dtype=dtype),
        "g": parts.array.format(array="np.array(1.0)", dtype=dtype),
        "w": parts.array.format(array=f"{LOGITS}.T[::-1].copy()", dtype=dtype),
        "b": parts.array.format(array="np.array([1.0, 0.0, -2.0])", dtype=dtype),
    }
    lines = ["import numpy as np", parts.setup, parts.calls[form]]
    lines += [f"{name} = {text}" for name, text in arrays.items()]
    lines += [f"result = {form}({', '.join(ARGUMENTS[form])}, **{options or _options(form)!r})"]
    lines += ["results = result if isinstance(result, tuple) else (result,)"]
    lines += [f"values = [{parts.result.format(value='r')} for r in results if r is not None]"]
    names: dict[str, Any] = {}
    # A script does not have the future statements of this file.
    exec(compile("\n".join(lines), form, "exec", dont_inherit=True), names)
    return names


def assert_scripts_give_what_it_gives(adapter: Any, parts: Any, dtype: str) -> None:
    """Every form's script runs without the suite and gives bitwise the adapter's result, as float64."""
    for form in parts.calls:
        names = script(parts, form, dtype)
        want = getattr(adapter, form)(*(names[argument] for argument in ARGUMENTS[form]), **_options(form))
        wants = [w for w in (want if isinstance(want, tuple) else (want,)) if w is not None]
        bridge = getattr(adapter, "asnumpy", np.asarray)
        for got, expected in zip(names["values"], wants, strict=True):
            assert got.dtype == np.float64
            np.testing.assert_array_equal(got, bridge(expected).astype(np.float64), err_msg=form)


def test_script_gives_what_the_adapter_gives(adapter: Any) -> None:
    assert_scripts_give_what_it_gives(adapter, adapter.reproducer(), "bfloat16")


def test_script_takes_what_the_adapter_takes(adapter: Any) -> None:
    """The gradient's script accepts ``repeats`` and ``upstream``, with the same result."""
    names = script(adapter.reproducer(), "cross_entropy_vjp", "float32")
    call, arguments = names["cross_entropy_vjp"], (names["g"], names["x"], names["y"])
    got = call(*arguments, repeats=2, upstream="scaled", **OPTIONS)
    np.testing.assert_array_equal(np.asarray(got[1]), np.asarray(call(*arguments, **OPTIONS)[1]))


def test_every_form_has_a_script(adapter: Any) -> None:
    """A form that the backend has can be reproduced."""
    assert set(adapter.reproducer().calls) == {form for form in ARGUMENTS if hasattr(adapter, form)}


def test_scripts_do_not_import_the_suite(adapter: Any) -> None:
    """No script imports xent_conformance."""
    parts = adapter.reproducer()
    assert not any("xent_conformance" in text for text in (parts.setup, *parts.calls.values()))


class Named:
    """A type that no script imports."""


def loss(logits: Named, target: Named, reduction: str = "mean", label_smoothing: float = 0.0) -> Named:
    """A loss on JAX arrays that ignores -100."""
    import jax.numpy as jnp
    from jax.nn import log_softmax

    smooth, places = log_softmax(logits, 1), jnp.arange(logits.shape[1])
    picked = jnp.where(places == target[:, None], smooth, 0).sum(1)
    losses = -(1 - label_smoothing) * picked - label_smoothing * smooth.mean(1)
    losses = jnp.where(target == -100, 0, losses)
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


def linear_loss(hidden: Named, weight: Named, bias: Named, target: Named, **options: Any) -> Named:
    """The same of a linear map."""
    return loss(hidden @ weight.T + (0 if bias is None else bias), target, **options)


#: Callables of every form, some printed and some imported, whose adapters print functions of their own around them.
CALLABLES = (
    "numpy:xent_backends.numpy_cross_entropy.cross_entropy",
    "torch:torch.nn.functional.cross_entropy",
    "torch:torch.nn.functional.nll_loss",
    "torch:torch.nn.functional.log_softmax",
    "torch:torch.nn.functional.softmax",
    "torch:xent_backends.torch_linear.linear_cross_entropy",
    "jax:loss",
    "jax:linear_loss",
    "jax:jax.nn.softmax",
    "jax:jax.nn.log_softmax",
)


@pytest.mark.parametrize("spec", CALLABLES)
def test_script_of_a_callable_gives_what_its_adapter_gives(spec: str) -> None:
    """Every form that its adapter has, second derivatives included, from the text alone."""
    framework, _, dotted = spec.partition(":")
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    module, _, name = dotted.rpartition(".")
    function = getattr(importlib.import_module(module), name) if module else globals()[name]
    backend = importlib.import_module(f"xent_backends.{framework}_backend")
    made = backend.from_callable(function, spec=spec, dtypes=("float64",))
    parts = made.reproducer()
    assert set(parts.calls) == {form for form in ARGUMENTS if hasattr(made, form)}
    assert ("cross_entropy_hvp" in parts.calls) == (name in ("cross_entropy", "loss") and framework != "numpy")
    assert_scripts_give_what_it_gives(made, parts, "float64")


def _annotated(values: Named, *others: Named, key: Named | None = None, **options: Named) -> Named:
    """Annotations wherever a function may have them."""

    def inner(value: Named) -> Named:
        result: Named = value
        later: Named
        later = result
        return later

    async def awaited(value: Named) -> Named:
        return value

    class Local:
        field: Named
        other: Named = key  # type: ignore[assignment]

        def method(self, value: Named) -> Named:
            kept: Named = max([value], key=lambda x: x)
            return kept

    first: Named = next(inner(Local().method(v)) for v in (values, *others))
    return first


def test_plain_source_has_no_annotation_left() -> None:
    """Of parameters, results, variables and fields, in nested functions and classes too."""
    text = plain_source(_annotated)
    assert "Named" not in text
    names: dict[str, Any] = {}
    exec(compile(text, "function", "exec", dont_inherit=True), names)
    assert names["_annotated"](3, 4, key=5) == 3


def test_no_text_of_an_adapter_has_an_annotation(adapter: Any) -> None:
    """Their names are not imported by scripts."""
    parts = adapter.reproducer()
    assert [note for text in (parts.setup, *parts.calls.values()) for note in _annotations(text)] == []


def _annotations(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        notes = (getattr(node, name, None) for name in ("annotation", "returns"))
        yield from (ast.unparse(note) for note in notes if note is not None)


def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Named:
    """The name of a form."""
    assert logits.ndim == 2
    return loss(logits, target, reduction)


def test_a_printed_function_may_have_the_name_of_a_form() -> None:
    """The script defines that too: the function called itself without end."""
    pytest.importorskip("jax", reason="jax is not installed")
    backend = importlib.import_module("xent_backends.jax_backend")
    made = backend.from_callable(cross_entropy, spec="jax:cross_entropy", dtypes=("float64",))
    names = script(made.reproducer(), "cross_entropy", "float64", {"reduction": "sum"})
    want = made.cross_entropy(names["x"], names["y"], reduction="sum")
    np.testing.assert_array_equal(names["values"][0], np.asarray(want))


def test_a_function_is_printed_as_it_is_but_for_its_annotations() -> None:
    """Comments and texts of several lines stay, also where the function is put into another one."""
    source = "def f(x: A, *y: B, é: Dict[str, A] = 1) -> C:  # é\n    t = '''\n-> two\n'''\n\n    return t"
    plain = source.replace(": A,", ",").replace(": B", "").replace(": Dict[str, A]", "").replace(" -> C", "")
    assert without_annotations(source) == plain
    assert without_annotations("def f(x) -> (\n    A\n): return x") == "def f(x):\n    return x"
    names: dict[str, Any] = {}
    exec(enclosed(plain, "f", "judged"), names)
    assert names["judged"](0, é=2) == "\n-> two\n"
    assert "f" not in names
