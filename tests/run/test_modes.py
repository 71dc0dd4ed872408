"""The smallest problem of each cause is also given to the modes of all backends, each in a process of its own."""

import pytest

from xent_conformance.request import Request
from xent_conformance.running import run
from xent_conformance.session import Session

MEAN = "losses = losses.sum() / weights.sum()"
HALF = {MEAN: MEAN.replace("weights.sum()", "(2 * weights.sum())")}
#: What replaces the last line of the example adapter, whose mean is half of what it should be.
MODES = """
import os

from xent_conformance.interface import BackendUnavailableError


class Doubled(MyBackend):
    def cross_entropy(self, *arrays, **options):
        return 2 * super().cross_entropy(*arrays, **options)


class Narrow(MyBackend):
    capabilities = Capabilities(logits_dtypes=("float64",))


class Dying(MyBackend):
    def cross_entropy(self, *arrays, **options):
        os._exit(7)


class Endless(MyBackend):
    def cross_entropy(self, *arrays, **options):
        while True:
            pass


def missing():
    raise BackendUnavailableError("no compiler")


class WithModes(MyBackend):
    def modes(self):
        broken = {"dying": Dying, "endless": Endless, "missing": missing}
        return {"plain": MyBackend, "doubled": Doubled, "narrow": Narrow, **broken}


backend = WithModes()
"""


@pytest.fixture
def halved(adapter, tmp_path):
    """An adapter that is wrong, except in one of its modes."""
    adapter("halved.py", changes={'"my-backend"': '"halved"', "backend = MyBackend()\n": MODES, **HALF})
    return str(tmp_path / "halved.py")


@pytest.fixture
def right(adapter, tmp_path):
    """An adapter that is right."""
    adapter("right.py", changes={'"my-backend"': '"right"'})
    return str(tmp_path / "right.py")


def answers(*backends, **options):
    """The outcomes and values of a run's only failure by backend and mode."""
    request = Request(backends, profile="quick", only=("identities.worked-example",), dtypes=("float32",), **options)
    with Session.open(request) as session:
        lines = session.answered(list(run(session)))
    failures = [f for line in lines for f in line.failures]
    return failures[0].expected, {(a.backend, a.mode): (a.outcome, a.got) for a in failures[0].answers}


def test_modes_of_the_failing_backend_answer_beside_other_backends(halved, right):
    exact, by = answers(halved, right, timeout=1.0)
    assert {key: outcome for key, (outcome, _) in by.items()} == {
        ("right", ""): "agrees",
        ("halved", "plain"): "differs",
        ("halved", "doubled"): "agrees",
        ("halved", "dying"): "differs",
        ("halved", "endless"): "differs",
    }
    assert by["halved", "doubled"][1] == pytest.approx(exact, rel=1e-4)
    assert by["halved", "plain"][1] == pytest.approx(exact / 2, rel=1e-4)


def test_a_backend_that_is_called_in_the_run_itself_has_no_modes(halved, right):
    assert answers(halved, right, in_process=True)[1].keys() == {("right", "")}


def test_they_are_said_on_the_terminal(halved, right, xent):
    done = xent("run", halved, right, "--only", "identities.worked-example", "--dtypes", "float32", "--timeout", "1")
    assert "halved (doubled) and right agree with the exact answer; halved (plain): 1.159" in done.stdout, done.stdout
