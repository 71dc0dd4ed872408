"""Ignored rows: which they are, and what of them must not be seen."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_twin import NumpyTwin


@mutant(bug="IGN-01", link="https://github.com/chainer/chainer/issues/2715", killed_by=("accuracy.loss",))
class SentinelHardCoded(NumpyTwin):
    """Rows are ignored where the label is -1 or -100, whatever ignore_index says."""

    def ignored(self, labels, ignore_index, logits):
        return (labels == -1) | (labels == -100)


@mutant(bug="IGN-01", link="https://github.com/pytorch/pytorch/pull/109574", killed_by=("accuracy.loss",))
class DefaultSentinelMeansUnset(NumpyTwin):
    """ignore_index=-100 is read as 'not set', and such a row takes class 0."""

    def ignored(self, labels, ignore_index, logits):
        return (labels == ignore_index) & (ignore_index != -100)

    def gathered(self, labels, ignored):
        return np.where(ignored | (labels == -100), 0, labels)

    def check_labels(self, call):
        valid = call.raw_labels[call.raw_labels != -100]
        if ((valid < 0) | (valid >= call.classes))[valid != call.ignore_index].any():
            raise IndexError("label out of range")


@mutant(bug="IGN-01", link="https://github.com/PaddlePaddle/Paddle/pull/52835", killed_by=("accuracy.loss",))
class SentinelInClassRangeUnseen(NumpyTwin):
    """Only negative labels are compared with ignore_index, so a sentinel that is also a class ignores nothing."""

    def ignored(self, labels, ignore_index, logits):
        return (labels == ignore_index) & ((labels < 0) | (labels >= logits.shape[min(1, logits.ndim - 1)]))


@mutant(
    bug="IGN-03",
    link="https://github.com/PaddlePaddle/Paddle/pull/28622",
    killed_by=("gradients.ignored-rows-are-zero", "gradients.logits"),
)
class IgnoredRowsGetGradient(NumpyTwin):
    """The mask is applied in forward only: with smoothing an ignored row keeps the gradient of its uniform term."""

    def kept(self, call, rows):
        if not call.eps or call.purpose != "gradient":
            return super().kept(call, rows)
        uniform = (self.softmax_rows(call.x) - 1 / call.classes) * call.eps
        return np.where(call.ignored[:, None], uniform, rows)


@mutant(
    bug="IGN-05",
    link="https://github.com/chainer/chainer/issues/1027",
    killed_by=("accuracy.loss", "gradients.logits"),
)
class SentinelClassMasked(NumpyTwin):
    """A sentinel that is also a class is masked out of the softmax of every row."""

    def read(self, purpose, logits, target, **options):
        call = super().read(purpose, logits, target, **options)
        if call.probabilities is None and 0 <= call.ignore_index < call.classes and not call.ignored.all():
            call.x[:, call.ignore_index] = -np.inf
        return call


@mutant(bug="IGN-06", link="https://github.com/PaddlePaddle/Paddle/issues/17961", killed_by=("accuracy.loss",))
class UnbatchedIgnoresNothing(NumpyTwin):
    """The unbatched path has no mask; its sentinel takes class 0."""

    def ignored(self, labels, ignore_index, logits):
        return (labels == ignore_index) & (logits.ndim > 1)

    def gathered(self, labels, ignored):
        return np.where((labels < 0) & (len(labels) == 1), 0, super().gathered(labels, ignored))

    def check_labels(self, call):
        if call.logits.ndim == 1 and call.raw_labels[0] == call.ignore_index:
            if not 0 <= call.ignore_index < call.classes:
                call.labels[:] = 0
            return
        super().check_labels(call)


@mutant(bug="IGN-11", link="https://github.com/deepspeedai/DeepSpeed/pull/6882", killed_by=("accuracy.loss",))
class IgnoredRowsReturnLogZ(NumpyTwin):
    """An ignored row has its target's logit zeroed, and so returns logsumexp, where the losses are not reduced."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.reduction != "none":
            return losses
        maximum = self.maximum(call.x)
        log_z = maximum + np.log(self.class_sum(np.exp(call.x - maximum)))
        return np.where(call.ignored, log_z[:, 0], losses)


@mutant(
    bug="IGN-02",
    link="https://github.com/pytorch/pytorch/pull/95833",
    killed_by=("ignore_index.content-is-irrelevant-to-loss",),
)
class LossMaskedByMultiplication(NumpyTwin):
    """Ignored rows are computed for class 0 and multiplied by 0, so nan and infinity in them get through."""

    def row_losses(self, call):
        mask = (~call.ignored).astype(call.x.dtype)
        picked = -self.log_probs(call)[call.rows, call.labels]
        return super().row_losses(call) + np.where(call.ignored, picked * mask, 0)


@mutant(
    bug="INF-06",
    link="https://github.com/pytorch/pytorch/issues/11551",
    killed_by=("ignore_index.content-is-irrelevant-to-gradient",),
)
class GradientMaskedByMultiplication(NumpyTwin):
    """The gradient of an ignored row is its softmax times 0, which is nan where the row holds nan or infinity."""

    def kept(self, call, rows):
        return rows * (~call.ignored)[:, None]


@mutant(
    bug="RED-05",
    link="https://github.com/karpathy/nanochat/pull/610",
    killed_by=("accuracy.loss",),
)
class AllIgnoredGivesZero(NumpyTwin):
    """The mean of a batch whose rows are all ignored is 0 though the convention says nan."""

    def divisor(self, call):
        return 1.0 if call.ignored.size and call.ignored.all() else super().divisor(call)


@mutant(
    bug="RED-05",
    link="https://github.com/pytorch/pytorch/pull/64572",
    killed_by=("gradients.logits",),
)
class AllIgnoredGradientIsNan(NumpyTwin):
    """The mean of a batch whose rows are all ignored passes 0/0 back as gradient."""

    def kept(self, call, rows):
        if call.reduction == "mean" and call.ignored.all():
            return rows * np.nan
        return super().kept(call, rows)


@mutant(
    bug="DTY-03",
    link="https://github.com/pytorch/pytorch/pull/60650",
    killed_by=("dtypes.index-dtypes-exact",),
)
class SentinelComparedAsByte(NumpyTwin):
    """Labels are compared with ignore_index as bytes, so -100 also ignores class 156, and -1 class 255."""

    def ignored(self, labels, ignore_index, logits):
        return labels.astype(np.uint8) == np.int64(ignore_index).astype(np.uint8)


@mutant(
    bug="DTY-01",
    link="https://github.com/huggingface/transformers/issues/12898",
    killed_by=("ignore_index.sentinel-is-exact",),
)
class SentinelComparedAsBfloat16(NumpyTwin):
    """Labels are compared with ignore_index in bfloat16, where 257 equals 256."""

    def ignored(self, labels, ignore_index, logits):
        import ml_dtypes

        return labels.astype(ml_dtypes.bfloat16) == np.int64(ignore_index).astype(ml_dtypes.bfloat16)


@mutant(killed_by=("ignore_index.content-is-irrelevant-to-nll",))
class NllLossMaskedByMultiplication(NumpyTwin):
    """nll_loss multiplies the losses of ignored rows by zero, which keeps nan and infinity."""

    def nll_loss(self, log_probs, target, **options):
        with np.errstate(all="ignore"):
            call = self.read("loss", log_probs, target, **options)
            picked = -call.class_weights[call.labels] * call.x[call.rows, call.labels]
            return self.reduced(call, picked * ~call.ignored)
