"""Bridges between NumPy's arrays and others: layouts that a backend's arrays do not have."""

import numpy as np

from xent_backends.numpy_backend import NumpyBackend
from xent_conformance.calling.bridge import Bridge
from xent_conformance.calling.calls import forward
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.loading.description import describe
from xent_conformance.problem import Problem

REVERSED = Problem(np.arange(6, dtype=np.float32).reshape(2, 3)[::-1], np.array([2, 0]), reduction="none")


class NoNegativeStrides(NumpyBackend):
    """Its arrays have no negative strides, and it says so."""

    def asarray(self, array):
        if any(stride < 0 for stride in array.strides):
            raise ValueError("negative strides are not supported")
        return array

    def asnumpy(self, array):
        return array


class Nothing(NoNegativeStrides):
    """Its bridge does not work at all."""

    def asarray(self, array):
        raise ValueError("no arrays")


def test_a_layout_that_a_bridge_raises_for_is_given_as_a_copy():
    executor = LocalExecutor(NoNegativeStrides())
    outcome = executor.perform(forward(REVERSED))
    assert outcome.trouble is None
    contiguous = np.ascontiguousarray(REVERSED.logits)
    expected = NumpyBackend().cross_entropy(contiguous, REVERSED.target, reduction="none")
    assert np.array_equal(outcome.arrays["loss"], expected)
    assert not executor.keeps_strides(REVERSED.logits)
    assert executor.keeps_strides(np.zeros((2, 4), dtype=np.float32)[:, ::2])


def test_it_is_said_once_with_the_layout_and_the_error():
    (said,) = describe(NoNegativeStrides()).capabilities.left_out
    why = "asarray raised ValueError: negative strides are not supported; they are given as contiguous copies"
    assert said == ("layouts reversed", why)
    assert not describe(NumpyBackend()).capabilities.left_out


def test_a_bridge_that_does_not_work_is_no_matter_of_layouts():
    assert not Bridge(Nothing()).refused
    assert LocalExecutor(Nothing()).perform(forward(REVERSED)).raised == "no arrays"


def test_what_changes_in_a_copy_is_still_seen():
    class Overwrites(NoNegativeStrides):
        def cross_entropy(self, logits, target, **options):
            loss = super().cross_entropy(logits, target, **options)
            logits[...] = 0
            return loss

    assert LocalExecutor(Overwrites()).perform(forward(REVERSED)).changed == ("logits",)
