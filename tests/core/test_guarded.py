"""Guard bands: the same numbers in the same layout, and everything around them watched."""

import warnings

import ml_dtypes
import numpy as np
import pytest

from xent_conformance.calling.guarded import BAND, Guarded, laid_out_like
from xent_conformance.formats import FLOATING, dtype_of
from xent_conformance.interface import Capabilities
from xent_conformance.judging.profiles import Settings
from xent_conformance.strategies.layouts import LAYOUTS, laid_out
from xent_conformance.strategies.streams import JOINT, Draw, recipes_of

EVERYTHING = Capabilities(
    probability_targets=True, weight=True, ignore_index=True, label_smoothing=True, unbatched=True, spatial=True
)


def test_copies_keep_the_layout_and_share_no_memory():
    for recipe in recipes_of(JOINT, "float32", Draw(Settings().seed, 120, None)):
        for array in recipe.build("float32", EVERYTHING).arrays().values():
            copy = Guarded(array).view
            assert copy.strides == array.strides or array.flags.c_contiguous
            assert copy.flags.writeable == array.flags.writeable
            assert np.array_equal(array, copy, equal_nan=True)
            assert not np.shares_memory(array, copy)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOATING)
def test_values_of_another_dtype_are_laid_out_alike(dtype, layout):
    array = laid_out(np.arange(12.0, dtype=np.float32).reshape(3, 4), layout)
    values = np.asarray(array).astype(dtype_of(dtype))
    alike = laid_out_like(array, values)
    assert alike.dtype == values.dtype
    assert np.array_equal(alike, values)
    assert [step * array.itemsize for step in alike.strides] == [step * alike.itemsize for step in array.strides]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [*FLOATING, "int64", "uint8", "complex64"])
def test_what_lies_around_and_between_is_poison(dtype, layout):
    array = laid_out(np.ones((3, 4)).astype(dtype_of(dtype)), layout)
    guarded = Guarded(array)
    elements = guarded.memory.view(guarded.view.dtype)
    ones = sum(bool(e == 1) for e in elements)
    assert ones == array.size
    for around in (elements[: BAND // array.itemsize], elements[-BAND // array.itemsize :]):
        if dtype in FLOATING or dtype == "complex64":
            assert np.isnan(around.astype(complex)).all()
        else:
            assert (around.view(np.uint8) == 0x6B).all()


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "read-only"])
def test_a_change_inside_is_told_from_one_beside(layout):
    array = laid_out(np.arange(12.0, dtype=np.float32).reshape(3, 4), layout)
    untouched = Guarded(array)
    assert untouched.after(untouched.view) == (False, False)
    inside = Guarded(array)
    inside.view[1, 2] = 7.5
    assert inside.after(inside.view) == (True, False)
    before, after = Guarded(array), Guarded(array)
    before.memory[BAND - 1] ^= 1
    after.memory[-BAND] ^= 1
    assert before.after(before.view) == after.after(after.view) == (False, True)
    both = Guarded(array)
    both.view[0, 0] = 9.0
    both.memory[0] ^= 1
    assert both.after(both.view) == (True, True)


def test_a_change_between_the_elements_is_beside_them():
    guarded = Guarded(np.zeros((3, 8), dtype=np.float32)[:, ::2])
    guarded.memory[BAND + 8] ^= 1
    assert guarded.after(guarded.view) == (False, True)


def test_a_bridge_that_copies_has_its_elements_compared():
    guarded = Guarded(np.array([1.0, 2.0], dtype=ml_dtypes.bfloat16))
    there = guarded.view.copy()
    assert guarded.after(there) == (False, False)
    there[1] = 3
    assert guarded.after(there) == (True, False)


def test_a_bridge_that_takes_the_memory_along_has_its_bands_checked():
    guarded = Guarded(np.array([1.0, 2.0]))
    memory = guarded.memory.copy()
    there = memory[BAND:-BAND].view(np.float64)
    assert guarded.after(there) == (False, False)
    memory[-1] ^= 1
    assert guarded.after(there) == (False, True)


def test_new_arrays_are_aligned_and_views_are_not():
    dense = np.ones((3, 4), dtype=np.float32)
    assert Guarded(dense).view.__array_interface__["data"][0] % 16 == 0
    for layout in ("strided", "offset", "transposed", "sliced"):
        assert Guarded(laid_out(dense, layout)).view.__array_interface__["data"][0] % 16 == dense.itemsize


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "int64", "complex64"])
def test_without_a_band_the_elements_fill_their_memory(dtype, layout):
    array = laid_out(np.arange(12).reshape(3, 4).astype(dtype_of(dtype)), layout)
    bare = Guarded(array, 0)
    assert np.array_equal(array, bare.view)
    assert bare.view.strides == array.strides
    assert np.lib.array_utils.byte_bounds(bare.view)[0] == bare.memory.ctypes.data
    assert bare.after(bare.view) == (False, False)


def test_an_array_that_is_seen_otherwise_after_the_call_is_changed():
    guarded = Guarded(np.arange(6.0).reshape(2, 3))
    assert guarded.after(guarded.view) == (False, False)
    assert guarded.after(guarded.view[:1]) == (True, False)
    square = Guarded(np.arange(9.0).reshape(3, 3))
    assert square.after(square.view.T) == (True, False)
    # The strides of an axis of length 1 mean nothing.
    row = Guarded(np.arange(3.0).reshape(1, 3))
    assert row.after(np.lib.stride_tricks.as_strided(row.view, (1, 3), (800, 8))) == (False, False)


@pytest.mark.parametrize(("name", "other"), [("shape", (3, 2)), ("dtype", np.dtype("int32"))])
def test_an_array_object_that_is_given_another_shape_or_dtype_is_changed(name, other):
    guarded = Guarded(np.arange(6, dtype=np.float32).reshape(2, 3))
    with warnings.catch_warnings(action="ignore"):
        setattr(guarded.view, name, other)
    assert guarded.after(guarded.view) == (True, False)
