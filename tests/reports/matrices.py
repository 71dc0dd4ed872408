"""Synthetic kill matrices, coverage and benchmark files, as the commands and pytest-benchmark write them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

IDEA = "Exponentials go to a scratch buffer that only grows, and past 100 classes all of it is summed."
BASELINES = ("four textbook identities", "bland allclose")


def mutant(name: str, kills: dict[str, Sequence[int | None]], **changes: Any) -> dict[str, Any]:
    """A mutant with its kills: requirement id to examples, one for each seed."""
    base = {"name": name, "idea": IDEA, "bug": "", "link": "", "declared": list(kills)[:1]}
    return {**base, "kills": {k: list(v) for k, v in kills.items()}, **changes}


def baseline(*kills: str, seconds: float = 2.0) -> dict[str, Any]:
    """A baseline with the mutants that it kills."""
    return {"kills": list(kills), "seconds": seconds}


def matrix(mutants: Sequence[dict[str, Any]], seeds: int = 2, **changes: Any) -> dict[str, Any]:
    """A matrix over the requirements that kill anything."""
    found = sorted({r for m in mutants for r in m["kills"]})
    killers = {r: [m["name"] for m in mutants if r in m["kills"]] for r in found}
    alone = {r: [m["name"] for m in mutants if list(m["kills"]) == [r]] for r in found}
    base = {
        "seeds": list(range(seeds)),
        "median_examples_to_first_kill": 1,
        "survivors": [],
        "mutants": list(mutants),
        "requirements": [{"id": r, "level": "MUST", "kills": len(killers[r]), "unique": alone[r]} for r in found],
        "baselines": {name: baseline() for name in BASELINES},
    }
    return {**base, **changes}


def large(mutants: int, requirements: Sequence[str], seeds: int = 10) -> dict[str, Any]:
    """A matrix as large as the real one: about a fifth of the requirements kill each mutant."""
    source = random.Random(0)
    made = []
    for number in range(mutants):
        killers = source.sample(list(requirements), source.randint(1, len(requirements) // 3))
        kills = {r: [source.choice([1, 2, 9, 143, None]) for _ in range(seeds - 1)] + [3] for r in killers}
        link = f"https://github.com/pytorch/pytorch/issues/{number}" if number % 2 else ""
        made.append(mutant(f"mutant-with-a-telling-name-{number}", kills, bug=f"NUM-{number}", link=link))
    made[7]["kills"] = {}
    baselines = {name: baseline(*(m["name"] for m in made[:: 3 + n])) for n, name in enumerate(BASELINES)}
    return matrix(made, seeds, baselines=baselines)


def benchmark(backend: str, median: float = 1e-3, **changes: Any) -> dict[str, Any]:
    """One benchmark of pytest-benchmark's file."""
    what = {"backend": backend, "quantity": "loss", "dtype": "float32", "rows": 64, "classes": 10, **changes}
    name = f"test_speed[{backend}-cross_entropy-10 classes]"
    return {"name": name, "extra_info": what, "stats": {"median": median, "iqr": 1e-5, "rounds": 9}}


def coverage(**changes: Any) -> dict[str, Any]:
    """What `xent coverage` writes: 200 calls of two sizes, one level that none has, a pair that none has."""
    base = {
        "calls": 200,
        "levels": {"form": {"loss": 180, "gradient": 20}, "weight": {"none": 200, "negative": 0}},
        "sizes": [[1, 2, 150], [1, 4096, 1], [64, 2, 49]],
        "pairs": {"met": 2, "possible": 4},
        "triples": {"met": 0, "possible": 0},
        "never": [["weight", "negative"]],
        "missing_pairs": [[["form", "gradient"], ["weight", "none"]], [["form", "gradient"], ["weight", "positive"]]],
        "untouched_rows": [],
        "untouched_classes": [],
    }
    return {**base, **changes}


def written(path: Path, content: Any) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
