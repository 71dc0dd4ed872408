"""Detection power: every mutant dies by what is declared to kill it, and no correct twin does."""

import pytest

from mutants.catalogue import all_mutants
from xent_conformance.detection.kill_search import families, search
from xent_conformance.detection.kills import Corpus, kills
from xent_conformance.judging.profiles import Settings
from xent_conformance.requirements.registry import Level, grouped, load

MUTANTS = all_mutants()
REQUIREMENTS = load()


@pytest.fixture(scope="module")
def corpus():
    return Corpus(Settings("default", 0))


def test_there_are_enough_mutants_and_each_that_is_tuned_on_has_a_killer():
    assert len(MUTANTS) >= 80
    for mutant in MUTANTS:
        assert mutant.killed_by or mutant.untuned, mutant.name
        assert mutant.idea, mutant.name
        assert not set(mutant.killed_by) - set(REQUIREMENTS), mutant.name
        assert not mutant.link or mutant.link.startswith("https://"), mutant.name


#: Wrong in the first call of a backend alone: here each requirement has a new one, in a run the first to call kills it.
FIRST_CALL = "first-call-tunes"


#: On a busy machine the threads of a race may run one after the other, so that it is judged more often.
TRIES = {"purity.threads": 3}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_killed_by_each_requirement_declared(mutant, corpus):
    for identifier in mutant.killed_by:
        only, tries = [REQUIREMENTS[identifier]], TRIES.get(identifier, 1)
        killed = (kills(mutant.backend(), only, corpus, first=True) for _ in range(tries))
        assert any(killed), f"{mutant.name} survives {identifier}: {mutant.idea}"


#: Requirements without a mutant, with why they stay.
WITHOUT_A_MUTANT = {
    "invalid_calls.labels-that-abort": "needs a process of its own; wrong backends in tests/faults/test_abort.py",
    "scale.elements": "needs more memory than a test may take; its problems are tested in tests/core/test_scale.py",
    "conventions.zero-times-infinity-gradient": "applies only where the choice is documented as zero",
}


def test_every_must_kills_a_mutant():
    """One that it is declared to kill, or any other that is killed for sure."""
    declared = {identifier for mutant in MUTANTS for identifier in mutant.killed_by}
    others = [r for r in REQUIREMENTS.values() if r.level is Level.MUST and r.id not in declared]
    sure = families(m for m in MUTANTS if m.name != FIRST_CALL and not m.untuned)
    found = [search(sure, group, Settings("default", 0), any_mutant=True) for group in grouped(others).values()]
    kill = {identifier for one in found for _, identifier in one.kills}
    assert {r.id for r in others} - kill == set(WITHOUT_A_MUTANT)


def test_the_correct_twins_pass_everything():
    """At the quick profile: `xent campaign` judges correct implementations on far more problems."""
    corpus = Corpus(Settings("quick", 0))
    twins = {
        type(twin): twin for mutant in MUTANTS if (twin := mutant.twin()).capabilities.logits_dtypes == ("float32",)
    }
    judged = [r for r in REQUIREMENTS.values() if r.level is Level.MUST and not r.opt_in]
    for twin in twins.values():
        assert kills(twin, judged, corpus) == {}, twin.name
