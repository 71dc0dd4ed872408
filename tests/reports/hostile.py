"""A sound record with one of everything, to be damaged, and whoever reads one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import records

import xent_reports

V = records.verdict
#: Far more than any refusal here takes, far less than reading what is refused would.
SECONDS = 20


def lines_of_a_run(folder: Path) -> list[Any]:
    """The lines of a record with one of everything, as data."""
    bins = [{"classes": 2, "count": 1, "ratio": 0.5, "ulp": 1.0}]
    known = {"reason": "r", "issue": "https://github.com/a/b/issues/1", "versions": ">=1", "witness": records.failure()}
    verdicts = [
        V("torch", "a.x", "float16", "fail", ratio=98.2, failures=[records.failure()]),
        V("torch", "a.x", "float32", ratio=0.5, bins=bins),
        V("torch", "a.y", "float16", "deviation", deviations=[known]),
        V("jax", "a.y", "float16", "not-applicable", examples=0, exercised=0, reason="does not claim spatial"),
        V("jax", "accuracy.tightest-tier", "float32", "observed", level="OBSERVED", observed="form A"),
        V("jax", "accuracy.loss", "float32", bins=bins, ratio=0.5),
    ]
    speed = {"backend": "jax", "quantity": "loss", "dtype": "float32", "rows": 2, "classes": 3, "median": 1e-3}
    conventions = {"empty_batch_loss": {"default": "nan", "question": "Mean of an empty batch."}}
    path = records.run(folder / "sound.jsonl", *verdicts, speed=[{**speed, "iqr": 1e-5}], conventions=conventions)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def text_of(lines: list[Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def nested(depth: int) -> Any:
    content: Any = 1
    for _ in range(depth):
        content = [content]
    return content


def sound(path: Path) -> Path:
    """A sound record beside a file."""
    return records.run(path.with_name("sound.jsonl"), V("torch", "a.x"))


READERS: dict[str, Callable[[Path], object]] = {
    "record": lambda path: xent_reports.render(path, path.parent / "out"),
    "baseline": lambda path: xent_reports.render(sound(path), path.parent / "out", baseline=path),
    "merge": lambda path: xent_reports.merge([sound(path), path], path.parent / "merged.jsonl"),
    "kill matrix": lambda path: xent_reports.render(sound(path), path.parent / "out", kill_matrix=path),
    "speed": lambda path: xent_reports.render(sound(path), path.parent / "out", speed=path),
    "coverage": lambda path: xent_reports.render(sound(path), path.parent / "out", coverage=path),
}
