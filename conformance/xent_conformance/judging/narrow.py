"""Whether a number is wrong in float64 because it was computed in float32.

That is one fault, whatever the problem: each requirement that has a bound fails in this dtype. What the problems have
in common says nothing, no call reads outside its inputs for that, and none fails by chance, so that such failures are
examined less. Examining all of them as others would take most of the time of a run.
"""

from __future__ import annotations

import math

import numpy as np

from xent_conformance.judging.findings import Finding
from xent_conformance.judging.trial import Trial
from xent_conformance.problem import F64Array
from xent_conformance.records.in_float32 import ROUNDED, as_near_as_float32, shows_float32
from xent_conformance.records.instances import NUMBERS


def shows_narrow(trial: Trial, finding: Finding) -> bool:
    """Whether the number of a finding was computed in float32, as only one of many bits shows."""
    number = finding.details()
    return _is_wide(trial, finding) and shows_float32(number.get("got"), number.get("expected"))


def may_be_narrow(trial: Trial, finding: Finding) -> bool:
    """Whether the number of a finding may have been: any with such an error, or for inputs beyond float32."""
    return _is_wide(trial, finding) and (_as_near(trial, finding) or _is_beyond_float32(trial))


def as_narrow(trial: Trial, finding: Finding, other_trial: Trial, other: Finding) -> bool:
    """Whether the fault of a finding may be that of another one: both show it to be float32, or neither does.

    A finding that shows nothing, with an error that float32 may have too, may have either fault.
    """
    if shows_narrow(trial, finding):
        return shows_narrow(other_trial, other)
    return not shows_narrow(other_trial, other) or _as_near(trial, finding)


def _is_wide(trial: Trial, finding: Finding) -> bool:
    return trial.problem.dtype == "float64" and finding.kind in NUMBERS


def _as_near(trial: Trial, finding: Finding) -> bool:
    """Whether the error is one of float32: of a sum of so many terms that are products of the largest inputs."""
    scale = math.sqrt(max(1, trial.problem.logits.size))
    for wide in _of_float64(trial).values():
        scale *= max(1.0, float(np.abs(wide).max(initial=0.0)))
    number = finding.details()
    return as_near_as_float32(number.get("got"), number.get("expected"), scale)


def _is_beyond_float32(trial: Trial) -> bool:
    """Whether inputs overflow or vanish in float32, or logits are rounded by more than its errors."""
    with np.errstate(all="ignore"):
        for name, wide in _of_float64(trial).items():
            narrow = wide.astype(np.float32).astype(np.float64)
            if np.isinf(narrow).any() or ((narrow == 0) & (wide != 0)).any():
                return True
            if name == "logits" and (np.abs(wide - narrow) > ROUNDED).any():
                return True
    return False


def _of_float64(trial: Trial) -> dict[str, F64Array]:
    """The finite numbers of each input of float64."""
    arrays = {name: array for name, array in trial.problem.arrays().items() if array.dtype == np.float64}
    return {name: array[np.isfinite(array)].astype(np.float64) for name, array in arrays.items()}
