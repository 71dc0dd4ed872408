"""What one call leaves behind for the next, or for another thread."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(killed_by=("accuracy.loss",))
class WeightsCachedByLength(NumpyTwin):
    """The weights of the first call with so many classes are kept on the device and used again."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._weights = {}

    def read_weight(self, weight):
        return self._weights.setdefault((len(weight), weight.dtype), weight.copy())


@mutant(killed_by=("purity.arguments-read-anew",))
class WeightsCachedByIdentity(NumpyTwin):
    """The weights of the last call are converted once, and used again as long as the same array is passed."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._last = self._converted = None

    def read_weight(self, weight):
        if weight is not self._last:
            self._last, self._converted = weight, weight.copy()
        return self._converted


@mutant(killed_by=("purity.arguments-read-anew",))
class LossCachedByIdentity(NumpyTwin):
    """Losses of the rows are computed once for the same logits and target: evaluation code asks twice."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._last = None

    def cross_entropy(self, logits, target, **options):
        if (
            self._last is None
            or self._last[0] is not logits
            or self._last[1] is not target
            or self._last[2] != repr(options)
        ):
            self._last = logits, target, repr(options), super().cross_entropy(logits, target, **options)
        return self._last[3].copy()


@mutant(killed_by=("accuracy.loss",))
class ScratchKeepsOldLanes(NumpyTwin):
    """Exponentials go to a scratch buffer that only grows, and past 100 classes all of it is summed."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._scratch = np.zeros(0)

    def class_sum(self, exponentials):
        if not len(exponentials) or exponentials.shape[1] <= 100:
            return super().class_sum(exponentials)
        if exponentials.shape[1] > len(self._scratch):
            self._scratch = np.zeros(exponentials.shape[1])
        rest = self._scratch[exponentials.shape[1] :].sum()
        self._scratch[: exponentials.shape[1]] = exponentials[-1]
        return super().class_sum(exponentials) + exponentials.dtype.type(rest)


@mutant(killed_by=("purity.repeatable",))
class FirstCallTunes(NumpyTwin):
    """The first call with a new shape runs the kernel twice to time it, and its sum accumulates both."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._tuned = set()

    def row_losses(self, call):
        losses = super().row_losses(call)
        runs = 1 if call.logits.shape in self._tuned or call.reduction == "none" else 2
        self._tuned.add(call.logits.shape)
        return losses * runs


@mutant(
    bug="INV-08",
    link="https://github.com/pytorch/pytorch/issues/12670",
    killed_by=("accuracy.loss",),
)
class ThirdCallDiffers(NumpyTwin):
    """Every third unreduced call returns what was left in the buffer for its last row."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._calls = itertools.count(1)
        self._left = 0.0

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.reduction == "none" and losses.size:
            left, self._left = self._left, float(losses[-1])
            if next(self._calls) % 3 == 0:
                losses[-1] = left
        return losses


@mutant(
    bug="DET-01",
    link="https://github.com/pytorch/pytorch/issues/17350",
    killed_by=("purity.long-sums",),
)
class SumInRandomOrder(NumpyTwin):
    """The losses of spatial logits are added by atomics, in another order each time, though determinism is claimed."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._order = np.random.default_rng(0)

    def reduced(self, call, losses):
        if call.logits.ndim > 2 and call.reduction != "none" and losses.size:
            losses = np.add.accumulate(self._order.permutation(losses))[-1:]
        return super().reduced(call, losses)


@mutant(killed_by=("purity.long-sums",))
class ThreadsRaceOnTheSum(NumpyTwin):
    """Threads add losses to one variable without a lock: past 10,000 rows a third of calls lose some."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._lost = np.random.default_rng(0)

    def reduced(self, call, losses):
        if call.reduction != "none" and losses.size > 10_000 and self._lost.random() < 1 / 3:
            losses = np.where(np.arange(losses.size) % 64 == 63, 0, losses)
        return super().reduced(call, losses)


@mutant(
    bug="DET-02",
    link="https://github.com/tensorflow/tensorflow/issues/38185",
    killed_by=("gradients.second-backward", "purity.no-state"),
)
class GradientInRandomOrder(NumpyTwin):
    """backward adds the class sum in another order each time, though determinism is claimed."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._order = np.random.default_rng(0)

    def row_gradient(self, call):
        shares = self.shares(call)
        exponentials = np.exp(call.x - self.maximum(call.x))
        columns = self._order.permutation(call.classes)
        total = np.add.accumulate(exponentials[:, columns], axis=1)[:, -1:]
        return exponentials / total * shares.sum(axis=1, keepdims=True) - shares


