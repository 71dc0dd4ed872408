"""Failures by requirement and backend, deviations, and what a page of limited size keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
import records

import xent_reports
from xent_conformance.console import summary
from xent_conformance.records.record import read
from xent_conformance.records.status import Status
from xent_reports.causes import causes
from xent_reports.deviations import deviations
from xent_reports.model import Run, run_of

V = records.verdict


def run_with(tmp_path: Path, *verdicts: dict[str, object]) -> Run:
    """The run of some verdicts."""
    return run_of(read(records.run(tmp_path / "r.jsonl", *verdicts)))


def test_what_makes_the_run_fail_comes_before_broken_shoulds(tmp_path: Path) -> None:
    """Each fault is a cause, the worst first; what breaks nothing but a SHOULD comes last and is no failure."""
    run = run_with(
        tmp_path,
        V("torch", "a.weak", status="weak", level="SHOULD", failures=[records.failure(kind="not-finite")]),
        V("torch", "b.fail", "float32", "fail", ratio=3.0, failures=[records.failure("float32")]),
        V("torch", "b.fail", "float16", "fail", ratio=98.2, failures=[records.failure()]),
        V("torch", "b.fail", "bfloat16", "timeout", reason="no answer after 10 s"),
    )
    found = causes(run)
    assert [(c.status, c.is_weak, c.requirements, c.dtypes) for c in found] == [
        (Status.FAIL, False, ["b.fail"], ["float16", "float32"]),
        (Status.TIMEOUT, False, ["b.fail"], ["bfloat16"]),
        (Status.WEAK, True, ["a.weak"], ["float32"]),
    ]
    assert found[1].witness.anchor == "b.fail--torch--bfloat16"
    assert found[1].witness.message == "no answer after 10 s"


def test_a_cause_has_all_requirements_that_it_breaks_and_one_backend(tmp_path: Path) -> None:
    """One failure stands for it, the others are further ones; another backend's fault is another cause."""
    run = run_with(
        tmp_path,
        *(V(n, f"a.{x}", status="fail", failures=[records.failure()]) for n in ("torch", "jax") for x in "xy"),
    )
    found = causes(run)
    assert sorted((c.backend, c.requirements) for c in found) == [("jax", ["a.x", "a.y"]), ("torch", ["a.x", "a.y"])]
    assert [[r.id for r, _ in c.further] for c in found] == [["a.y"], ["a.y"]]


@pytest.mark.parametrize("tried", [True, False])
def test_what_a_callable_has_no_parameter_for_need_not_be_claimed(tmp_path: Path, *, tried: bool) -> None:
    """That a call returns does not tell whether it is meant to be made; the claims of an adapter are its author's."""
    failing = V("mine", "a.x", status="fail", failures=[records.failure(situation=["smoothing", "spatial"])])
    place = records.run(tmp_path / "r.jsonl", failing, backends=[records.backend("mine", tried=tried)])
    (cause,) = causes(run_of(read(place)))
    hint = "If it is not meant to take such calls: --claim no-spatial"
    assert cause.hint == (hint if tried else "")
    xent_reports.render([place], tmp_path / "out")
    terminal = "\n".join(xent_reports.summary_lines(place))
    written = [terminal, *((tmp_path / "out" / name).read_text("utf-8") for name in ("summary.md", "index.html"))]
    assert [text.replace("\\", "").count("--claim no-spatial") for text in written] == [tried] * 3


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_a_function_of_torch_can_say_that_it_has_no_second_derivatives(tmp_path: Path, library: str) -> None:
    """Without the decorator autograd differentiates the backward, and takes all that forward saved for constants."""
    wrong = records.failure(call="cross_entropy_hvp", quantity="second derivative")
    backend = records.backend("mine", tried=True, versions={library: "2.0"})
    place = records.run(tmp_path / "r.jsonl", V("mine", "a.x", status="fail", failures=[wrong]), backends=[backend])
    (cause,) = causes(run_of(read(place)))
    assert ("@once_differentiable" in cause.hint) is (library == "torch")


def test_a_callable_need_not_compute_in_float64(tmp_path: Path) -> None:
    """A kernel may take it and compute in float32; that is for its author to say."""
    wrong = records.failure("float64", got=0.6931471824645996, expected=0.6931471805599453)
    dtypes = {"logits_dtypes": ["float16", "float32", "float64"]}
    backend = records.backend("mine", tried=True, capabilities=dtypes)
    failing = V("mine", "a.x", "float64", "fail", failures=[wrong])
    (cause,) = causes(run_of(read(records.run(tmp_path / "r.jsonl", failing, backends=[backend]))))
    assert cause.hint == "If it is not meant to compute in float64: --dtypes float16,float32"


