"""Detection power: every mutant dies by what is declared to kill it, and no correct twin does."""

import pytest

from mutants.catalogue import all_mutants
from xent_conformance.evaluation import Settings
from xent_conformance.kill_matrix import Corpus, kills
from xent_conformance.requirements.registry import Level, load

MUTANTS = all_mutants()
REQUIREMENTS = load()


@pytest.fixture(scope="module")
def corpus():
    return Corpus(Settings("default", 0))


def test_there_are_enough_mutants_and_each_has_a_killer():
    assert len(MUTANTS) >= 80
    for mutant in MUTANTS:
        assert mutant.killed_by, mutant.name
        assert mutant.idea, mutant.name
        assert not set(mutant.killed_by) - set(REQUIREMENTS), mutant.name
        assert not mutant.link or mutant.link.startswith("https://"), mutant.name


#: Mutants that no requirement is sure to kill yet, with what would.
SURVIVORS = {
    "first-call-tunes": "a fresh backend for each requirement: it is wrong in its first call alone",
    "gradient-offsets-wrap-at32768": "a spatial gradient with more than 32768 elements",
    "no-classes-gives-zero": "C = 0 is observed, not judged",
    "sentinel-compared-as-bfloat16": "a sentinel next to a label in use at 2^8, 2^11 and 2^16",
    "spatial-batch-sum-in-float16": "a spatial float16 problem with thousands of rows",
    "sum-in-random-order": "more repetitions of a spatial sum",
    "target-gradient-missing": "a target gradient that is there for one problem and missing for another",
    "unbatched-gradient-not-divided": "unbatched logits with weights and the mean, enumerated",
}


def _case(mutant):
    reason = SURVIVORS.get(mutant.name)
    marks = () if reason is None else pytest.mark.xfail(reason=f"needs {reason}", strict=False)
    return pytest.param(mutant, id=mutant.name, marks=marks)


@pytest.mark.parametrize("mutant", [_case(m) for m in MUTANTS])
def test_mutant_is_killed_by_each_requirement_declared(mutant, corpus):
    for identifier in mutant.killed_by:
        assert kills(mutant.backend(), [REQUIREMENTS[identifier]], corpus, first=True), (
            f"{mutant.name} survives {identifier}: {mutant.idea}"
        )


def test_every_must_kills_a_mutant(corpus):
    """A requirement that finds nothing has no place, unless it works where no oracle can and says so here."""
    works_without_an_oracle = {
        "conventions.zero-times-infinity-gradient": "applies only where the choice is documented as zero",
    }
    declared = {identifier for mutant in MUTANTS for identifier in mutant.killed_by}
    musts = [r for r in REQUIREMENTS.values() if r.level is Level.MUST]
    idle = [
        r.id
        for r in musts
        if r.id not in declared
        and r.id not in works_without_an_oracle
        and not any(kills(mutant.backend(), [r], corpus, first=True) for mutant in MUTANTS)
    ]
    assert idle == []


def test_the_correct_twins_pass_everything(corpus):
    twins = {}
    for mutant in MUTANTS:
        twin = mutant.twin()
        twins.setdefault((type(twin).__name__, twin.capabilities.logits_dtypes), twin)
    judged = [r for r in REQUIREMENTS.values() if r.level is Level.MUST]
    for twin in twins.values():
        assert kills(twin, judged, corpus) == {}, twin.name
