"""Sizes that no test of powers of two meets: tails of vectors, templates for one number, ranks, addresses."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin

LANES = ("accuracy.every-class-count", "gradients.every-class-count")
ROWS = ("accuracy.every-row-count", "gradients.every-row-count")


def _repeated_tail(x, lanes):
    """The last lanes hold what the one before them does."""
    x = x.copy()
    x[:, -lanes:] = x[:, -lanes - 1 : -lanes]
    return x


class _Rereads(NumpyTwin):
    """Reads another's logits in some places."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        call.x[:] = self.misread(call.x)
        return call


@mutant(killed_by=LANES)
class TailOfSixLanes(_Rereads):
    """Past eight lanes a tail of exactly six is loaded as four and two, and the two from where the four began."""

    def misread(self, x):
        return _repeated_tail(x, 2) if x.shape[1] > 8 and x.shape[1] % 8 == 6 else x


@mutant(killed_by=LANES)
class TailOfTwentyLanes(_Rereads):
    """Past 32 lanes a tail of exactly 20 loses its last one to a mask with one bit too few."""

    def misread(self, x):
        return _repeated_tail(x, 1) if x.shape[1] > 32 and x.shape[1] % 32 == 20 else x


@mutant(killed_by=LANES)
class ThousandClassesUnrolled(_Rereads):
    """A loop unrolled for 1000 classes ends eight lanes too early."""

    def misread(self, x):
        return _repeated_tail(x, 8) if x.shape[1] == 1000 else x


@mutant(killed_by=("accuracy.every-row-count",))
class SecondLaunchAddsToTheFirst(NumpyTwin):
    """A grid has at most 65535 blocks, so batches of up to that many rows run in one launch or in two.

    Beyond 32768 rows the second one begins with the total of the first where it should begin with zero.
    """

    def row_losses(self, call):
        losses = super().row_losses(call)
        half = len(losses) // 2
        if 32768 < len(losses) <= 65535:
            losses[half] += losses[:half].sum()
        return losses


@mutant(killed_by=LANES)
class LanesPast131072(_Rereads):
    """128 threads of 1024 lanes each: no later class is read."""

    def misread(self, x):
        return _repeated_tail(x, x.shape[1] - 131072) if x.shape[1] > 131072 else x


@mutant(killed_by=("accuracy.every-class-count",))
class LongRowsInHalf(_Rereads):
    """From 8192 classes on logits between -60000 and 60000 are staged in float16 though they are float32."""

    def misread(self, x):
        narrow = x.shape[1] >= 8192 and (np.abs(x[np.isfinite(x)]) < 60000).all()
        return x.astype(np.float16).astype(x.dtype) if narrow else x


@mutant(killed_by=ROWS)
class TailOfSixRows(_Rereads):
    """A tail of exactly six rows of eight reads the last one from the row before."""

    def misread(self, x):
        if len(x) % 8 != 6:
            return x
        return np.concatenate([x[:-1], x[-2:-1]])


@mutant(killed_by=("accuracy.every-combination",))
class FourthAxisSwapped(NumpyTwin):
    """The losses of four spatial axes are walked with the last two the other way round."""

    def reduced(self, call, losses):
        if call.reduction == "none" and call.logits.ndim == 6:
            n, _, d1, d2, d3, d4 = call.logits.shape
            losses = losses.reshape(n, d1, d2, d4, d3).swapaxes(3, 4).reshape(-1)
        return super().reduced(call, losses)


@mutant(killed_by=("accuracy.every-class-count",))
class MaximumOfNoLaneIsZero(NumpyTwin):
    """Blocks of 64 lanes; the maximum of one that is -inf throughout counts as 0, and lower rows underflow."""

    def maximum(self, x):
        blocks = [x[:, i : i + 64].max(axis=1, keepdims=True) for i in range(0, x.shape[1], 64)]
        return np.max([np.where(b == -np.inf, 0, b) if len(blocks) > 1 else b for b in blocks], axis=0)


@mutant(killed_by=("layout.loss", "layout.gradient"))
class UnalignedLoadsFromBelow(NumpyTwin):
    """Vectors of four are loaded from the multiple of 16 bytes below the first element, if that is not one itself."""

    def by_row(self, array):
        rows = super().by_row(array)
        off = array.__array_interface__["data"][0] % 16 // array.itemsize if array.size else 0
        return np.roll(rows.reshape(-1), off).reshape(rows.shape) if off and array.dtype == np.float32 else rows


@mutant(killed_by=("accuracy.nll-every-combination",))
class NllOfThreeAxesReversed(NumpyTwin):
    """nll_loss walks the third spatial axis backwards where the losses are not reduced; cross_entropy does not."""

    def nll_loss(self, log_probs, target, **options):
        losses = super().nll_loss(log_probs, target, **options)
        return losses[..., ::-1].copy() if losses.ndim == 4 else losses
