"""A kernel in C, called through ctypes and compiled when this file is imported.

xent run ./c_kernel.py                   the kernel as it should be
xent run ./c_kernel.py:out_of_bounds     the same kernel reading up to three numbers behind the logits
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from xent_conformance.interface import BackendUnavailableError, Capabilities, Precision, Vjp

SOURCE = Path(__file__).with_name("cross_entropy.c")


def compiled(*flags):
    """The function `cross_entropy` of the C file, compiled with some flags more."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "cross_entropy.so"
        command = ["cc", "-O2", "-shared", "-fPIC", *flags, str(SOURCE), "-o", str(library), "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise BackendUnavailableError("there is no C compiler: install one that is called cc") from None
        function = ctypes.CDLL(str(library)).cross_entropy
    pointer, number = ctypes.c_void_p, ctypes.c_long
    function.argtypes = [pointer, pointer, number, number, ctypes.c_int64, pointer, pointer]
    function.restype = None
    return function


class CKernel:
    capabilities = Capabilities(
        logits_dtypes=("float32",),
        ignore_index=True,
        default_ignore_index=-100,
        validation="adapter",
        precision=Precision(form="B"),
    )

    def __init__(self, name, kernel):
        self.name, self.kernel = name, kernel

    def cross_entropy(self, logits, target, *, ignore_index=-100, reduction="mean"):
        losses, _, rows = self.rows(logits, target, ignore_index, reduction, gradient=False)
        return reduced(losses, rows, reduction)

    def cross_entropy_vjp(
        self, cotangent, logits, target, *, repeats=1, upstream="leaf", ignore_index=-100, reduction="mean"
    ):
        losses, gradient, rows = self.rows(logits, target, ignore_index, reduction, gradient=True)
        scale = np.asarray(cotangent, dtype=np.float32)
        if reduction == "mean":
            scale = scale / np.float32(max(rows, 1))
        return Vjp(reduced(losses, rows, reduction), gradient * np.broadcast_to(scale, target.shape)[:, None])

    def rows(self, logits, target, ignore_index, reduction, *, gradient):
        """Losses, gradients of the losses of the rows, and the number of rows that are not ignored."""
        check(logits, target, ignore_index, reduction)
        logits, target = np.ascontiguousarray(logits), np.ascontiguousarray(target)
        losses = np.empty(len(target), dtype=np.float32)
        gradients = np.empty_like(logits) if gradient else None
        addresses = [None if array is None else array.ctypes.data for array in (logits, target, losses, gradients)]
        self.kernel(*addresses[:2], *logits.shape, ignore_index, *addresses[2:])
        return losses, gradients, int((target != ignore_index).sum())


def reduced(losses, rows, reduction):
    """The losses, their sum, or their mean over the rows that are not ignored: nan where there is none."""
    if reduction == "none":
        return losses
    total = losses.sum()
    return np.asarray(total if reduction == "sum" else np.divide(total, np.float32(rows)))


def check(logits, target, ignore_index, reduction):
    """A kernel gets addresses and cannot tell what is there: what it cannot take is refused here."""
    if logits.dtype != np.float32 or target.dtype != np.int64:
        raise TypeError(f"logits must be float32 and target int64, not {logits.dtype} and {target.dtype}")
    if logits.ndim != 2 or target.shape != logits.shape[:1]:
        raise ValueError(f"logits (N, C) and target (N,) expected, not {logits.shape} and {target.shape}")
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction must be none, sum or mean, not {reduction!r}")
    if (((target < 0) | (target >= logits.shape[1])) & (target != ignore_index)).any():
        raise IndexError(f"a label is outside [0, {logits.shape[1]})")


backend = CKernel("c-kernel", compiled())
out_of_bounds = CKernel("c-kernel-out-of-bounds", compiled("-DOUT_OF_BOUNDS"))
