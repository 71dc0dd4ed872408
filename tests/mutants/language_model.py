"""Options of language models: a divisor, the z-loss, a scale and a cap of the logits, and what is forgotten of each."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_extras import Extras

IGNORED = ("language_model.ignored-rows",)
DIVISOR, Z_LOSS = ("language_model.divisor",), ("language_model.z-loss",)
SCALE, CAP = ("language_model.logit-scale",), ("language_model.softcap",)
TOGETHER = ("language_model.options-together", "language_model.every-combination")
_LIGER = "https://github.com/linkedin/Liger-Kernel/pull/239"


class ExtrasTwin(Extras):
    """Correct."""


@mutant(bug="PAR-06", link="https://github.com/huggingface/transformers/pull/34191", killed_by=DIVISOR)
class DivisorIgnored(ExtrasTwin):
    """The mean divides by its own tokens, so that accumulated gradients are a mean of means."""

    def divisor(self, call):
        own = self.row_weights(call).sum() or np.nan
        return own if call.divisor is not None else super().divisor(call)


@mutant(link="https://github.com/linkedin/Liger-Kernel/issues/802", killed_by=DIVISOR)
class DivisorBesideTheMean(ExtrasTwin):
    """The mean over the tokens is divided once more by the divisor."""

    def divisor(self, call):
        if call.divisor is None:
            return super().divisor(call)
        return (self.row_weights(call).sum() or np.nan) * call.divisor


@mutant(killed_by=DIVISOR)
class DivisorOfTheLossAlone(ExtrasTwin):
    """backward divides by the tokens that count where forward divides by the divisor."""

    def scale(self, call, cotangents):
        if call.divisor is None:
            return super().scale(call, cotangents)
        return cotangents / (self.row_weights(call).sum() or np.nan)


@mutant(killed_by=DIVISOR)
class NothingToDivide(ExtrasTwin):
    """A batch that is all ignored is nan, divisor or not."""

    def reduced(self, call, losses):
        found = super().reduced(call, losses)
        return np.full_like(found, np.nan) if call.reduction == "mean" and call.ignored.all() else found


@mutant(link=_LIGER, killed_by=Z_LOSS)
class LseSquareOfIgnoredRows(ExtrasTwin):
    """The z-loss is added for ignored rows too."""

    def z_losses(self, call):
        finite = np.where(np.isfinite(self.lse(call)), self.lse(call), 0)
        return call.x.dtype.type(call.lse_square_scale) * finite[:, 0] ** 2


@mutant(killed_by=IGNORED)
class LseSquareTimesZero(ExtrasTwin):
    """The z-loss of ignored rows is multiplied by zero, whatever it is."""

    def z_losses(self, call):
        square = call.x.dtype.type(call.lse_square_scale) * self.lse(call)[:, 0] ** 2
        return square * (~call.ignored).astype(square.dtype)


@mutant(killed_by=IGNORED)
class SlopeOfIgnoredRows(ExtrasTwin):
    """Ignored rows have a gradient of zero before it is multiplied by the derivative of the cap, which is nan there."""

    def grad_logits(self, call, cotangents):
        if call.softcap is None:
            return super().grad_logits(call, cotangents)
        slope = self.slope(call)
        rows = self.scale(call, cotangents) * self.row_gradient(call) / np.where(slope == 0, 1, slope)
        return self.restored(self.kept(call, rows) * slope, call)


@mutant(link=_LIGER, killed_by=Z_LOSS)
class LseSquareWithoutGradient(ExtrasTwin):
    """The z-loss is reported and has no gradient."""

    def z_gradient(self, call):
        return np.zeros_like(call.x)


@mutant(link=_LIGER, killed_by=Z_LOSS)
class LseSquareGradientWithoutTheTwo(ExtrasTwin):
    """The derivative of the square lacks its factor 2."""

    def z_gradient(self, call):
        return super().z_gradient(call) / 2


@mutant(killed_by=Z_LOSS)
class LseSquareOfTheClassSum(ExtrasTwin):
    """The z-loss takes the logarithm of the class sum without the maximum that was subtracted."""

    def lse(self, call):
        _, _, total = self.partition(call.x)
        return np.log(total)


@mutant(killed_by=Z_LOSS)
class LseSquareTimesClassWeight(ExtrasTwin):
    """The class weight multiplies the whole loss of the row, its z-loss too."""

    def z_losses(self, call):
        weights = call.class_weights[call.labels] if call.probabilities is None else 1
        return super().z_losses(call) * weights


@mutant(killed_by=Z_LOSS)
class LseSquareOfTheFirstTile(ExtrasTwin):
    """Beyond 1024 classes the logsumexp of the z-loss is that of the first tile."""

    def lse(self, call):
        _, _, total = self.partition(call.x[:, :1024])
        return self.maximum(call.x[:, :1024]) + np.log(total)


@mutant(killed_by=SCALE)
class ScaleWithoutSlope(ExtrasTwin):
    """backward returns the gradient of the scaled logits."""

    def slope(self, call):
        return np.asarray(1.0) if call.softcap is None else super().slope(call)


@mutant(killed_by=SCALE)
class TemperatureForScale(ExtrasTwin):
    """The logits are divided by their scale."""

    def scaled(self, call, x):
        return x / x.dtype.type(call.logit_scale)


@mutant(killed_by=SCALE)
class TargetLogitUnscaled(ExtrasTwin):
    """The logsumexp is that of the scaled logits, the target's logit is read before."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.probabilities is not None or call.eps or call.logit_scale == 1 or call.softcap is not None:
            return losses
        moved = call.x[call.rows, call.labels] - call.given[call.rows, call.labels]
        return np.where(call.ignored, 0, losses + call.class_weights[call.labels] * moved)


