"""The convention that an invalid label aborts: judged on few calls, each of which may end its process."""

import pytest

from faults.catalogue import Fault
from xent_conformance.records.status import Status
from xent_conformance.session import Request, Session
from xent_conformance.witnesses.witness import verdict_line

BOTH = ("invalid_calls.labels-that-abort", "invalid_calls.labels-out-of-range")


def judged(folder, answer, **request):
    """Lines of both requirements about labels for a backend that aborts by convention, and workers it has used up."""
    fault = Fault(
        "",
        "",
        when="False",
        before="from xent_conformance.interface import Conventions",
        methods="capabilities = Capabilities(conventions=Conventions(invalid_label='abort'))\n"
        "def _parts(self, logits, target, *options):\n"
        "    try: return super()._parts(logits, target, *options)\n"
        f"    except IndexError: {answer}\n",
    )
    path = folder / "aborting.py"
    path.write_text(fault.source(), "utf-8")
    session = Session.open(Request((str(path),), profile="quick", only=BOTH, **request))
    found = {
        r.id: verdict_line(session.verdict(r, cell), session.settings)
        for r in session.requirements()
        for cell in session.cells(r)
    }
    session.close()
    return [found[identifier] for identifier in BOTH], session.opened[0].executor.restarts


def test_calls_that_end_their_process_hold_the_convention(tmp_path):
    (line, search), restarts = judged(tmp_path, "os.abort()")
    assert (line.status, line.exercised) == (Status.PASS, 4)
    # Each call alone ends a process, and no search adds to them.
    assert restarts == 6
    assert search.status == Status.NOT_APPLICABLE
    assert "abort" in search.reason


def test_calls_that_raise_hold_it_too(tmp_path):
    (line, _), restarts = judged(tmp_path, "raise")
    assert (line.status, restarts) == (Status.PASS, 0)


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ("return super()._parts(logits, np.abs(target) % logits.shape[1], *options)", Status.FAIL, "accepted by"),
        ("time.sleep(3600)", Status.TIMEOUT, "did not return"),
    ],
)
def test_a_number_or_a_hang_does_not(tmp_path, answer, status, message):
    (line, _), _ = judged(tmp_path, answer, timeout=0.25)
    assert line.status == status
    assert message in line.failures[0].message


def test_in_the_process_of_the_run_it_is_not_tried(tmp_path):
    (line, _), _ = judged(tmp_path, "os.abort()", in_process=True)
    assert line.status == Status.NOT_APPLICABLE
    assert "--in-process" in line.reason