@pytest.mark.parametrize(("kind", "claimed"), [("wrong-form", 3), ("wrong-form", 1), ("wrong-value", 3)])
def test_a_callable_need_not_have_a_reduction_whose_result_has_another_shape(
    tmp_path: Path, kind: str, claimed: int
) -> None:
    """A function may take any word for it."""
    wrong = records.failure(kind=kind, got="()", expected="(2,)")
    backend = records.backend("mine", tried=True, capabilities={"reductions": ["mean", "none", "sum"][:claimed]})
    place = records.run(tmp_path / "r.jsonl", V("mine", "a.x", status="fail", failures=[wrong]), backends=[backend])
    (cause,) = causes(run_of(read(place)))
    hint = "If it has no reduction='mean': --claim reductions=none+sum"
    assert cause.hint == (hint if (kind, claimed) == ("wrong-form", 3) else "")


def test_failures_without_detail_are_a_cause_for_each_reason(tmp_path: Path) -> None:
    """Ten requirements that died in the same way are one line, not ten."""
    run = run_with(
        tmp_path,
        *(V("torch", f"a.{x}", status="crash", reason="died of SIGSEGV") for x in "uvw"),
        V("torch", "a.x", status="error", reason="no such file"),
    )
    assert [(c.status, c.requirements) for c in causes(run)] == [
        (Status.ERROR, ["a.x"]),
        (Status.CRASH, ["a.u", "a.v", "a.w"]),
    ]


@pytest.mark.parametrize(("level", "beside"), [("MUST", Status.FAIL), ("SHOULD", Status.WEAK)])
def test_a_wrong_result_beside_a_crash_is_no_crash(tmp_path: Path, level: str, beside: Status) -> None:
    """A verdict has the status of its worst failure; each failure has its own."""
    lost = records.failure(kind="lost", message="died of SIGSEGV", situation=["label smoothing"])
    run = run_with(tmp_path, V("torch", "a.x", "float16", "crash", level=level, failures=[lost, records.failure()]))
    assert [(c.status, c.witness.status) for c in causes(run)] == [(Status.CRASH, Status.CRASH), (beside, beside)]


def test_a_witness_states_expected_got_error_bound_and_ratio(tmp_path: Path) -> None:
    """The facts of a failure are all there, in the order they are read."""
    run = run_with(tmp_path, V("torch", "a.x", "float16", "fail", failures=[records.failure()]))
    (cause,) = causes(run)
    witness = cause.witness
    assert dict(witness.facts) == {
        "quantity": "grad_logits[0, 2]",
        "expected": "-0.9999999979388463",
        "got": "-1",
        "error": "2.06e-09",
        "bound": "2.1e-11",
        "error / bound": "99",
    }
    assert witness.command.startswith("xent run torch --only")
    assert witness.script.startswith("import torch")
    assert [line.ignored for line in witness.table.lines] == [False, True, False] if witness.table else False


def several(tmp_path: Path) -> Path:
    """A record with a verdict that has two failures, one of them an exception, and another dtype with one."""
    exception = {"type": "ValueError", "message": "no", "file": "/home/a/loss.py", "line": 12, "traceback": "In loss:"}
    raised = records.failure(
        kind="raised",
        message="It raised.",
        exception=exception,
        situation=["smoothing", "a reduced loss", "reduction sum"],
    )
    two = V("torch", "a.x", "float16", "fail", ratio=98.2, failures=[records.failure(), raised])
    one = V("torch", "a.x", "float32", "fail", ratio=3.0, failures=[records.failure("float32")])
    return records.run(tmp_path / "r.jsonl", two, one)


def test_each_failure_of_a_verdict_is_a_witness_with_a_place_of_its_own(tmp_path: Path) -> None:
    """In their order; where it was raised and what all such problems have in common are facts."""
    witnesses = [w for c in causes(run_of(read(several(tmp_path)))) for b in c.broken for w in b.witnesses]
    assert sorted((w.anchor, w.part) for w in witnesses) == [
        ("a.x--torch--float16", "1 of 2"),
        ("a.x--torch--float16--2", "2 of 2"),
        ("a.x--torch--float32", ""),
    ]
    by_place = {w.anchor: dict(w.facts) for w in witnesses}
    facts = by_place["a.x--torch--float16--2"]
    assert (facts["raised in"], facts["only with"]) == ("/home/a/loss.py:12", "label smoothing and reduction='sum'")
    assert "raised in" not in by_place["a.x--torch--float16"]


