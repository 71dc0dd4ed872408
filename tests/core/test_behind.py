"""The faults behind the failures of one requirement: each reduced, its situation set aside, the search going on."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from mutants.numpy_twin import NumpyTwin
from xent_conformance.judging.judge import judge, trials
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.requirements.registry import load
from xent_conformance.verdicts.tally import MOST, Tally
from xent_conformance.witnesses.behind import MOST as CAUSES
from xent_conformance.witnesses.behind import causes


class TwoFaults(NumpyTwin):
    """Smoothing forgets a class weight; spatial logits lose a loss."""

    def row_losses(self, call):
        losses = super().row_losses(call)
        if call.logits.ndim > 2:
            losses[-1:] = 7
        return losses

    def weighted(self, call, shares):
        return shares if call.eps else super().weighted(call, shares)


class Raises(NumpyTwin):
    """Smoothing beside ignored rows raises, which hides that the mean divides by all rows."""

    def shares(self, call):
        if call.eps and call.ignored.any():
            raise ValueError("no smoothing of ignored rows")
        return super().shares(call)

    def divisor(self, call):
        return len(call.x) if call.probabilities is None else super().divisor(call)


class Sometimes(NumpyTwin):
    """Every third call is wrong."""

    calls = 0

    def loss(self, call):
        self.calls += 1
        return super().loss(call) + (self.calls % 3 == 0)


class OfFloat32(NumpyTwin):
    """Computes float64 in float32; with smoothing it is wrong."""

    calls = 0

    def loss(self, call):
        self.calls += 1
        loss = super().loss(call)
        return loss * 0.9 if call.eps else loss.astype(np.float32).astype(loss.dtype)


def established(backend, requirement="accuracy.loss", dtype="float32"):
    subject, tally = Subject.of(backend, dtype), Tally()
    judged = load()[requirement]
    for trial in islice(trials(subject, judged.source, Settings()), 120):
        for derived, found in judge(judged, trial):
            tally.count(derived, found, excused=False)
    return causes(judged, subject, tally.failing), tally


def test_two_faults_of_one_requirement_are_two_causes_with_their_situations():
    found, tally = established(TwoFaults())
    situations = [set(cause.needs.situation) for cause in found]
    assert any({"smoothing", "class weights"} <= s and "spatial" not in s for s in situations)
    assert any("spatial" in s and not {"smoothing", "class weights"} & s for s in situations)
    # Once as many causes are known as are looked for, others are left.
    explained = sum(cause.explained for cause in found)
    assert explained == tally.failed or (explained < tally.failed and len(found) == CAUSES)


def test_a_wrong_number_is_seen_behind_an_exception():
    found, _ = established(Raises())
    assert {cause.witness.finding.kind for cause in found} == {"raised", "wrong-value"}
    raised = next(c for c in found if c.witness.finding.kind == "raised")
    assert {"smoothing", "ignored rows"} <= set(raised.needs.situation)


def test_float64_of_float32_is_one_cause_that_takes_few_calls_and_hides_no_other():
    """It needs nothing; numbers that were not computed in float32 are another fault, in whatever situation."""
    found, tally = established(OfFloat32(), dtype="float64")
    assert [cause.narrow for cause in found] == [True, False]
    assert [cause.needs.situation[:1] for cause in found] == [(), ("smoothing",)]
    assert sum(cause.explained for cause in found) == tally.failed
    backend = OfFloat32()
    (narrow,), tally = established(backend, "identities.equal-logits", dtype="float64")
    assert narrow.witness.problem.logits.shape == (1, 2)
    assert narrow.needs.undecided == ()
    # More than fifty would be needed to see whether it fails by chance, and hundreds for what it needs.
    assert backend.calls < tally.examples + 50


def test_a_fault_of_binary_problems_is_explained_as_that():
    class Binary(NumpyTwin):
        def log_softmax_rows(self, x):
            return super().log_softmax_rows(x) * (1.01 if x.shape[1] == 2 else 1)

    found, _ = established(Binary())
    assert found
    assert all("two classes" in cause.needs.situation for cause in found)


def test_one_fault_is_one_cause():
    class Halved(NumpyTwin):
        def row_losses(self, call):
            return super().row_losses(call) * (0.5 if call.eps else 1)

    found, tally = established(Halved())
    assert [cause.needs.situation[:1] for cause in found] == [("smoothing",)]
    assert found[0].explained == tally.failed


def test_a_requirement_about_an_option_says_whether_its_failure_needs_that():
    """It does not apply without the option; the exact answer of that call and its bound do."""

    class DivisorOfOne(NumpyTwin):
        def divisor(self, call):
            return np.maximum(super().divisor(call), 1) if call.weight is not None else super().divisor(call)

    class Halved(NumpyTwin):
        def row_losses(self, call):
            return super().row_losses(call) * 0.5

    needed = [cause.needs for cause in established(DivisorOfOne(), "weights.loss")[0]]
    assert needed
    assert all({"class weights", "reduction mean"} <= set(needs.situation) for needs in needed)
    for needs in (cause.needs for cause in established(Halved(), "weights.loss")[0]):
        assert "class weights" not in {*needs.situation, *needs.undecided}


def test_whether_nan_matters_is_said_by_the_requirement_only():
    """A row of nan makes every other row nan; with the sum, or with ordinary numbers, there is nothing to see."""

    class NanSpreads(NumpyTwin):
        def row_losses(self, call):
            losses = super().row_losses(call)
            return losses + 0 * losses.sum()

    found, _ = established(NanSpreads(), "extremes.other-rows")
    assert found
    for cause in found:
        assert not {"reduction none", "logits that are nan", "logits of infinity"} & set(cause.needs.situation)


def test_a_requirement_about_empty_batches_says_whether_an_exception_needs_one():
    class NoMaximum(NumpyTwin):
        def row_losses(self, call):
            call.x.max()
            return super().row_losses(call)

    (cause,) = established(NoMaximum(), "edges.empty-batch")[0]
    assert cause.needs.situation == ("no rows",)


def test_what_only_another_call_has_is_undecided():
    """The sum of a loss with the sum is compared with the rows of one without: either may be wrong."""

    class WrongRows(NumpyTwin):
        def row_losses(self, call):
            return super().row_losses(call) * (2 if call.reduction == "none" else 1)

    found, _ = established(WrongRows(), "reduction.sum-of-rows")
    assert found
    assert all(cause.witness.problem.reduction == "sum" for cause in found)
    assert all("reduction none" in cause.needs.undecided for cause in found)


def test_a_gradient_of_the_target_needs_no_probabilities_to_be_wrong():
    class Doubled(NumpyTwin):
        def grad_target(self, call, cotangents):
            return 2 * super().grad_target(call, cotangents)

    found, _ = established(Doubled(), "gradients.probability-targets")
    assert found
    assert not any("probability targets" in cause.needs.situation for cause in found)
    assert any("probability targets" in cause.needs.undecided for cause in found)


def test_of_two_gradients_the_other_one_is_right_where_a_fault_is_in_one_of_them():
    class OfTheTarget(NumpyTwin):
        def grad_target(self, call, cotangents):
            return 2 * super().grad_target(call, cotangents)

    class OfTheLogits(NumpyTwin):
        def row_gradient(self, call):
            return super().row_gradient(call) * (1 if call.probabilities is None else 2)

    class OfBoth(NumpyTwin):
        def scale(self, call, cotangents):
            return super().scale(call, cotangents) * (1 if call.probabilities is None else 2)

    of_target, of_logits = "gradients.probability-targets", "gradients.every-combination"
    assert [cause.right for cause in established(OfTheTarget(), of_target)[0]] == [("grad_logits",)]
    assert ("grad_target",) in [cause.right for cause in established(OfTheLogits(), of_logits)[0]]
    for requirement in (of_target, of_logits):
        found, _ = established(OfBoth(), requirement)
        assert found
        assert not any(cause.right for cause in found)


def test_variants_ask_for_nothing_that_is_not_claimed():
    asked = set()

    class Narrow(NumpyTwin):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.capabilities = replace(
                self.capabilities, weight=False, label_smoothing=False, probability_targets=False, unbatched=False
            )

        def loss(self, call):
            given = {"weight": call.weight, "smoothing": call.eps, "probabilities": call.probabilities}
            asked.update(name for name, value in given.items() if value is not None and np.any(value))
            asked.update({"unbatched"} if call.logits.ndim == 1 else ())
            return super().loss(call) + call.ignored.any()

    found, _ = established(Narrow())
    assert "ignored rows" in found[0].needs.situation
    assert not asked


def test_nothing_is_said_of_what_a_failure_needs_that_comes_and_goes():
    found, _ = established(Sometimes())
    assert all(not c.needs.situation for c in found if c.witness.sometimes)


@pytest.mark.parametrize("count", [MOST // 2, 3 * MOST])
def test_failing_trials_are_kept_while_they_differ(count):
    subject, tally = Subject.of(TwoFaults(), "float32"), Tally()
    judged = load()["accuracy.loss"]
    for trial in islice(trials(subject, judged.source, Settings()), count):
        for derived, found in judge(judged, trial):
            tally.count(derived, found, excused=False)
    assert 0 < len(tally.failing) <= MOST
    assert len({(f.finding.signature, f.facts) for f in tally.failing}) == len(tally.failing)


class AlwaysMean(NumpyTwin):
    """A loss that is a mean and nothing else, and twice as large as it should be."""

    claims = dict.fromkeys(("reductions",), ("mean",))

    def loss(self, call):
        return 2 * super().loss(call)


def test_the_only_reduction_of_a_backend_is_no_situation():
    found, _ = established(AlwaysMean())
    assert found[0].always
    assert not {"reduction mean", "a reduced loss"} & {*found[0].needs.situation, *found[0].needs.undecided}


class CountsAllRows(NumpyTwin):
    """A mean over all rows, ignored or not."""

    def reduced(self, call, losses):
        return losses.mean() if call.reduction == "mean" else super().reduced(call, losses)


def test_a_large_call_in_another_reduction_than_its_few_rows_is_explained_by_them():
    """It fails in the mean alone, and with few rows as well."""
    found, _ = established(CountsAllRows(), "accuracy.large-call")
    needed = {*found[0].needs.situation}
    assert {"reduction mean", "ignored rows"} <= needed
    assert not any(name.startswith("more than") for name in needed)
    assert found[0].witness.problem.rows <= 2
