"""The arithmetic that an implementation promises, and the tiers by which the report ranks implementations.

For float32 and float64 logits ``internals`` and the storage fields make no difference: the tensor's own format is
already the working precision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class Precision:
    """The arithmetic that an implementation promises for one dtype on one device.

    internals
        ``float32``: intermediate values are float32 or wider. ``native``: every elementwise operation rounds to the
        dtype of the logits.
    form
        ``A`` computes ``(x_t - max) - log(sum)`` and is exact under shifts; ``B`` computes ``logsumexp(x) - x_t`` and
        loses the spacing of ``logsumexp``.
    class_sum
        ``native``: the sum of exponentials over the classes, and its logarithm, are stored in the dtype of the logits.
    batch_sum
        How losses and weights are added over the batch: ``wide`` in float32 or wider, ``cascade`` in the dtype of the
        logits with blocked partial sums, ``native`` in the dtype of the logits in any order.
    log
        ``accurate``: error of one unit in the last place of the result; ``approximate``: an absolute error for
        arguments near 1, as of a fast ``logf``.
    subnormals
        float16 results below the smallest normal number, 6e-5, are ``kept`` as subnormal numbers or ``flushed`` to
        zero. In bfloat16, float32 and float64 both are allowed.
    """

    internals: Literal["float32", "native"] = "float32"
    form: Literal["A", "B"] = "A"
    class_sum: Literal["internal", "native"] = "internal"
    batch_sum: Literal["wide", "cascade", "native"] = "wide"
    log: Literal["accurate", "approximate"] = "accurate"
    subnormals: Literal["kept", "flushed"] = "kept"


#: Tiers from tightest to loosest. The report names the first one that an implementation meets.
TIERS: dict[str, Precision] = {
    "float32 internals, form A": Precision(),
    "float32 internals, form B": Precision(form="B"),
    "float32 internals, form B, approximate log": Precision(form="B", log="approximate"),
    "float32 internals, form A, sums stored in the dtype": Precision(class_sum="native", batch_sum="native"),
    "every operation rounded, form A": Precision(internals="native"),
    "every operation rounded, form B": Precision(internals="native", form="B"),
    "every operation and sum rounded, form B": Precision(
        internals="native", form="B", class_sum="native", batch_sum="native", log="approximate"
    ),
}

#: What an implementation MUST meet if it declares no precision: the loosest tier, but with losses added in blocks. One
#: after the other in 16 bits they stop growing, in bfloat16 from 256 rows on, and no error at all would be too large.
WEAKEST = replace(TIERS["every operation and sum rounded, form B"], batch_sum="cascade")

#: The tier that every implementation SHOULD meet: float32 or wider internals, in either form.
RECOMMENDED = TIERS["float32 internals, form B, approximate log"]
