"""Backends with several faults, as examples of causes; ``composites.page`` shows what a run prints about each."""

from __future__ import annotations

from composites.planted import candidates, together
from mutants.numpy_twin import NumpyTwin


class PastFourClasses(NumpyTwin):
    """Log-probabilities of more than four classes are off by 0.01."""

    def log_probs(self, call):
        return super().log_probs(call) + (0.01 if call.classes > 4 else 0)


class SpatialGradient(NumpyTwin):
    """Gradients of spatial logits are one percent too large."""

    def row_gradient(self, call):
        return super().row_gradient(call) * (1.01 if call.logits.ndim > 2 else 1)


class SmoothedWeightedMean(NumpyTwin):
    """The mean with smoothing and class weights divides by half of what it should."""

    def divisor(self, call):
        both = call.eps and call.weight is not None and call.probabilities is None
        return super().divisor(call) / (2 if both else 1)


class Three(PastFourClasses, SpatialGradient, SmoothedWeightedMean):
    """All three of them."""


#: Pairs of mutants, by the name of the example.
PAIRS = {
    "divisor_and_reduction": ("mean-over-all-rows", "unknown-reduction-is-mean"),
    "smoothing_and_unbatched": ("smoothing-over-other-classes", "unbatched-loss-has-an-axis"),
    "half_and_weights": ("long-rows-in-half", "smoothing-term-unweighted"),
    "probabilities_and_nothing": ("smoothing-dropped-for-probabilities", "all-ignored-gradient-is-nan"),
}
EXAMPLES = ("three", *PAIRS)

three = Three("three", ("float32",))
_mutants = candidates()
for _name, _planted in PAIRS.items():
    globals()[_name] = together(tuple(_mutants[mutant] for mutant in _planted), _name)
