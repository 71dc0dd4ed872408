"""A call that does not return is reduced once: other requirements and dtypes are explained by what is known of it."""

import numpy as np
import pytest

from faults.catalogue import Fault
from xent_conformance.calling.calls import CRASH, TIMEOUT, Outcome, forward
from xent_conformance.isolation.ended import EndedCalls
from xent_conformance.isolation.executor import IsolatedExecutor
from xent_conformance.isolation.process import Limits
from xent_conformance.loading.imported import Narrowing
from xent_conformance.problem import Problem
from xent_conformance.session import Request, Session

HONEST = Problem(np.array([[1.0, 2.0]], np.float32), np.array([0]))
#: When calls end their process.
IN_WEIGHTS, IN_IGNORED = "options.get('weight') is not None", "(target == options.get('ignore_index', -100)).any()"
WEIGHTED = HONEST.with_(weight=np.array([1.0, 1.0], np.float32))


@pytest.fixture
def hostile(tmp_path):
    """The path of an adapter whose calls end their process in some cases."""

    def write(when):
        path = tmp_path / "hostile.py"
        path.write_text(Fault("", "", "os.abort()", when=f"logits.shape != (2, 3) and {when}").source(), "utf-8")
        return str(path)

    return write


@pytest.fixture
def executor(hostile):
    made = IsolatedExecutor(hostile(IN_WEIGHTS), Narrowing(), Limits())
    made.open()
    yield made
    made.close()


def judged(path, only, dtypes):
    """The line and the processes that each group costs."""
    with Session.open(Request((path,), profile="quick", only=only, dtypes=dtypes)) as session:
        executor, found = session.opened[0].executor, []
        for group in session.groups():
            before = executor.restarts
            found += [(line, executor.restarts - before) for line in session.judged(group)]
    return found


@pytest.mark.parametrize("when", [IN_WEIGHTS, IN_IGNORED, "True"])
def test_a_crash_is_reduced_in_one_dtype_and_shown_by_the_same_problem_in_the_other(hostile, when):
    first, second = judged(hostile(when), ("accuracy.loss",), ("float32", "float64"))
    assert first[0].dtype != second[0].dtype
    (one,), (other,) = first[0].failures, second[0].failures
    assert (one.situation, one.undecided) == (other.situation, other.undecided)
    assert one.problem.logits.values == other.problem.logits.values
    assert other.problem.logits.dtype == second[0].dtype
    # Its own first crashes, and that of the small problem.
    assert second[1] <= 4 < first[1]


def test_a_crash_that_another_dtype_has_for_another_reason_has_its_own_situation(hostile):
    when = f"({IN_WEIGHTS} if logits.dtype == np.float32 else {IN_IGNORED})"
    found = judged(hostile(when), ("accuracy.loss",), ("float32", "float64"))
    situations = {line.dtype: set(line.failures[0].situation) for line, _ in found}
    facts = {"class weights", "ignored rows"}
    assert {dtype: situation & facts for dtype, situation in situations.items()} == {
        "float32": {"class weights"},
        "float64": {"ignored rows"},
    }


def test_a_call_that_ended_a_process_as_its_first_is_not_made_again(executor):
    with executor.sparing(EndedCalls(CRASH)):
        assert executor.perform(forward(HONEST)).trouble is None
        outcomes = [executor.perform(forward(WEIGHTED)) for _ in range(4)]
        assert {outcome.malformed for outcome in outcomes} == {"died of SIGABRT"}
        # The first time other calls were made before; the second time it alone is to blame.
        assert executor.restarts == 2
        assert executor.perform(forward(HONEST)).trouble is None
    assert executor.perform(forward(WEIGHTED)).malformed == "died of SIGABRT"
    assert executor.restarts == 3


def test_a_call_that_is_known_to_end_its_process_is_not_made_as_part_of_others(executor):
    one, other = forward(HONEST), forward(WEIGHTED)
    with executor.sparing(EndedCalls(CRASH)):
        for _ in range(2):
            assert executor.perform(other).fate == CRASH
        before = executor.restarts
        outcomes = [*executor.read_twice(one, other), executor.rewritten(one, other), executor.disturbed(other)[0]]
        outcomes += [outcome for outcomes in executor.together([one, other], 2) for outcome in outcomes]
        assert {outcome.malformed for outcome in outcomes} == {"died of SIGABRT"}
        assert executor.restarts == before


def test_hanging_calls_are_remembered_only_where_calls_are_expected_to_hang():
    crash, hang = (Outcome({}, malformed=fate, fate=fate) for fate in (CRASH, TIMEOUT))
    for fates in ((CRASH,), (CRASH, TIMEOUT)):
        ended = EndedCalls(*fates)
        ended.add(forward(HONEST), hang)
        ended.add(forward(WEIGHTED), crash)
        assert ended.outcome(forward(WEIGHTED)) is crash
        assert ended.outcome(forward(HONEST)) is (hang if TIMEOUT in fates else None)


def test_calls_are_the_same_where_every_argument_is():
    ended, outcome = EndedCalls(CRASH), Outcome({}, malformed="died of SIGABRT", fate=CRASH)
    ended.add(forward(WEIGHTED), outcome)
    again = Problem(WEIGHTED.logits.copy(), WEIGHTED.target.copy(), weight=WEIGHTED.weight.copy())
    assert ended.outcome(forward(again)) is outcome
    others = [
        HONEST,
        again.with_(weight=np.array([1.0, 2.0], np.float32)),
        again.with_(reduction="sum"),
        again.with_(logits=np.asfortranarray(np.array([[1.0, 2.0], [1.0, 2.0]], np.float32))[:1]),
        again.with_(target=again.target.astype(np.int32)),
    ]
    assert [other for other in others if ended.outcome(forward(other)) is not None] == []
    assert ended.outcome(forward(again, "cross_entropy_layer")) is None


def test_large_arrays_are_not_remembered():
    ended = EndedCalls(CRASH)
    large = forward(Problem(np.zeros((1, 1 << 15), np.float32), np.array([0])))
    ended.add(large, Outcome({}, fate=CRASH))
    ended.add(forward(HONEST), Outcome({}, fate=CRASH))
    assert ended.outcome(large) is None