def test_what_was_raised_and_where_is_not_said_twice(tmp_path: Path) -> None:
    """A message that says it is enough."""
    raised = {"type": "ValueError", "message": "no", "file": "/home/a/loss.py", "line": 12, "traceback": ""}
    details = {"expected": None, "got": "raised ValueError: no", "bound": None, "ratio": "inf", "exception": raised}
    said = records.failure(message="cross_entropy raised ValueError: no (at /home/a/loss.py:12)", **details)
    unsaid = records.failure(message="It failed.", **details)
    run = run_with(tmp_path, V("torch", "a.x", "float16", "fail", failures=[said, unsaid]))
    by_message = {w.message: w for c in causes(run) for b in c.broken for w in b.witnesses}
    first, second = by_message[said["message"]], by_message["It failed."]
    assert dict(first.facts) == {"quantity": "grad_logits[0, 2]"}
    assert dict(second.facts) == {
        "quantity": "grad_logits[0, 2]",
        "got": "raised ValueError: no",
        "raised in": "/home/a/loss.py:12",
    }


def test_every_output_shows_each_failure_of_a_verdict(tmp_path: Path) -> None:
    """The page all of them, the others those of the first dtype and the names of the rest."""
    path = several(tmp_path)
    page = xent_reports.render(path, tmp_path / "out").read_text("utf-8")
    assert '<div class=body id="a.x--torch--float16--2">' in page
    assert page.count("(2 of 2)") == 1
    assert "<details><summary>Traceback</summary><pre tabindex=0>In loss:</pre></details>" in page
    assert page.count("2 causes, 1 of 1 requirement broken") == 2
    markdown = (tmp_path / "out" / "summary.md").read_text("utf-8")
    assert "**float16, 1 of 2**: The gradient" in markdown
    assert "**float16, 2 of 2**: It raised." in markdown
    terminal = "\n".join(xent_reports.summary_lines(path))
    assert "✗ fail torch, with any input: The gradient" in terminal
    assert "✗ fail torch, with label smoothing and reduction='sum' in float16: It raised." in terminal
    assert terminal.count("xent run") == 2
    first, *_ = read(path).verdicts
    assert [line for line in summary(first).splitlines() if "It raised." in line or "The gradient" in line] == [
        "The gradient of the target class is off by 98 times the bound. (98.2 times the bound)",
        "It raised. (98.2 times the bound)",
    ]


def test_a_large_page_keeps_a_script_for_every_cause_first(tmp_path: Path) -> None:
    """Past the limit scripts and tables are left out, of further requirements and dtypes before those of causes."""
    run = run_of(read(records.written(tmp_path / "r.jsonl", *records.large(16, 200, 600))))
    found = causes(run)
    witnesses = [w for c in found for b in c.broken for w in b.witnesses]
    assert len(witnesses) == 600
    leading = [bool(c.witness.script) for c in found]
    further = [bool(w.script) for c in found for _, w in c.further]
    assert sum(leading) > 10
    assert all(leading) or not any(further)
    assert all(w.brief for w in witnesses if not w.script)
    assert all(w.message and w.facts and w.command for w in witnesses)


def test_a_deviation_is_listed_once_for_all_that_it_concerns(tmp_path: Path) -> None:
    """The same reason in several requirements and dtypes is one entry, with one witness; another reason is another."""
    known = {"reason": "drops the weight", "issue": "unreported", "versions": ">=2", "witness": records.failure()}
    other = {"reason": "rounds twice", "issue": "https://example.com/1"}
    run = run_with(
        tmp_path,
        V("torch", "a.x", "float16", "deviation", deviations=[known, other]),
        V("torch", "a.x", "float32", "deviation", deviations=[known]),
        V("torch", "a.y", "float32", "deviation", deviations=[known]),
        V("jax", "a.y", "float32", "deviation", deviations=[known]),
    )
    found = deviations(run)
    told = [(d.backend, d.reason, [(p.requirement.id, p.dtypes, p.anchor) for p in d.places]) for d in found]
    both = [("a.x", ["float16", "float32"], "known--a.x--torch"), ("a.y", ["float32"], "known--a.y--torch")]
    assert told == [
        ("torch", "drops the weight", both),
        ("torch", "rounds twice", [("a.x", ["float16"], "known--a.x--torch--2")]),
        ("jax", "drops the weight", [("a.y", ["float32"], "known--a.y--jax")]),
    ]
    assert [d.witness is not None for d in found] == [True, False, True]


def test_the_witnesses_of_many_deviations_share_a_limited_room(tmp_path: Path) -> None:
    """Past it they go without their script, and say so."""
    long = {"issue": "unreported", "witness": records.failure(reproducer="x" * 9000)}
    verdicts = [
        V("torch", f"a.{i}", status="deviation", deviations=[{**long, "reason": f"reason {i}"}]) for i in range(9)
    ]
    witnesses = [d.witness for d in deviations(run_with(tmp_path, *verdicts))]
    assert [bool(w and w.script) for w in witnesses] == [True] * 2 + [False] * 7
    assert all(w and w.table and w.brief == (not w.script) for w in witnesses)
