"""Small inputs from public reports about other libraries: the oracle has the right value, another one is a failure."""

import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.judging.judge import findings
from xent_conformance.judging.subject import Subject
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import Problem
from xent_conformance.requirements.registry import load


class FiniteForMaskedRows(NumpyTwin):
    """A row of only -inf has the loss of a uniform one: https://github.com/tenstorrent/tt-metal/issues/56056."""

    def log_softmax_rows(self, x):
        masked = np.isneginf(x).all(axis=1, keepdims=True)
        return np.where(masked, -np.log(x.shape[1]), super().log_softmax_rows(x)).astype(x.dtype)


class OtherLabels(NumpyTwin):
    """Labels that are not int64 are read by ``reread``."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if target.dtype == np.int32:
            call.labels[:] = self.reread(target)
        return call


class InColumnOrder(OtherLabels):
    """In the order of their memory as Fortran has it."""

    def reread(self, target):
        return target.ravel(order="F")


class AsDense(OtherLabels):
    """As if they lay side by side."""

    def reread(self, target):
        return np.lib.stride_tricks.as_strided(target, target.shape, (target.itemsize,) * target.ndim).ravel()


class FirstBlockOnly(OtherLabels):
    """The first 32 of them."""

    def reread(self, target):
        return np.where(np.arange(target.size) < 32, target.ravel(), 0)


class ExpandedIsOneNumber(NumpyTwin):
    """An upstream gradient with a stride of 0 is its first element."""

    def cotangents(self, call, cotangent):
        given = super().cotangents(call, cotangent)
        return np.full_like(given, given.ravel()[0]) if 0 in np.asarray(cotangent).strides else given


class ClippedAt16(NumpyTwin):
    """Upstream gradients are clipped."""

    def cotangents(self, call, cotangent):
        return np.clip(super().cotangents(call, cotangent), -16, 16)


class AllRowsPast4097Classes(NumpyTwin):
    """Ignored rows are counted where there are more than 4097 classes."""

    def divisor(self, call):
        return len(call.x) if call.classes > 4097 else super().divisor(call)


class NanToNum(NumpyTwin):
    """Gradients of nan are 0."""

    def row_gradient(self, call):
        return np.nan_to_num(super().row_gradient(call), nan=0.0)


def f32(values, shape=None):
    array = np.array(values, np.float32)
    return array if shape is None else array.reshape(shape)


ONE_HIGH = np.zeros((1, 2, 2, 2), np.float32)
ONE_HIGH[0, 1, 0, 1] = 2
ROWS = np.tile(f32([1, 0]), (33, 1))
LAST = np.zeros(33, np.int32)
LAST[-1] = 1
SPREAD = np.array([0, 1, 0, 1], np.int32)[::2]
EXPANDED = np.broadcast_to(f32([1, 2]), (2, 2))
BESIDE = np.zeros((2, 3, 2), np.float32)

CASES = {
    **{
        f"a row of {classes} masked classes": (
            FiniteForMaskedRows,
            "conventions.all-masked-row",
            Problem(np.full((1, classes), -np.inf, np.float32), np.array([0]), reduction="none"),
            np.nan,
        )
        for classes in (3, 127, 128)
    },
    "spatial int32 labels in column order": (
        InColumnOrder,
        "accuracy.loss",
        Problem(ONE_HIGH, np.array([[[0, 1], [0, 0]]], np.int32), reduction="sum"),
        3 * np.log(2) + np.log1p(np.exp(-2)),
    ),
    "int32 labels of 33 rows": (FirstBlockOnly, "accuracy.loss", Problem(ROWS, LAST), 0.3436),
    "strided int32 labels": (AsDense, "accuracy.loss", Problem(ROWS[:2], SPREAD), 0.3133),
    "a partly expanded cotangent": (
        ExpandedIsOneNumber,
        "gradients.logits",
        Problem(BESIDE, np.zeros((2, 2), np.int64), reduction="none", cotangent=EXPANDED),
        np.log(3),
    ),
    "a cotangent of 100": (
        ClippedAt16,
        "gradients.logits",
        Problem(f32([[1, 0]]), np.array([0]), reduction="sum", cotangent=f32(100)),
        np.log1p(np.exp(-1)),
    ),
    "ignored rows of 5000 classes": (
        AllRowsPast4097Classes,
        "accuracy.loss",
        Problem(np.zeros((2, 5000), np.float32), np.array([0, -100]), sentinel=-100),
        np.log(5000),
    ),
    "a nan gradient": (
        NanToNum,
        "extremes.nan-gradient",
        Problem(f32([[np.nan, 0]]), np.array([0]), reduction="none", cotangent=f32([1])),
        np.nan,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_wrong_value_of_a_report_is_a_failure_and_the_right_one_is_not(name):
    kind, requirement, problem, loss = CASES[name]
    for backend, wrong in ((NumpyTwin, False), (kind, True)):
        trial = Trial(Subject.of(backend("b", ("float32",)), "float32"), problem)
        found = findings(load()[requirement], trial)
        assert any(f.exercised for f in found)
        assert any(f.failed for f in found) is wrong
    assert np.allclose(np.mean(trial.answer.loss.value), np.mean(loss), atol=1e-4, equal_nan=True)
