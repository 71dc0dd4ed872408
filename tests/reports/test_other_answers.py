"""What the other backends come to on the problem of a cause, in a sentence and in a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import records

import xent_reports
from xent_conformance.records.record import read
from xent_reports.answers import Answers
from xent_reports.causes import causes
from xent_reports.model import run_of
from xent_reports.terminal import summary_lines

ANSWERS: list[dict[str, Any]] = [
    {"backend": "jax", "outcome": "agrees", "got": -0.9999999979388463},
    {"backend": "numpy", "outcome": "differs", "got": 0.5, "reason": "the gradient is 0.5"},
    {"backend": "keras", "outcome": "own-convention", "got": 0.0},
    {"backend": "optax", "outcome": "not-applicable", "reason": "optax does not claim weight"},
    {"backend": "mlx", "outcome": "agrees"},
]
SENTENCE = (
    "jax and mlx agree with the exact answer; numpy: 0.5; keras: 0, by a convention of its own; not applicable to optax"
)


def path(tmp_path: Path, given: list[dict[str, Any]] = ANSWERS, **changes: Any) -> Path:
    """A record with one failure and its answers."""
    failing = records.failure(answers=given, **changes)
    return records.run(tmp_path / "r.jsonl", records.verdict("torch", "a.x", status="fail", failures=[failing]))


def answers(place: Path) -> Answers:
    """The answers of the one cause."""
    (cause,) = causes(run_of(read(place)))
    return cause.witness.answers


def test_a_sentence_says_who_agrees_and_who_does_not(tmp_path: Path) -> None:
    """The terminal and the Markdown summary have it under the problem."""
    place = path(tmp_path)
    assert answers(place).sentence == SENTENCE
    assert f"  {SENTENCE}" in summary_lines([place])
    xent_reports.render(place, tmp_path)
    assert "On this problem: jax and mlx agree" in (tmp_path / "summary.md").read_text("utf-8")


def test_one_that_agrees_is_singular_and_what_is_no_number_is_as_required(tmp_path: Path) -> None:
    """A check that is missing has no exact answer."""
    shown = answers(path(tmp_path, expected="an error", got="0.5", bound=None))
    assert shown.sentence.startswith("jax and mlx: as required; numpy: 0.5")
    assert Answers("1", shown.lines[:1], exact=True).sentence == "jax agrees with the exact answer"


def test_modes_are_named_behind_their_backend(tmp_path: Path) -> None:
    """Backends and modes with the same answer share a part of the sentence, and have a row each in the table."""
    lines = [
        ("mine", "vmap", "differs", 0.5),
        ("mine", "compiled", "agrees", 1.0),
        ("torch", "", "agrees", 1.0),
        ("torch", "vmap", "agrees", 1.0),
        ("jax", "", "differs", 0.5),
    ]
    keys = "backend", "mode", "outcome", "got"
    shown = answers(path(tmp_path, [dict(zip(keys, line, strict=True)) for line in lines]))
    right = "mine (compiled) and torch (also vmap) agree with the exact answer"
    assert shown.sentence == f"{right}; mine (vmap) and jax: 0.5"
    text = xent_reports.render(tmp_path / "r.jsonl", tmp_path).read_text("utf-8")
    assert "<th scope=row>torch (vmap)<td>1" in text


def test_the_card_of_a_cause_has_a_table_with_the_exact_answer_first(tmp_path: Path) -> None:
    """One row for each backend; what differs is marked by more than a colour."""
    text = xent_reports.render(path(tmp_path), tmp_path).read_text("utf-8")
    _, _, after = text.partition("on this problem</thead>")
    rows = after.partition("</table>")[0].split("<tr>")[1:]
    assert [row.partition("</th>")[0].partition("<td")[0].rpartition(">")[2].strip() for row in rows] == [
        "exact",
        "jax",
        "numpy",
        "keras",
        "optax",
        "mlx",
    ]
    assert "✗ 0.5" in rows[2]
    assert "not applicable: optax does not claim weight" in rows[4]


def test_a_failure_without_answers_has_neither(tmp_path: Path) -> None:
    """As in a run over one backend, and in the records of earlier versions."""
    place = records.run(
        tmp_path / "r.jsonl", records.verdict("torch", "a.x", status="fail", failures=[records.failure()])
    )
    assert not answers(place)
    assert "on this problem" not in xent_reports.render(place, tmp_path).read_text("utf-8")
