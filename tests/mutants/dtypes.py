"""Dtypes of labels, logits and results."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_checks import FLOATING
from mutants.numpy_twin import NumpyTwin

KERAS = "https://github.com/keras-team/keras/issues/15012"


@mutant(
    bug="DTY-01",
    link=KERAS,
    killed_by=("dtypes.labels-are-exact",),
    dtypes=("bfloat16",),
)
class LabelsThroughBfloat16(NumpyTwin):
    """Labels are cast to the bfloat16 of the logits, which has no odd integer above 256."""

    def read_labels(self, target):
        return super().read_labels(target.astype(ml_dtypes.bfloat16).astype(np.float32))


@mutant(bug="DTY-01", link=KERAS, killed_by=("dtypes.labels-are-exact",), dtypes=("float16",))
class LabelsThroughFloat16(NumpyTwin):
    """Labels are cast to the float16 of the logits, which has no odd integer above 2048."""

    def read_labels(self, target):
        halves = target.astype(np.float16).astype(np.float32)
        return super().read_labels(np.where(np.isfinite(halves), halves, target))


@mutant(bug="DTY-01", link=KERAS, killed_by=("dtypes.labels-are-exact",))
class LabelsThroughInt16(NumpyTwin):
    """Labels are stored in 16 bits, so class 32768 becomes -32768 and counts from the end."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        call.labels[:] = call.labels.astype(np.int16).astype(np.int64) % call.classes
        return call


@mutant(bug="DTY-01", link=KERAS, killed_by=("dtypes.labels-are-exact",))
class LabelsThroughUint16(NumpyTwin):
    """Labels are stored in 16 unsigned bits: class 65536 becomes class 0."""

    def gathered(self, labels, ignored):
        return super().gathered(labels, ignored) & 0xFFFF


@mutant(
    bug="DTY-03",
    link="https://github.com/pytorch/pytorch/issues/59765",
    killed_by=("dtypes.index-dtypes-exact",),
)
class BytesReadAsSigned(NumpyTwin):
    """uint8 labels are read as int8, so class 128 and later count from the end."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if target.dtype == np.uint8:
            call.labels[:] = call.labels.astype(np.int8).astype(np.int64) % call.classes
        return call


@mutant(bug="DTY-03", killed_by=("dtypes.index-dtypes-exact",))
class SentinelWrapsWhereSmoothed(NumpyTwin):
    """The uniform part of a smoothed loss masks labels that equal the sentinel in their dtype: -100 is 156 in uint8."""

    def smoothed(self, call, distribution):
        rows = super().smoothed(call, distribution)
        raw = call.raw_labels
        masked = (raw == 156) & (self.label_dtype == np.uint8) if call.eps else np.zeros(len(raw), bool)
        return np.where(masked[:, None], (1 - call.eps) * distribution, rows).astype(rows.dtype)

    def read_labels(self, target):
        self.label_dtype = target.dtype
        return super().read_labels(target)


@mutant(
    bug="DTY-02",
    link="https://github.com/pytorch/pytorch/issues/1842",
    killed_by=("dtypes.index-dtypes-accepted",),
)
class Int32LabelsRejected(NumpyTwin):
    """Only int64 labels are dispatched, though int32 is claimed."""

    def check_label_dtype(self, dtype):
        if dtype == np.int32:
            raise RuntimeError("not implemented for 'Int'")
        super().check_label_dtype(dtype)


@mutant(
    bug="DTY-04",
    link="https://github.com/tensorflow/tensorflow/issues/48129",
    killed_by=("accuracy.loss",),
    dtypes=("float64",),
)
class Float64ThroughFloat32(NumpyTwin):
    """float64 logits are computed in float32 and cast back."""

    def working(self, dtype):
        return np.float32


@mutant(
    bug="DTY-04",
    link="https://github.com/tensorflow/tensorflow/issues/48129",
    killed_by=("gradients.logits",),
    dtypes=("float64",),
)
class Float64SoftmaxThroughFloat32(NumpyTwin):
    """backward recomputes the softmax of float64 logits in float32."""

    def softmax_rows(self, x):
        return super().softmax_rows(x.astype(np.float32)).astype(x.dtype)


@mutant(
    bug="DTY-05",
    link="https://github.com/pytorch/pytorch/issues/174943",
    killed_by=("dtypes.index-dtypes-rejected",),
)
class FloatLabelsTruncated(NumpyTwin):
    """Floating-point targets in the shape of labels are truncated to integers."""

    def read(self, purpose, logits, target, **options):
        if target.dtype.name in FLOATING and target.ndim < logits.ndim:
            target = target.astype(np.int64)
        return super().read(purpose, logits, target, **options)


@mutant(killed_by=("dtypes.index-dtypes-rejected",))
class BoolLabelsAccepted(NumpyTwin):
    """bool labels count as classes 0 and 1."""

    def check_label_dtype(self, dtype):
        if dtype != np.bool_:
            super().check_label_dtype(dtype)


@mutant(killed_by=("dtypes.logits-must-be-floating",))
class IntegerLogitsAccepted(NumpyTwin):
    """Integer logits are computed in float32, and the loss is float32."""

    def check_logits_dtype(self, dtype):
        if not np.issubdtype(dtype, np.integer):
            super().check_logits_dtype(dtype)

    def cast(self, array, logits):
        return array.astype(np.float32) if logits.dtype.kind in "iu" else super().cast(array, logits)


@mutant(
    bug="DTY-06",
    link="https://github.com/pytorch/pytorch/issues/134896",
    killed_by=("dtypes.logits-must-be-floating",),
)
class ComplexLogitsLoseTheirImaginaryPart(NumpyTwin):
    """Complex logits are accepted, and their imaginary part is dropped."""

    def read(self, purpose, logits, target, **options):
        return super().read(purpose, logits.real if logits.dtype.kind == "c" else logits, target, **options)


@mutant(killed_by=("dtypes.output",), dtypes=("bfloat16",))
class UnreducedLossInFloat32(NumpyTwin):
    """Row losses of bfloat16 logits are returned as the float32 they were computed in."""

    def cast(self, array, logits):
        return array if array.ndim else super().cast(array, logits)


@mutant(killed_by=("dtypes.gradient-output",), dtypes=("float16",))
class SpatialGradientInFloat32(NumpyTwin):
    """The gradient of spatial float16 logits is returned in float32."""

    def restored(self, rows, call):
        gradient = super().restored(rows, call)
        return gradient.astype(np.float32) if call.logits.ndim > 2 else gradient


@mutant(killed_by=("dtypes.index-dtypes-accepted",))
class SentinelForLongLabelsOnly(NumpyTwin):
    """Which rows are ignored is looked up for int64 labels alone; the kernel of all others has no mask."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if target.dtype != np.int64:
            call.ignored[:] = False
        return call


@mutant(killed_by=("dtypes.index-dtypes-accepted",))
class WeightsForLongLabelsOnly(NumpyTwin):
    """With smoothing and labels other than int64 the class weights do not arrive."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if call.eps and call.probabilities is None and target.dtype != np.int64:
            call.class_weights[:] = 1
        return call
