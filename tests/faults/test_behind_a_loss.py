"""The search goes on behind a call that does not come back: a wrong number is named in the same run."""

from dataclasses import replace

import pytest

from faults.catalogue import Fault
from xent_conformance.judging import profiles
from xent_conformance.records.status import Status
from xent_conformance.session import Request, Session

ONLY = ("accuracy.loss", "gradients.logits")
#: The quick profile has too few problems that two faults need.
PROFILE = replace(profiles.PROFILES["default"], examples=60, enumerated=0.25)


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """The lines of ONLY by requirement, for a backend that runs code in its calls."""

    def run(code, **limits):
        monkeypatch.setitem(profiles.PROFILES, "few", PROFILE)
        path = tmp_path / "hostile.py"
        path.write_text(Fault("", "", code, when="True").source(), "utf-8")
        request = Request((str(path),), profile="few", only=ONLY, dtypes=("float32",), **limits)
        with Session.open(request) as session:
            return {line.requirement: line for group in session.groups() for line in session.judged(group)}

    return run


@pytest.mark.parametrize(
    ("end", "status", "limits"),
    [("os.abort()", Status.CRASH, {}), ("time.sleep(3600)", Status.TIMEOUT, {"timeout": 0.5})],
    ids=["crash", "hang"],
)
def test_a_wrong_number_is_named_behind_a_call_that_does_not_come_back(judged, end, status, limits):
    wrong = "if (target == options.get('ignore_index', -100)).any(): loss = loss * 2"
    code = f"if options.get('weight') is not None: {end}\n{wrong}"
    line = judged(code, **limits)["accuracy.loss"]
    assert line.status is status
    lost, *others = line.failures
    assert (lost.kind, "class weights" in lost.situation) == ("lost", True)
    assert ["ignored rows" in f.situation for f in others if f.kind == "wrong-value"] == [True]
    # What would not come back either is not judged, and all else is.
    assert line.set_aside > 1
    assert line.examples + line.set_aside >= judged("pass")["accuracy.loss"].examples


@pytest.mark.parametrize(
    ("when", "family"),
    [("options.get('weight') is not None", "weights.scale"), ("True", "reduction.sum-of-rows")],
    ids=["sometimes", "always"],
)
def test_a_call_that_does_not_come_back_is_reduced_once_for_all_requirements(tmp_path, when, family):
    """Each further one has its own first crash, and that of the small problem."""
    path = tmp_path / "hostile.py"
    path.write_text(Fault("", "", "os.abort()", when=f"logits.shape != (2, 3) and {when}").source(), "utf-8")
    only = ("accuracy.loss", "extremes.loss", "dtypes.index-dtypes-accepted", family)
    with Session.open(Request((str(path),), profile="quick", only=only, dtypes=("float32",))) as session:
        executor, costs, lines = session.opened[0].executor, [], []
        for group in session.groups():
            before = executor.restarts
            lines += list(session.judged(group))
            costs.append(executor.restarts - before)
    assert {line.status for line in lines} == {Status.CRASH}
    first, *others = costs
    assert max(others) <= 4 < first
    problems = [line.failures[0].problem for line in lines]
    assert [problem for problem in problems if problem != problems[0]] == []
    assert len({line.failures[0].situation for line in lines}) == 1


def test_a_call_made_between_those_of_a_problem_has_not_its_situation(tmp_path):
    """It has logits of its own, and is shown. Options and sizes of the problem say nothing about it: where it crashes
    by chance, they would seem to be needed.
    """
    count, path = tmp_path / "count", tmp_path / "hostile.py"
    count.touch()
    once = f"with open({str(count)!r}, 'a') as calls:\n    calls.write('.')\n    before = calls.tell()"
    code = f"{once}\nif before < 7: os.abort()"
    path.write_text(Fault("", "", code, when="logits.shape == (2, 3) and logits[0, 0] == 30").source(), "utf-8")
    with Session.open(
        Request((str(path),), profile="quick", only=("purity.no-state",), dtypes=("float32",))
    ) as session:
        (line,) = (line for group in session.groups() for line in session.judged(group))
    assert line.status is Status.CRASH
    failure = line.failures[0]
    assert "float32 (2, 3) = [[30, -30, 0], " in failure.text
    assert (failure.situation, "large logits" in failure.undecided) == ((), True)


def test_a_backend_that_ends_its_process_in_all_but_its_first_calls_costs_few_processes(judged):
    line = judged("if logits.shape != (2, 3): os.abort()")["accuracy.loss"]
    assert line.status is Status.CRASH
    assert {f.kind for f in line.failures} == {"lost"}
