"""Points on which respected frameworks differ. A backend declares its choice and is held to it.

Every field's default is what PyTorch documents for ``torch.nn.functional.cross_entropy``. A backend that chooses
otherwise gives, in ``documentation``, the URL where its library documents that choice; without one the difference is a
deviation, not a convention.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

NanOrZero = Literal["nan", "zero"]


@dataclass(frozen=True)
class Conventions:
    """One field for each disputed question; the comments give the question in full."""

    #: Mean when every row is ignored: its loss, and its gradient.
    all_ignored_loss: NanOrZero = "nan"
    all_ignored_gradient: NanOrZero = "zero"
    #: Mean when rows are left but their weights sum to zero: its loss, and its gradient.
    zero_weight_loss: NanOrZero = "nan"
    zero_weight_gradient: NanOrZero = "nan"
    #: Mean of an empty batch.
    empty_batch_loss: NanOrZero = "nan"
    #: A class index outside [0, C) that is not ``ignore_index``. ``abort`` kills the process or device context.
    invalid_label: Literal["error", "nan", "abort", "undefined"] = "error"
    #: What the mean divides by, for class indices: sum of the targets' weights, rows not ignored, or all rows.
    mean_divisor: Literal["target_weight", "valid_rows", "all_rows"] = "target_weight"
    #: What the mean divides by, for probability targets: rows, or the weighted sum of the targets.
    probability_divisor: Literal["batch", "weighted"] = "batch"
    #: Smoothing spreads its mass over all C classes (eps/C each), or over the other C-1.
    smoothing_mass: Literal["all_classes", "other_classes"] = "all_classes"
    #: Class weights in the smoothing term: each class its own weight, or the target's weight on the whole row.
    smoothing_weight: Literal["per_class", "per_target"] = "per_class"
    #: A target probability (or weight) of exactly zero on a logit of -inf: 0 * inf evaluated, or defined as 0.
    zero_times_infinity: NanOrZero = "nan"
    #: Probability targets that do not sum to one: used as they are, or not defined.
    unnormalised_targets: Literal["accepted", "undefined"] = "accepted"
    #: The dtype of the loss: that of the logits, or always float32.
    output_dtype: Literal["logits", "float32"] = "logits"

    #: field name -> URL of the library's documentation, for every choice that is not the default.
    documentation: Mapping[str, str] = field(default_factory=dict)

    def choices(self) -> dict[str, str]:
        """Field name to choice, without the documentation."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "documentation"}

    def undocumented(self) -> list[str]:
        """Fields that differ from PyTorch's documented behaviour without a URL to show for it."""
        defaults = Conventions().choices()
        return [k for k, v in self.choices().items() if v != defaults[k] and k not in self.documentation]