@mutant(killed_by=CAP)
class CapWithoutSlope(ExtrasTwin):
    """backward returns the gradient of the capped logits: the derivative of tanh is forgotten."""

    def slope(self, call):
        return np.asarray(call.x.dtype.type(call.logit_scale))


@mutant(killed_by=CAP)
class ClampedLogits(ExtrasTwin):
    """The logits are clamped to the cap, without tanh."""

    def capped(self, call, x):
        return x if call.softcap is None else np.clip(x, -call.softcap, call.softcap).astype(x.dtype)


@mutant(killed_by=CAP)
class CapKeepsMasks(ExtrasTwin):
    """A logit of -inf stays masked, where the cap makes it a class like any other."""

    def capped(self, call, x):
        return np.where(np.isneginf(x), x, super().capped(call, x))


@mutant(killed_by=CAP)
class CapOfRoundedTanh(ExtrasTwin):
    """tanh is evaluated in half precision, as a fast approximation does."""

    def capped(self, call, x):
        if call.softcap is None:
            return x
        cap = x.dtype.type(call.softcap)
        return cap * np.tanh(x / cap).astype(np.float16).astype(x.dtype)


@mutant(link="https://github.com/unslothai/unsloth-zoo/pull/593", killed_by=CAP)
class CapTimesTheLogit(ExtrasTwin):
    """x tanh(x / c) takes the place of c tanh(x / c)."""

    def capped(self, call, x):
        return x if call.softcap is None else x * np.tanh(x / x.dtype.type(call.softcap))


@mutant(link="https://github.com/unslothai/unsloth/pull/10616", killed_by=CAP)
class CapOfPaddedLanes(ExtrasTwin):
    """Classes are padded with -inf to a multiple of 16, which the cap makes -c: the class sum counts them."""

    cap, missing, top = None, 0, 0

    def cross_entropy(self, *arguments, **options):
        loss = super().cross_entropy(*arguments, **options)
        self.cap = None
        return loss

    def cross_entropy_vjp(self, *arguments, **options):
        found = super().cross_entropy_vjp(*arguments, **options)
        self.cap = None
        return found

    def class_sum(self, exponentials):
        total = super().class_sum(exponentials)
        return total if self.cap is None else total + self.missing * np.exp(-self.cap - self.top)

    def partition(self, x):
        self.missing, self.top = -x.shape[1] % 16, self.maximum(x)
        return super().partition(x)

    def capped(self, call, x):
        self.cap = None if call.softcap is None else x.dtype.type(call.softcap)
        return super().capped(call, x)


@mutant(link="https://github.com/unslothai/unsloth/pull/11277", killed_by=SCALE)
class ScaleDropped(ExtrasTwin):
    """The fused path never looks at the scale."""

    def scaled(self, call, x):
        return x

    def slope(self, call):
        return super().slope(call) / call.x.dtype.type(call.logit_scale)


@mutant(link="https://github.com/huggingface/trl/pull/5691", killed_by=TOGETHER)
class CapBeforeScale(ExtrasTwin):
    """The logits are capped first and scaled afterwards."""

    def read(self, *arguments, **options):
        call = super().read(*arguments, **options)
        if call.softcap is None or call.logit_scale == 1:
            return call
        object.__setattr__(call, "x", self.scaled(call, self.capped(call, call.given)))
        return call


@mutant(killed_by=TOGETHER)
class LseSquareOfUncappedLogits(ExtrasTwin):
    """The z-loss is that of the logits before their cap."""

    def lse(self, call):
        _, _, total = self.partition(call.given)
        return self.maximum(call.given) + np.log(total)


@mutant(link=_LIGER, killed_by=TOGETHER)
class LseSquareByTokens(ExtrasTwin):
    """The z-loss is divided by the tokens that count, whatever the divisor."""

    def z_losses(self, call):
        found = super().z_losses(call)
        if call.divisor is None or not self.row_weights(call).sum():
            return found
        return (found * (call.divisor / self.row_weights(call).sum())).astype(found.dtype)
