"""Standalone scripts give bitwise what the adapter gave."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

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


def script(parts: Any, form: str, dtype: str) -> dict[str, Any]:
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
    lines += [f"result = {form}({', '.join(ARGUMENTS[form])}, **{_options(form)!r})"]
    lines += ["results = result if isinstance(result, tuple) else (result,)"]
    lines += [f"values = [{parts.result.format(value='r')} for r in results if r is not None]"]
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    return names


def test_script_gives_what_the_adapter_gives(adapter: Any) -> None:
    """Every form's script runs without the suite and gives bitwise the adapter's result."""
    parts = adapter.reproducer()
    for form in parts.calls:
        names = script(parts, form, "bfloat16")
        want = getattr(adapter, form)(*(names[argument] for argument in ARGUMENTS[form]), **_options(form))
        wants = [w for w in (want if isinstance(want, tuple) else (want,)) if w is not None]
        bridge = getattr(adapter, "asnumpy", np.asarray)
        for got, expected in zip(names["values"], wants, strict=True):
            assert got.dtype == np.float64
            np.testing.assert_array_equal(got, bridge(expected).astype(np.float64), err_msg=form)


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
