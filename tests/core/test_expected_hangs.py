"""A hang is looked for call by call only until it is known which calls hang; then problems are set aside.

The calls of these backends hang in name only: what counts is how many of them are made.
"""

from contextlib import contextmanager

from mutants.numpy_twin import NumpyTwin
from xent_conformance.calling.calls import TIMEOUT, Outcome
from xent_conformance.calling.execution import LocalExecutor
from xent_conformance.judging.profiles import Settings
from xent_conformance.judging.subject import Subject
from xent_conformance.loading.description import describe
from xent_conformance.records.status import Status
from xent_conformance.requirements.registry import grouped, load
from xent_conformance.verdicts.evaluation import evaluate
from xent_conformance.witnesses.known import KnownCauses

#: Judged in this order, those of one source together.
FEW = ("weights.loss", "accuracy.loss", "gradients.logits", "gradients.sign", "identities.shift")


class Hanging(LocalExecutor):
    """Calls for which ``when`` is true do not return."""

    def __init__(self, when):
        super().__init__(NumpyTwin())
        self.when, self.is_hurried = when, False
        #: Of the calls that have hung, the number of logits, and whether it was in a hurry.
        self.hung = []

    def perform(self, invocation):
        if not self.when(invocation):
            return super().perform(invocation)
        self.hung.append((invocation.arrays["logits"].size, self.is_hurried))
        return Outcome({}, malformed="did not return within 1 s", fate=TIMEOUT)


class Known(KnownCauses):
    """Tells the executor when calls are made in a hurry."""

    @contextmanager
    def in_a_hurry(self, subject, **options):
        executor = subject.executor
        before, executor.is_hurried = executor.is_hurried, True
        yield
        executor.is_hurried = before


class Run:
    """Judges requirements on a backend, one group after the other."""

    def __init__(self, when):
        self.executor, self.known = Hanging(when), Known()
        self.verdicts = {}

    def judge(self, *identifiers, dtype="float32"):
        subject = Subject(describe(NumpyTwin(), None), self.executor, dtype)
        for judged in grouped(load()[i] for i in identifiers).values():
            self.verdicts |= evaluate(subject, judged, Settings("quick"), lost=self.known)
        return self

    def statuses(self, *identifiers):
        return {self.verdicts[i].status for i in identifiers}

    def situations(self, identifier):
        return [set(cause.needs.situation) for cause in self.verdicts[identifier].explained]


def weighted(invocation):
    return invocation.options.get("weight") is not None


def in_the_gradient(invocation):
    return invocation.method.endswith("_vjp")


def test_two_requirements_show_a_hang_and_the_others_cost_a_call_or_two_in_a_hurry():
    names = sorted(i for i, r in load().items() if i.startswith(("accuracy", "gradients")) and not r.opt_in)
    run = Run(weighted).judge("label_smoothing.loss").judge("weights.loss")
    assert run.statuses("label_smoothing.loss", "weights.loss") == {Status.TIMEOUT}
    before = len(run.executor.hung)
    run.judge(*names)
    lost = [i for i in names if run.verdicts[i].status is Status.TIMEOUT]
    assert len(lost) > 10
    assert all(run.situations(i) == [{"class weights"}] for i in lost)
    later = run.executor.hung[before:]
    assert len(later) <= 2 * len(lost)
    assert all(is_hurried for _, is_hurried in later)


def test_in_another_dtype_a_requirement_that_has_shown_a_hang_is_not_judged_on_its_own_problems():
    # The small problem has a row, so that the last of these does not apply to it.
    names = ("weights.loss", "label_smoothing.loss", "accuracy.loss", "gradients.logits", "extremes.zero-share")
    run = Run(weighted).judge(*names)
    assert run.statuses(*names) == {Status.TIMEOUT}
    before = len(run.executor.hung)
    run.judge(*names, dtype="float64")
    assert run.statuses(*names) == {Status.TIMEOUT}
    assert {size for size, _ in run.executor.hung[before:]} == {1}, "only the small problem"
    assert all(run.verdicts[i].failing[0].trial.problem.dtype == "float64" for i in names)


def test_a_hang_in_the_gradient_is_not_that_of_a_requirement_that_needs_none():
    run = Run(in_the_gradient).judge("gradients.logits", "gradients.sign", "gradients.zero-cotangent")
    assert run.statuses("gradients.logits", "gradients.sign") == {Status.TIMEOUT}
    before = len(run.executor.hung)
    assert run.judge("accuracy.loss", "weights.loss").statuses("accuracy.loss", "weights.loss") == {Status.PASS}
    assert len(run.executor.hung) == before


def test_what_one_requirement_alone_has_shown_is_not_expected_of_others():
    # No fact describes how large a weight is, so that all problems with weights are in the situation of this call.
    run = Run(lambda i: weighted(i) and i.options["weight"].max() > 1e4).judge("weights.every-scale", *FEW)
    assert run.statuses("weights.every-scale") == {Status.TIMEOUT}
    assert run.situations("weights.every-scale") == [{"class weights"}]
    assert run.statuses(*FEW) == {Status.PASS}


def test_problems_that_return_are_judged_although_others_in_their_situation_hang():
    many = lambda i: weighted(i) and i.arrays["logits"].shape[-1] > 4  # noqa: E731
    run = Run(many).judge("weights.loss", "accuracy.loss", "gradients.logits", "identities.worked-example")
    assert run.statuses("identities.worked-example") == {Status.PASS}
