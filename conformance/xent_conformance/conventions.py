"""Conventions: points on which established frameworks differ. A backend declares its choice and is judged by it.

Every field's default is what PyTorch documents for ``torch.nn.functional.cross_entropy``. Any other choice is shown
with its basis: the URL where the library documents it, the behaviour of a bare callable, the command line, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NanOrZero = Literal["nan", "zero"]

#: The basis of a choice, other than documentation. Records and reports print it.
BEHAVIOUR, COMMAND_LINE, UNDOCUMENTED = "taken from its behaviour", "set on the command line", "undocumented"
ASSUMED = "assumed, because a call that tests it could destroy the device's context"

#: Field name to the question it answers, in full: records carry it, and reports print it beside the answers.
QUESTIONS: dict[str, str] = {
    "all_ignored_loss": "The mean when every row is ignored: its loss.",
    "all_ignored_gradient": "The mean when every row is ignored: its gradient.",
    "zero_weight_loss": "The mean when rows are left but their weights sum to zero: its loss.",
    "zero_weight_gradient": "The mean when rows are left but their weights sum to zero: its gradient.",
    "empty_batch_loss": "The mean of a batch without rows.",
    "invalid_label": "A class index outside [0, C) that is not ignored; abort kills the process or device context.",
    "mean_divisor": "What the mean divides by, for indices: sum of target weights, rows not ignored, or all rows.",
    "probability_divisor": "What the mean divides by, for probabilities: rows, or the weighted sum of the targets.",
    "smoothing_mass": "Smoothing spreads its mass over all C classes (eps / C each), or over the other C - 1.",
    "smoothing_weight": "Class weights when smoothing: each class its own, or the target's on the whole row.",
    "zero_times_infinity": "A probability or weight of zero on a logit of -inf: 0 * inf evaluated, or taken as 0.",
    "all_masked_row": "A row of only -inf: nan for loss and gradients, a loss of inf, or zero for all.",
    "infinite_row": "A row with a logit of +inf: nan, anything that is not finite, or the limit.",
    "unnormalised_targets": "Probability targets that do not sum to one: used as they are, or not defined.",
    "output_dtype": "The dtype of the loss: that of the logits, float32 for half formats only, or always float32.",
}


def loss_dtype(output_dtype: str, logits: str) -> str:
    """The dtype of the loss.

    Args:
        output_dtype: The convention of that name.
        logits: The dtype of the logits.

    Example:
        >>> loss_dtype("at_least_float32", "bfloat16"), loss_dtype("at_least_float32", "float64")
        ('float32', 'float64')
    """
    half = logits.endswith("16")
    return "float32" if output_dtype == "float32" or (output_dtype == "at_least_float32" and half) else logits


@dataclass(frozen=True)
class Conventions:
    """One field for each disputed question of ``QUESTIONS``."""

    all_ignored_loss: NanOrZero = "nan"
    all_ignored_gradient: NanOrZero = "zero"
    zero_weight_loss: NanOrZero = "nan"
    zero_weight_gradient: NanOrZero = "nan"
    empty_batch_loss: NanOrZero = "nan"
    invalid_label: Literal["error", "nan", "abort", "undefined"] = "error"
    mean_divisor: Literal["target_weight", "valid_rows", "all_rows"] = "target_weight"
    probability_divisor: Literal["batch", "weighted"] = "batch"
    smoothing_mass: Literal["all_classes", "other_classes"] = "all_classes"
    smoothing_weight: Literal["per_class", "per_target"] = "per_class"
    zero_times_infinity: NanOrZero = "nan"
    all_masked_row: Literal["nan", "inf", "zero"] = "nan"
    infinite_row: Literal["nan", "not_finite", "limit"] = "nan"
    unnormalised_targets: Literal["accepted", "undefined"] = "accepted"
    output_dtype: Literal["logits", "at_least_float32", "float32"] = "logits"

    #: field name -> URL of the library's documentation, for every choice that is not the default.
    documentation: Mapping[str, str] = field(default_factory=dict)
    #: field name -> ``BEHAVIOUR``, ``COMMAND_LINE`` or ``ASSUMED``, for choices that no adapter declares.
    basis: Mapping[str, str] = field(default_factory=dict)

    def choices(self) -> dict[str, str]:
        """Field name to choice."""
        return {name: getattr(self, name) for name in QUESTIONS}

    def differing(self) -> dict[str, str]:
        """Field name to the basis of the choice, for the fields that differ from PyTorch's documentation."""
        return {
            name: self.basis.get(name) or self.documentation.get(name) or UNDOCUMENTED
            for name, choice in self.choices().items()
            if choice != getattr(PYTORCH, name)
        }

    def undocumented(self) -> list[str]:
        """Fields for which an adapter declares another choice than PyTorch's without a URL."""
        return [name for name, why in self.differing().items() if why == UNDOCUMENTED]


PYTORCH = Conventions()


def described() -> dict[str, dict[str, str]]:
    """Field name to its default and the question it answers, for the header of a record."""
    return {name: {"default": default, "question": QUESTIONS[name]} for name, default in PYTORCH.choices().items()}