@mutant(killed_by=("purity.threads",))
class ScratchSharedByThreads(NumpyTwin):
    """Exponentials are added row by row from a scratch vector that all threads share."""

    _scratch = np.zeros(0)

    def class_sum(self, exponentials):
        rows, lanes = exponentials.shape
        kind, total = type(self), np.empty((rows, 1), exponentials.dtype)
        if kind._scratch.size < exponentials.size:
            kind._scratch = np.zeros(exponentials.size)
        scratch = kind._scratch
        for i in range(rows):
            scratch[i * lanes : (i + 1) * lanes] = exponentials[i]
        for i in range(rows):
            total[i] = scratch[i * lanes : (i + 1) * lanes].astype(exponentials.dtype).sum()
        return total


class _Scratch:
    """An array for each shape, which all calls share."""

    def __init__(self):
        self._arrays = {}

    def log_softmax(self, x, maximum):
        array = self._arrays.setdefault((x.shape, x.dtype.name), np.empty_like(x))
        for row, largest, shifted in zip(x, maximum, array, strict=True):
            np.subtract(row, largest, out=shifted)
        total = np.exp(array).sum(axis=1, keepdims=True)
        np.subtract(array, np.log(total), out=array)
        return array.copy()


@mutant(killed_by=("purity.threads-large",))
class LogSoftmaxInSharedScratch(NumpyTwin):
    """log_softmax alone is computed in memory of the module, and copied from there."""

    _scratch = _Scratch()

    def log_softmax(self, logits):
        self.check_logits(logits)
        with np.errstate(all="ignore"):
            x = self.by_row(logits)
            return self.placed(self._scratch.log_softmax(x, self.maximum(x)), logits)


@mutant(killed_by=("purity.threads-large",))
class LossInSharedScratch(NumpyTwin):
    """The log-probabilities of the loss are computed in memory of the module, and copied from there."""

    _scratch = _Scratch()

    def log_probs(self, call):
        return self._scratch.log_softmax(call.x, self.maximum(call.x))


@mutant(killed_by=("purity.threads",))
class CallKeptOnTheObject(NumpyTwin):
    """The rows of the call in progress are an attribute of the object, as if there were one call at a time."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        self._rows = call.x
        return call

    def log_probs(self, call):
        return self.log_softmax_rows(self._rows)

    def row_gradient(self, call):
        return super().row_gradient(replace(call, x=self._rows))


@mutant(killed_by=("purity.threads",))
class LogitsKeptOnTheObjectForTheLoss(NumpyTwin):
    """Where no gradient is asked for, the second of two passes reads the logits that the object had last."""

    def cross_entropy(self, logits, target, **options):
        self._logits = logits
        loss = super().cross_entropy(logits, target, **options)
        return loss if self._logits is logits else super().cross_entropy(self._logits, target, **options)


@mutant(killed_by=("purity.surroundings",))
class DrawsFromTheGlobalGenerator(NumpyTwin):
    """Sampling that is off by default still draws its numbers: everybody else's random numbers change."""

    def cross_entropy(self, logits, target, **options):
        np.random.random()  # noqa: NPY002 - the mistake
        return super().cross_entropy(logits, target, **options)


@mutant(killed_by=("purity.surroundings",))
class SilenceLeftBehindByAnException(NumpyTwin):
    """Warnings are switched off before the checks and on again after the loss: not where a check raises."""

    def cross_entropy(self, logits, target, **options):
        filters = list(warnings.filters)
        warnings.simplefilter("ignore")
        loss = super().cross_entropy(logits, target, **options)
        warnings.filters[:] = filters
        return loss


@mutant(killed_by=("purity.no-state",))
class EmptyBatchSpoilsTheNextCall(NumpyTwin):
    """An empty batch leaves a flag behind that the next call with rows takes for its own: no smoothing."""

    empty = False

    def smoothed(self, call, distribution):
        return distribution if self.was_empty else super().smoothed(call, distribution)

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        self.was_empty, self.empty = self.empty, not len(call.x)
        return call


@mutant(killed_by=("purity.no-state",))
class RejectedCallLeavesItsReduction(NumpyTwin):
    """The reduction is set before a call is checked and taken back after it: what a rejected call leaves is used."""

    pending = None

    def read(self, purpose, logits, target, **options):
        pending, self.pending = self.pending, options["reduction"]
        call = super().read(purpose, logits, target, **options)
        self.pending = None
        return call if pending is None else replace(call, reduction=pending)


@mutant(killed_by=("purity.no-state",))
class WorkspaceOfALongerBatch(NumpyTwin):
    """Row losses are added eight at a time from a workspace that only grows; what is beyond the last row is left."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._workspace = np.zeros(0)

    def reduced(self, call, losses):
        if call.reduction == "none" or not len(losses):
            return super().reduced(call, losses)
        rows = -(-len(losses) // 8) * 8
        if rows > len(self._workspace):
            self._workspace = np.zeros(rows)
        self._workspace[: len(losses)] = losses
        return super().reduced(call, self._workspace[:rows].astype(losses.dtype))
