"""The tests in common use that the kill matrix compares with: they notice plain faults, and nothing that is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mutants.catalogue import Mutant, all_mutants
from xent_conformance.detection.baselines import BASELINES, baselines
from xent_conformance.detection.usual_grids import GRIDS, claimed, opinfo
from xent_conformance.interface import Capabilities

KERNELBENCH, TYPICAL, OPINFO, LIGER = GRIDS
IDENTITIES = "four textbook identities"

#: Mutants, and the tests that kill them.
PLAIN = {
    "integer-logits-accepted": {IDENTITIES},
    "rows-past1024": {KERNELBENCH},
    "last-partial-tile-dropped": {TYPICAL},
    "negative-weights-clipped": {OPINFO},
    "mean-over-all-rows": {LIGER},
    "last-class-not-subtracted": {TYPICAL, OPINFO},
}


def chosen(*names: str) -> list[Mutant]:
    return [mutant for mutant in all_mutants() if mutant.name in names]


def test_what_each_kills(monkeypatch):
    """Each has inputs that the others lack, and none has more than a few of them."""
    monkeypatch.setattr("xent_conformance.detection.baselines.EXAMPLES", 3)
    found = {name: set(baseline.kills) for name, baseline in baselines(chosen(*PLAIN)).items()}
    assert found == {name: {mutant for mutant, killers in PLAIN.items() if name in killers} for name in BASELINES}


def test_the_seconds_are_those_of_each(monkeypatch):
    ticks = iter([10.0, 13.5, 20.0, 21.0, 30.0, 30.2, 40.0, 40.0, 50.0, 50.0])
    monkeypatch.setattr("xent_conformance.detection.baselines.time.perf_counter", lambda: next(ticks))
    assert [baseline.seconds for baseline in baselines([]).values()] == [3.5, 1.0, 0.2, 0.0, 0.0]


@pytest.mark.parametrize("name", BASELINES)
def test_a_correct_implementation_survives(name):
    """Compared with itself, in float32 and in a dtype of fewer digits."""
    for mutant in chosen("labels-through-float16", "class-sum-in-bfloat16"):
        assert not BASELINES[name](replace(mutant, backend=mutant.twin))


def test_samples_that_a_backend_does_not_claim_are_left_out():
    samples = list(opinfo(np.random.default_rng(0), "float32"))
    assert len(samples) == 21
    plain = [sample for sample in samples if claimed(sample, Capabilities())]
    assert len(plain) == 4
    assert all(sample.logits.shape == (2, 3) and sample.weight is None for sample in plain)
    assert all(
        claimed(sample, Capabilities(probability_targets=True, weight=True, spatial=True, ignore_index=True))
        for sample in samples
    )
