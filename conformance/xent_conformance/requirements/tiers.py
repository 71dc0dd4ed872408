"""Tiers of precision: those that differ for a dtype, and the tightest that every problem meets."""

from __future__ import annotations

from collections.abc import Iterable

from xent_conformance.bounds.error_model import ErrorModel
from xent_conformance.formats import format_named
from xent_conformance.judging.findings import Finding
from xent_conformance.precision import TIERS, Precision


def tiers(dtype: str) -> dict[str, Precision]:
    """Tiers that differ for a dtype: for float32 and float64 most coincide."""
    different: dict[str, Precision] = {}
    models: list[dict[str, object]] = []
    for name, precision in TIERS.items():
        model = vars(ErrorModel(format_named(dtype), precision))
        if model not in models:
            models.append(model)
            different[name] = precision
    return different


def tightest(worst: Iterable[Finding]) -> str:
    """The first tier that every example meets, and by how much the one before it is missed."""
    missed = ""
    for finding in worst:
        if not finding.failed:
            return f"{finding.quantity} (largest ratio {finding.ratio:.2g})" + (
                f"; not met: {missed}" if missed else ""
            )
        missed = f"{finding.quantity} ({finding.ratio:.3g} times its bound)"
    return f"none; not met: {missed}"
