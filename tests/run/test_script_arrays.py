"""Arrays in standalone scripts: exact values, behind the strides that they had."""

import ml_dtypes
import numpy as np
import pytest

from xent_conformance.calling.guarded import BAND
from xent_conformance.interface import ReproducerParts
from xent_conformance.loading.loader import load
from xent_conformance.strategies.layouts import laid_out
from xent_conformance.witnesses import literals
from xent_conformance.witnesses.vocabulary import assigned


def test_scripts_print_exact_values():
    """Decimals of a script read back as the very numbers of the problem."""
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64, np.float16):
        for shape in ((3, 4), (2, 40), (), (0, 3)):
            array = (rng.normal(size=shape) * 1e-3).astype(dtype)
            lines = []
            expression = literals.array(array, "logits", lines)
            scope = {"np": np}
            exec("\n".join([*lines, f"value = {expression}"]), scope)
            assert np.array_equal(scope["value"], array.astype(np.float64))


def test_what_repeats_is_written_once():
    """A long array of few numbers over and over reads back exactly, nan, infinities and the sign of zero included."""
    few = np.array([1.0, -0.5, np.nan, -0.0, np.inf, 0.3], dtype=np.float32)
    for shape, short in (((1, 1024), True), ((3, 7, 5), True), ((2, 3), False)):
        array, lines = np.resize(few, shape), []
        expression = literals.array(array, "logits", lines)
        assert expression.startswith("np.resize(") == short
        assert len(expression) < 120
        scope = {"np": np}
        exec("\n".join([*lines, f"value = {expression}"]), scope)
        assert scope["value"].astype(np.float32).tobytes() == array.tobytes()
    assert literals.array(np.arange(100.0), "logits", []).startswith("np.array(")


@pytest.mark.parametrize(("odd", "lines_of_text"), [(4, 5), (100, 2)])
def test_what_differs_from_the_commonest_value_is_written_alone(odd, lines_of_text):
    """A few places a line each, many in one line; nan and infinities too."""
    array, lines = np.full((7, 200), 0.5, dtype=np.float32), []
    array.flat[:: 1400 // odd] = np.resize([1.5, np.nan, -np.inf], odd)
    expression = literals.array(array, "logits", lines)
    assert len(lines) == lines_of_text
    scope = {"np": np}
    exec("\n".join([*lines, f"value = {expression}"]), scope)
    assert scope["value"].astype(np.float32).tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "layout", ["contiguous", "transposed", "strided", "offset", "reversed", "read-only", "repeated"]
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scripts_keep_the_memory_layout(layout, dtype):
    """Values, strides and protection of the original, in the words of NumPy."""
    array = np.arange(12.0).reshape(3, 4).astype(dtype if dtype == "float32" else ml_dtypes.bfloat16)
    array = np.broadcast_to(array[:1], array.shape) if layout == "repeated" else laid_out(array, layout)
    parts = ReproducerParts("", "np.asarray({array}).astype('{dtype}')", "", {})
    scope = {"np": np}
    exec("\n".join(assigned("logits", array, parts)), scope)
    assert np.array_equal(scope["logits"], array)
    assert scope["logits"].dtype == array.dtype
    assert scope["logits"].strides == array.strides
    assert scope["logits"].flags.writeable == array.flags.writeable


@pytest.mark.parametrize("layout", ["transposed", "strided", "offset", "reversed", "repeated"])
def test_scripts_keep_the_memory_layout_of_tensors(layout):
    """The same in the words of torch, which has no negative strides."""
    torch = pytest.importorskip("torch")
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    array = np.broadcast_to(array[:1], array.shape) if layout == "repeated" else laid_out(array, layout)
    scope = {"np": np, "torch": torch}
    exec("\n".join(assigned("logits", array, load("torch")[0].reproducer())), scope)
    strides = tuple(s // 4 for s in array.strides)
    assert np.array_equal(scope["logits"].numpy(), array)
    assert scope["logits"].stride() == (strides if min(strides) >= 0 else (4, 1))


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided", "reversed"])
@pytest.mark.parametrize("parts", ["numpy", "torch"])
def test_scripts_lay_bands_around_arrays(layout, parts):
    """Nothing but poison before, between and after the elements, in the words of NumPy and of torch."""
    array = laid_out(np.arange(12, dtype=np.float32).reshape(3, 4), layout)
    scope = {"np": np, "torch": pytest.importorskip("torch") if parts == "torch" else None}
    exec("\n".join(assigned("logits", array, load(parts)[0].reproducer(), bands=True)), scope)
    assert np.array_equal(np.asarray(scope["logits"]), array)
    if parts == "numpy" or layout != "reversed":  # torch has no negative strides
        memory = np.asarray(scope["logits_memory"])
        assert sorted(memory[~np.isnan(memory)].tolist()) == list(range(12))
        assert np.isnan(memory[: BAND // 4]).all()
        assert np.isnan(memory[-BAND // 4 :]).all()
