"""The smallest problem of each cause is put to the other backends of the run: who disagrees."""

import math

import numpy as np
import pytest

from xent_conformance.problem import Problem, same_bits
from xent_conformance.problem_data import from_data, to_data
from xent_conformance.records.record import read
from xent_conformance.request import Request
from xent_conformance.running import run
from xent_conformance.session import Session

MEAN = "losses = losses.sum() / weights.sum()"
HALF, THIRD = ({MEAN: MEAN.replace("weights.sum()", f"({n} * weights.sum())")} for n in (2, 3))
CLAIMS = "default_ignore_index=-100,"


@pytest.fixture
def named(adapter, tmp_path):
    """Write the example adapter under a name of its own, with some of its text replaced."""

    def write(name, **changes):
        adapter(f"{name}.py", changes={'"my-backend"': f'"{name}"', **changes})
        return str(tmp_path / f"{name}.py")

    return write


def answers(backends, only, dtypes=("float32",)):
    """For each failing verdict that was asked about: the failure, and its answers by backend."""
    request = Request(tuple(backends), profile="quick", only=(only,), dtypes=dtypes, in_process=True)
    with Session.open(request) as session:
        lines = session.answered(list(run(session)))
    return [(f, {a.backend: a for a in f.answers}) for line in lines for f in line.failures if f.answers]


@pytest.mark.parametrize(
    "logits",
    [
        np.array([[np.nan, np.inf], [-0.0, 1e-310]]),
        np.arange(12.0).reshape(3, 4).astype("bfloat16")[::-2, ::3],
        np.broadcast_to(np.float16([1, 2, 3]), (2, 3)),
        np.ones((2, 2)) * 1j,
        np.zeros((0, 3), np.int8),
    ],
    ids=("not finite", "strided", "shared", "complex", "empty"),
)
def test_a_problem_of_a_record_is_the_one_that_was_written(logits):
    problem = Problem(logits, np.zeros(len(logits), "uint64"), label_smoothing=0.1, ignore_index=-1, sentinel=-100)
    back = from_data(to_data(problem))
    assert all(same_bits(array, back.arrays()[name]) for name, array in problem.arrays().items())
    assert not logits.size or back.logits.strides == logits.strides
    assert back.with_(logits=problem.logits, target=problem.target).__dict__ == problem.__dict__


def test_others_agree_differ_or_do_not_claim_what_the_problem_asks(named):
    backends = [
        named("half", **HALF),
        named("right"),
        named("third", **THIRD),
        named("sums", **{CLAIMS: f'{CLAIMS} reductions=("none", "sum"),'}),
        named("wide", **{'("float32", "float64")': '("float64",)'}),
    ]
    found = {
        f.command.split()[2].rpartition("/")[2]: (f, by) for f, by in answers(backends, "identities.worked-example")
    }
    assert found.keys() == {"half.py", "third.py"}
    failure, by = found["half.py"]
    assert by["right"].outcome == "agrees"
    assert by["right"].got == pytest.approx(failure.expected, rel=1e-4)
    assert by["third"].outcome == "differs"
    assert by["third"].got == pytest.approx(failure.expected / 3, rel=1e-4)
    assert failure.got == pytest.approx(failure.expected / 2, rel=1e-4)
    for name, reason in (("sums", "does not claim reduction='mean'"), ("wide", "does not claim float32")):
        assert (by[name].outcome, by[name].got, by[name].reason) == ("not-applicable", None, f"{name} {reason}")


def test_what_is_right_by_a_convention_of_its_own_is_said(named):
    zero = {MEAN: f"{MEAN} if weights.any() else losses.sum()"}
    conventions = "conventions=Conventions(all_ignored_loss='zero'),"
    backends = [
        named("silent", **zero),
        named(
            "declared", **zero, **{CLAIMS: CLAIMS + conventions, "Capabilities, Vjp": "Capabilities, Conventions, Vjp"}
        ),
        named("nan"),
    ]
    ((failure, by),) = answers(backends, "conventions.all-ignored-loss")
    assert failure.expected == "nan"
    assert (by["declared"].outcome, by["declared"].got) == ("own-convention", 0.0)
    assert by["nan"].outcome == "agrees"
    assert math.isnan(by["nan"].got)


def test_an_error_that_must_be_raised_is_an_answer(named):
    checked = "if logits.dtype not in (np.float32, np.float64):"
    backends = [named("lenient", **{checked: "if logits.dtype == complex:"}), named("strict")]
    ((failure, by),) = answers(backends, "dtypes.logits-must-be-floating", ())
    assert failure.expected == "an error"
    assert (by["strict"].outcome, by["strict"].got) == ("agrees", "raised TypeError")


def test_a_backend_that_is_alone_is_compared_with_nobody(named):
    assert answers([named("half", **HALF)], "identities.worked-example") == []


def test_a_run_in_several_processes_writes_prints_and_shows_them(named, xent, output):
    half = named("half", **HALF)
    done = xent("run", half, named("right"), "--only", "identities.worked-example", "--dtypes", "float32", "-n", "2")
    assert done.returncode == 1, done.stderr
    said = "right agrees with the exact answer"
    assert said in done.stdout
    assert said in (output / "summary.md").read_text("utf-8")
    record = read(output / "record.jsonl")
    (failure,) = [f for v in record.verdicts for f in v.failures if f.answers]
    assert [(a.backend, a.outcome) for a in failure.answers] == [("right", "agrees")]
    assert record.footer is not None
    assert record.footer.verdicts == len(record.verdicts)
    _, _, table = (output / "index.html").read_text("utf-8").partition("on this problem</thead>")
    assert "right<td>2.318" in table.partition("</table>")[0]
