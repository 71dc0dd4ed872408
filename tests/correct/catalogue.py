"""The catalogue: forms A and B with every order of sums, and the worst that each weaker tier admits."""

from __future__ import annotations

from correct.extras import CapBySigmoid, CorrectExtras, extended
from correct.implementations import StoredSums, StoredTensors
from correct.sums import blocked, descending, pairwise, sequential
from xent_conformance.interface import Backend, Precision

SUMS = {"pairwise": pairwise, "blocked": blocked, "sequential": sequential, "descending": descending}
NATIVE_SUMS = Precision(class_sum="native", batch_sum="native")
EVERYTHING_ROUNDED = Precision(internals="native", form="B", class_sum="native", batch_sum="native", log="approximate")


def all_correct() -> list[Backend]:
    """Every correct implementation, from the most accurate to the least."""
    stored_tensors, stored_sums = extended(StoredTensors), extended(StoredSums)
    wide = [
        CorrectExtras(f"{form}, {name}", add, Precision(form=form)) for form in ("A", "B") for name, add in SUMS.items()
    ]
    return [
        *wide,
        stored_tensors("B, approximate log", sequential, Precision(form="B", log="approximate")),
        stored_tensors("A, tensors stored", descending, Precision()),
        stored_tensors("B, tensors stored", descending, Precision(form="B")),
        stored_sums("A, sums stored", sequential, NATIVE_SUMS),
        CapBySigmoid("A, cap by sigmoid", pairwise, Precision()),
        CorrectExtras("A, all rounded", sequential, Precision(internals="native")),
        CapBySigmoid("A, all rounded, cap by sigmoid", sequential, Precision(internals="native")),
        CorrectExtras("B, all rounded", sequential, Precision(internals="native", form="B")),
        CorrectExtras("B, all and sums rounded", descending, EVERYTHING_ROUNDED),
    ]
