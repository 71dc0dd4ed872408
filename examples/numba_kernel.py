"""A kernel in the manner of Triton, on the CPU: one program a row, which goes over the classes block by block.

xent run ./numba_kernel.py                   the kernel as it should be
xent run ./numba_kernel.py:out_of_bounds     the same kernel without the mask of its loads

`load` stands for tl.load, `program` for the body of a @triton.jit function and `grid` for its launch. numba compiles
them when they are first called, and keeps what it has compiled beside this file: `pip install numba`.
"""

import numba
import numpy as np

from xent_conformance.interface import Capabilities, Precision, Vjp

BLOCK = 16
jit = numba.njit(error_model="numpy", cache=True)


@jit
def load(memory, start, end, masked):
    """The block of numbers from `start` on; -inf from `end` on, where it is masked."""
    block = np.empty(BLOCK, dtype=np.float32)
    for i in range(BLOCK):
        block[i] = memory[start + i] if start + i < end or not masked else np.float32(-np.inf)
    return block


@jit
def program(memory, start, end, label, gradient, masked):
    """The loss of the row from `start` to `end`; its gradient, softmax - one_hot, where there is room for it."""
    maximum, total = np.float32(-np.inf), np.float32(0)
    for place in range(start, end, BLOCK):
        block = load(memory, place, end, masked)
        larger = max(maximum, block.max())
        if larger > maximum:
            total *= np.exp(maximum - larger)
            maximum = larger
        for x in block:
            total += np.exp(x - maximum) if x > -np.inf or maximum > -np.inf else np.float32(0)
    for i in range(gradient.size):
        gradient[i] = np.exp(memory[start + i] - maximum) / total - np.float32(i == label)
    return np.log(total) - (memory[start + label] - maximum)


@jit
def grid(memory, target, ignore_index, losses, gradients, masked):
    """All programs. They get the memory of the logits, as a pointer is passed, without its end."""
    classes = memory.size // target.size
    for row in range(target.size):
        if target[row] == ignore_index:
            losses[row] = 0
            gradients[row] = 0
        else:
            start = row * classes
            losses[row] = program(memory, start, start + classes, target[row], gradients[row], masked)


class NumbaKernel:
    """What the suite calls. A kernel cannot tell what it is given, so what it does not take is refused here."""

    capabilities = Capabilities(
        logits_dtypes=("float32",),
        ignore_index=True,
        default_ignore_index=-100,
        validation="adapter",
        precision=Precision(form="A"),
    )

    def __init__(self, name, *, masked):
        self.name, self.masked = name, masked
        self.versions = {"numba": numba.__version__}

    def cross_entropy(self, logits, target, *, ignore_index=-100, reduction="mean"):
        losses, _, rows = self.launched(logits, target, ignore_index, reduction, gradient=False)
        return reduced(losses, rows, reduction)

    def cross_entropy_vjp(
        self, cotangent, logits, target, *, repeats=1, upstream="leaf", ignore_index=-100, reduction="mean"
    ):
        losses, gradients, rows = self.launched(logits, target, ignore_index, reduction, gradient=True)
        scale = cotangent / np.float32(max(rows, 1)) if reduction == "mean" else cotangent
        gradients *= np.broadcast_to(scale, target.shape)[:, None]
        return Vjp(reduced(losses, rows, reduction), gradients)

    def launched(self, logits, target, ignore_index, reduction, *, gradient):
        """Losses, gradients of the losses, and the number of rows that are not ignored."""
        check(logits, target, ignore_index, reduction)
        memory, target = np.ascontiguousarray(logits).reshape(-1), np.ascontiguousarray(target)
        losses = np.empty(len(target), dtype=np.float32)
        gradients = np.empty(logits.shape if gradient else (len(target), 0), dtype=np.float32)
        if len(target):
            grid(memory, target, ignore_index, losses, gradients, self.masked)
        return losses, gradients, int((target != ignore_index).sum())


def reduced(losses, rows, reduction):
    """The losses, their sum, or their mean over the rows that are not ignored: nan where there is none."""
    if reduction == "none":
        return losses
    total = losses.sum()
    return np.asarray(total if reduction == "sum" else np.divide(total, np.float32(rows)))


def check(logits, target, ignore_index, reduction):
    if logits.dtype != np.float32 or target.dtype != np.int64:
        raise TypeError(f"logits must be float32 and target int64, not {logits.dtype} and {target.dtype}")
    if logits.ndim != 2 or target.shape != logits.shape[:1]:
        raise ValueError(f"logits (N, C) and target (N,) expected, not {logits.shape} and {target.shape}")
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction must be none, sum or mean, not {reduction!r}")
    if (((target < 0) | (target >= logits.shape[1])) & (target != ignore_index)).any():
        raise IndexError(f"a label is outside [0, {logits.shape[1]})")


backend = NumbaKernel("numba-kernel", masked=True)
out_of_bounds = NumbaKernel("numba-kernel-out-of-bounds", masked=False)
