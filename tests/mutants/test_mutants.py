"""Detection power: every mutant dies by what is declared to kill it, and no correct twin does."""

import pytest

from mutants.catalogue import all_mutants
from xent_conformance.evaluation import Settings
from xent_conformance.kills import Corpus, kills
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


#: Mutants that no requirement is sure to kill, with what would.
SURVIVORS = {
    "first-call-tunes": "a fresh backend for each requirement: it is wrong in its first call alone",
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


#: For each MUST that no mutant declares as its killer, a mutant that it kills all the same.
ALSO_KILLS = {
    "accuracy.large-gaps": "backward-recomputes-without-shift",
    "accuracy.large-offsets": "auxiliary-loss-left-on",
    "conventions.all-ignored-gradient": "all-ignored-gradient-is-nan",
    "conventions.all-ignored-loss": "all-ignored-gives-zero",
    "conventions.zero-times-infinity": "epsilon-inside-the-log",
    "conventions.zero-weight-gradient": "divisor-at-least-one",
    "extremes.gradient": "all-ignored-gradient-is-nan",
    "extremes.loss": "divisor-at-least-one",
    "extremes.other-rows": "epsilon-inside-the-log",
    "gradients.equal-logits": "backward-recomputes-without-shift",
    "gradients.every-class-count": "backward-recomputes-without-shift",
    "gradients.rows-sum-to-zero": "backward-recomputes-without-shift",
    "gradients.zero-cotangent": "backward-recomputes-without-shift",
    "identities.batch-permutation": "auxiliary-loss-left-on",
    "identities.class-permutation": "class-stride-taken-for-one",
    "identities.definition": "class-stride-taken-for-one",
    "identities.gibbs": "class-stride-taken-for-one",
    "identities.one-hot-is-index": "first-call-tunes",
    "identities.probabilities-in-range": "fewer-classes-than-lanes",
    "identities.row-independence": "class-stride-taken-for-one",
    "identities.shift": "fewer-classes-than-lanes",
    "identities.softplus": "epsilon-inside-the-log",
    "identities.worked-example": "first-call-tunes",
    "ignore_index.any-sentinel": "first-call-tunes",
    "ignore_index.default": "first-call-tunes",
    "ignore_index.ignoring-is-removing": "first-call-tunes",
    "label_smoothing.full": "first-call-tunes",
    "label_smoothing.gradient": "fewer-classes-than-lanes",
    "label_smoothing.linear": "fewer-classes-than-lanes",
    "label_smoothing.loss": "fewer-classes-than-lanes",
    "label_smoothing.mixture": "first-call-tunes",
    "label_smoothing.zero": "first-call-tunes",
    "layout.spatial-is-flat": "logits-read-as-dense",
    "layout.unbatched-is-one-row": "unbatched-weight-cancels",
    "layout.square-gradient": "logits-read-as-dense",
    "probability_targets.linear": "logits-read-as-dense",
    "probability_targets.loss": "logits-read-as-dense",
    "purity.repeatable": "first-call-tunes",
    "reduction.duplicate-batch": "logits-read-as-dense",
    "reduction.gradients": "logits-read-as-dense",
    "reduction.mean-times-divisor": "first-call-tunes",
    "reduction.recombination": "first-call-tunes",
    "reduction.sum-of-rows": "first-call-tunes",
    "weights.constant": "first-call-tunes",
    "weights.gradient": "logits-read-as-dense",
    "weights.loss": "logits-read-as-dense",
    "weights.scale": "first-call-tunes",
    "weights.total-weight-zero": "divisor-at-least-one",
    "weights.zero-weight-is-ignored": "first-call-tunes",
}
#: Requirements without a mutant, with why they stay.
WITHOUT_A_MUTANT = {
    "invalid_calls.labels-that-abort": "needs a process of its own; wrong backends in tests/faults/test_abort.py",
    "scale.elements": "needs more memory than a test may take; its problems are tested in tests/core/test_scale.py",
    "conventions.zero-times-infinity-gradient": "applies only where the choice is documented as zero",
}


def test_every_must_has_a_mutant():
    declared = {identifier for mutant in MUTANTS for identifier in mutant.killed_by}
    musts = {r.id for r in REQUIREMENTS.values() if r.level is Level.MUST}
    assert musts - declared - set(ALSO_KILLS) == set(WITHOUT_A_MUTANT)


@pytest.mark.parametrize("identifier", ALSO_KILLS)
def test_requirement_kills_a_mutant_that_others_are_made_for(identifier, corpus):
    (mutant,) = (m for m in MUTANTS if m.name == ALSO_KILLS[identifier])
    assert kills(mutant.backend(), [REQUIREMENTS[identifier]], corpus, first=True)


def test_the_correct_twins_pass_everything(corpus):
    twins = {
        type(twin): twin for mutant in MUTANTS if (twin := mutant.twin()).capabilities.logits_dtypes == ("float32",)
    }
    judged = [r for r in REQUIREMENTS.values() if r.level is Level.MUST]
    for twin in twins.values():
        assert kills(twin, judged, corpus) == {}, twin.name
