"""Labels of other dtypes than int64 in larger problems: strides, ranks, rows and sentinels."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.layouts import read_as_dense
from mutants.numpy_twin import NumpyTwin

LABELS = ("dtypes.index-dtypes-accepted",)


class _OfDtypes(NumpyTwin):
    """Reads labels of some dtypes in its own way: ``relabelled`` gets the call and its target."""

    dtypes: tuple[str, ...] = ()

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if target.dtype.name in self.dtypes and target.size:
            self.relabelled(call, target)
        return call


@mutant(killed_by=LABELS)
class OtherLabelsReadAsDense(_OfDtypes):
    """Labels other than int64 are not copied on their way to the kernel, which has no stride for them."""

    dtypes = ("int32", "int16", "int8", "uint8")

    def relabelled(self, call, target):
        read = np.clip(read_as_dense(target).reshape(-1), 0, call.classes - 1)
        call.labels[:] = np.where(call.ignored, 0, read)


@mutant(killed_by=("dtypes.index-dtypes-exact",))
class ByteLabelsInVectors(_OfDtypes):
    """Labels of one byte are loaded 16 at a time; past 64 of them a partial vector is read from the one before it."""

    dtypes = ("int8", "uint8")

    def relabelled(self, call, target):
        tail = len(call.labels) % 16
        if len(call.labels) > 64 and tail:
            call.labels[-tail:] = call.labels[-16 - tail : -16]


@mutant(killed_by=LABELS)
class OtherLabelsOfImagesTransposed(_OfDtypes):
    """Labels of images that are not int64 are converted in the order of their memory as Fortran has it."""

    dtypes = ("int32", "int16", "int8", "uint8")

    def relabelled(self, call, target):
        if target.ndim > 1:
            call.labels[:] = call.labels.reshape(target.shape).ravel(order="F")


@mutant(killed_by=("dtypes.index-dtypes-exact",))
class OffsetsOfInt32Labels(_OfDtypes):
    """The offset row * C + label is computed in the width of the labels: here 16 bits for the 32 of int32 labels."""

    dtypes = ("int32", "int16")

    def relabelled(self, call, target):
        wrapped = (call.rows * call.classes + call.labels) % 2**16
        call.labels[:] = np.where(call.x.size > 2**16, wrapped % call.classes, call.labels)


@mutant(killed_by=("dtypes.index-dtypes-exact",))
class Int16LabelsHalveTheClasses(_OfDtypes):
    """The number of classes is cast to the dtype of the labels: int16 labels of 32768 classes and more are rejected."""

    dtypes = ("int16",)

    def relabelled(self, call, target):
        if call.classes >= 2**15:
            raise IndexError("label is outside [0, -32768)")


@mutant(killed_by=LABELS)
class MaskOfEightInt32Labels(_OfDtypes):
    """The mask of ignored rows is packed into one byte for int32 labels: rows past eight are clamped to class 0."""

    dtypes = ("int32",)

    def relabelled(self, call, target):
        call.ignored[8:] = False


@mutant(killed_by=LABELS)
class ByteSentinelIsMinusOne(_OfDtypes):
    """uint8 labels are compared with ignore_index as signed bytes: 255 ignores no row, and is clamped."""

    dtypes = ("uint8",)

    def relabelled(self, call, target):
        marked = call.ignored & (call.raw_labels >= 128)
        call.ignored[marked] = False
        call.labels[marked] = call.classes - 1


@mutant(killed_by=("dtypes.index-dtypes-gradient",))
class NarrowLabelsScatterOnce(NumpyTwin):
    """backward scatters labels of 8 and 16 bits from the first 32 rows alone."""

    def cross_entropy_vjp(self, cotangent, logits, target, **options):
        right = super().cross_entropy_vjp(cotangent, logits, target, **options)
        if target.dtype.name not in ("int8", "int16", "uint8") or target.ndim != 1 or len(target) <= 32:
            return right
        first = super().cross_entropy_vjp(
            cotangent, logits, np.concatenate([target[:32], np.full_like(target[32:], target[0])]), **options
        )
        right.grad_logits[32:] = first.grad_logits[32:]
        return right


@mutant(killed_by=LABELS)
class LabelsOfTenBits(_OfDtypes):
    """Labels of 16 and 32 bits with more than 1025 classes are narrowed to 10 bits that a packed table has for them."""

    dtypes = ("int32", "int16")

    def relabelled(self, call, target):
        if call.classes > 1025:
            call.labels[:] = call.labels & 1023


@mutant(killed_by=LABELS)
class UnbatchedLabelIsFirst(_OfDtypes):
    """A single label that is not int64 is converted in a buffer that with smoothing still holds class 0."""

    dtypes = ("int32", "int16", "int8", "uint8")

    def relabelled(self, call, target):
        if target.ndim == 0 and call.eps:
            call.labels[:] = 0
