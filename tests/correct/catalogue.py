"""The catalogue: forms A and B with every order of sums, and the worst that each weaker tier admits."""

from __future__ import annotations

from correct.implementations import Correct, StoredSums, StoredTensors
from correct.sums import blocked, descending, pairwise, sequential
from xent_conformance.interface import Backend, Precision

SUMS = {"pairwise": pairwise, "blocked": blocked, "sequential": sequential, "descending": descending}
NATIVE_SUMS = Precision(class_sum="native", batch_sum="native")
EVERYTHING_ROUNDED = Precision(internals="native", form="B", class_sum="native", batch_sum="native", log="approximate")


def all_correct() -> list[Backend]:
    """Every correct implementation, from the most accurate to the least."""
    wide = [Correct(f"{form}, {name}", add, Precision(form=form)) for form in ("A", "B") for name, add in SUMS.items()]
    return [
        *wide,
        StoredTensors("B, approximate log", sequential, Precision(form="B", log="approximate")),
        StoredTensors("A, tensors stored", descending, Precision()),
        StoredTensors("B, tensors stored", descending, Precision(form="B")),
        StoredSums("A, sums stored", sequential, NATIVE_SUMS),
        Correct("A, all rounded", sequential, Precision(internals="native")),
        Correct("B, all rounded", sequential, Precision(internals="native", form="B")),
        Correct("B, all and sums rounded", descending, EVERYTHING_ROUNDED),
    ]
