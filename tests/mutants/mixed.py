"""Mixed precision: operands, or the loss, of another dtype than the logits."""

from __future__ import annotations

import numpy as np

from mutants.catalogue import mutant
from mutants.numpy_checks import FLOATING
from mutants.numpy_extras import Extras
from mutants.numpy_mixed import Mixed
from xent_conformance.interface import Conventions

HALF = ("bfloat16",)
BOTH = ("dtypes.mixed", "dtypes.mixed-gradient")


class MixedTwin(Mixed):
    """Takes class weights and probability targets of every dtype."""


@mutant(link="https://github.com/NVIDIA/apex/issues/837", dtypes=HALF, killed_by=BOTH)
class RefusesWideWeights(MixedTwin):
    """float32 class weights are refused with bfloat16 logits."""

    def check_weight(self, weight, logits):
        if weight is not None and weight.dtype != logits.dtype:
            raise TypeError(f"expected scalar type {logits.dtype} but found {weight.dtype}")
        super().check_weight(weight, logits)


@mutant(dtypes=HALF, killed_by=("dtypes.mixed-gradient",))
class TargetGradientOfTheLogitsDtype(MixedTwin):
    """The gradient of float32 target probabilities is returned in the dtype of the logits."""

    def of_target(self, gradient, target):
        return gradient.astype("bfloat16")


@mutant(dtypes=HALF, killed_by=("dtypes.mixed-gradient",))
class GradientPromotedByTheWeights(MixedTwin):
    """The gradient of bfloat16 logits has the dtype of the float32 weights that it was multiplied by."""

    def cross_entropy_vjp(self, cotangent, logits, target, *, weight=None, **options):
        found = super().cross_entropy_vjp(cotangent, logits, target, weight=weight, **options)
        return found if weight is None else found._replace(grad_logits=found.grad_logits.astype(weight.dtype))


@mutant(dtypes=HALF, killed_by=("dtypes.mixed",))
class SumOfMixedTermsInFloat64(MixedTwin):
    """Where target and logits differ, the sum over the classes is float64, and so is the loss."""

    def cross_entropy(self, logits, target, **options):
        loss = super().cross_entropy(logits, target, **options)
        return loss.astype(np.float64) if target.dtype.name in ("float32", "float16") else loss


@mutant(dtypes=("float32",), killed_by=BOTH)
class WeightsReadWithTheWidthOfTheLogits(MixedTwin):
    """A kernel reads the memory of the class weights in the dtype of the logits."""

    def read(self, purpose, logits, target, weight=None, *arguments, **options):
        if weight is not None and weight.dtype.itemsize > logits.dtype.itemsize:
            weight = np.ascontiguousarray(weight).view(logits.dtype)[: len(weight)]
        return super().read(purpose, logits, target, weight, *arguments, **options)


@mutant(dtypes=("float32",), killed_by=BOTH)
class SharesRoundedToHalf(MixedTwin):
    """float64 target probabilities are stored in float16 to save memory."""

    def read(self, purpose, logits, target, *arguments, **options):
        if target.dtype == np.float64:
            target = target.astype(np.float16)
        return super().read(purpose, logits, target, *arguments, **options)


@mutant(dtypes=HALF, killed_by=BOTH)
class HalvesMistakenForEachOther(MixedTwin):
    """A kernel has one path for 16-bit weights: the bits of float16 weights are read as bfloat16."""

    def read_weight(self, weight):
        return weight.view("bfloat16") if weight.dtype == np.float16 else weight


@mutant(dtypes=HALF, killed_by=BOTH)
class WideWeightsOfSmoothingForgotten(MixedTwin):
    """Weights of another dtype scale the loss of the label, while the term of smoothing takes only those of the logits'
    dtype and has none.
    """

    def read(self, purpose, logits, target, weight=None, *arguments, **options):
        self.forgotten = weight is not None and weight.dtype != logits.dtype and target.dtype.name not in FLOATING
        return super().read(purpose, logits, target, weight, *arguments, **options)

    def weighted(self, call, shares):
        right = super().weighted(call, shares)
        if not (self.forgotten and call.eps):
            return right
        return right + call.eps / call.classes * (1 - call.class_weights)


class WideLossTwin(Extras):
    """Declares a loss in float32, whatever the dtype of the logits."""

    claims = dict.fromkeys(("conventions",), Conventions(output_dtype="float32"))

    def cast(self, array, logits):
        return array.astype(np.float32)


@mutant(dtypes=HALF, killed_by=("dtypes.output",))
class WideLossWithoutOptionsAlone(WideLossTwin):
    """The path with a z-loss adds it in the dtype of the logits, and so is its loss, where others are float32."""

    def reduced(self, call, losses):
        right = super().reduced(call, losses)
        return right.astype(call.logits.dtype) if call.lse_square_scale else right


@mutant(dtypes=HALF, killed_by=("dtypes.gradient-output",))
class GradientOfCappedLogitsIsWide(WideLossTwin):
    """Logits are converted to float32 for the cap, which backward forgets to undo."""

    def grad_logits(self, call, cotangents):
        right = super().grad_logits(call, cotangents)
        return right if call.softcap is None else right.astype(np.float32)
