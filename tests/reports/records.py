"""Synthetic records for the tests of the report: deterministic, in the published format, of any size."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DTYPES = ("float16", "bfloat16", "float32", "float64")
FAMILIES = ("accuracy", "gradients", "identities", "ignore_index", "label_smoothing", "layout", "purity", "reduction")
NAMES = (
    *("torch", "jax", "numpy", "torch-compile", "liger", "optax", "mlx", "cupy", "tinygrad", "paddle", "keras", "burn"),
    *("candle", "onnxruntime", "megatron", "flash-attn"),
)
_TOPICS = (
    *("loss", "row-sums", "shift-invariance", "large-gaps", "ignored-content", "weighted-mean", "two-classes", "split"),
    *("power-of-two-weights", "log-softmax", "uniform-logits", "cotangents", "block-borders", "strided-logits"),
)
_STATEMENT = (
    "Adding one constant to all logits of a row changes the loss by no more than the rounding of the sums explains."
)
CLASS_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)
CONVENTIONS = {
    "all_ignored_loss": "nan",
    "all_ignored_gradient": "zero",
    "zero_weight_loss": "nan",
    "zero_weight_gradient": "nan",
    "empty_batch_loss": "nan",
    "invalid_label": "error",
    "mean_divisor": "target_weight",
    "probability_divisor": "batch",
    "smoothing_mass": "all_classes",
    "smoothing_weight": "per_class",
    "zero_times_infinity": "nan",
    "all_masked_row": "nan",
    "infinite_row": "nan",
    "unnormalised_targets": "accepted",
    "output_dtype": "logits",
}
TIERS = ("float32 internals, form A", "float32 internals, form B", "every operation rounded, form B")


def catalogued(place: int, family: str | None = None) -> dict[str, Any]:
    """An entry of the catalogue."""
    family = family or FAMILIES[place % len(FAMILIES)]
    topic = _TOPICS[place % len(_TOPICS)] + (f"-{place // len(_TOPICS)}" if place >= len(_TOPICS) else "")
    return {
        "id": f"{family.replace('_', '-')}.{topic}",
        "title": topic.replace("-", " ").capitalize(),
        "level": "SHOULD" if place % 9 == 8 else "MUST",
        "statement": _STATEMENT,
        "family": family,
        "references": ["https://github.com/pytorch/pytorch/issues/38839"] if place % 2 else ["BUGS.md, NUM-01"],
    }


OBSERVED = {
    "id": "accuracy.tightest-tier",
    "title": "Tightest tier",
    "level": "OBSERVED",
    "family": "accuracy",
    "statement": "Names the tightest precision tier that the backend meets.",
    "references": [],
}
TIES = {
    "id": "extremes.all-minus-infinity",
    "title": "All minus infinity",
    "level": "OBSERVED",
    "family": "extremes",
    "statement": "Records what a row of -inf logits gives.",
    "references": [],
}


def backend(name: str, **changes: Any) -> dict[str, Any]:
    """An entry of the header's list of backends."""
    capabilities = {
        "logits_dtypes": list(DTYPES),
        "target_dtypes": ["int64"],
        "probability_targets": True,
        "weight": True,
        "ignore_index": True,
        "default_ignore_index": -100,
        "label_smoothing": True,
        "reductions": ["none", "sum", "mean"],
        "unbatched": True,
        "spatial": True,
        "max_classes": None,
        "deterministic": True,
        "overwrites_logits": False,
        "validation": "library",
        "precision": None,
    }
    base = {
        "name": name,
        "spec": name,
        "device": "cpu",
        "versions": {name: "2.9.0"},
        "capabilities": capabilities,
        "forms": ["Differentiable", "Primitives"],
        "conventions": dict(CONVENTIONS),
        "documentation": {},
    }
    return {**base, **changes}


def header(
    backends: Sequence[dict[str, Any]], requirements: Sequence[dict[str, Any]], **changes: Any
) -> dict[str, Any]:
    """A header line."""
    base = {
        "kind": "header",
        "schema": 2,
        "suite": "0.1.0",
        "started": "2026-11-23T03:14:15Z",
        "seed": 20261123,
        "command": "xent run " + " ".join(b["name"] for b in backends),
        "profile": "default",
        "python": "3.11.7",
        "platform": "Linux-6.1-x86_64-glibc2.36",
        "libraries": {"numpy": "2.4.6", "hypothesis": "6.170.15"},
        "backends": list(backends),
        "requirements": list(requirements),
    }
    return {**base, **changes}


def verdict(
    backend: str, requirement: str, dtype: str = "float32", status: str = "pass", **changes: Any
) -> dict[str, Any]:
    """A verdict line."""
    base = {"kind": "verdict", "backend": backend, "requirement": requirement, "dtype": dtype, "device": "cpu"}
    counts = {"status": status, "level": "MUST", "examples": 200, "exercised": 187, "ratio": None, "bins": []}
    return {
        **base,
        **counts,
        "reason": None,
        "observed": None,
        "failures": [],
        "deviations": [],
        "seconds": 0.1,
        **changes,
    }


def array(values: Iterable[Any], shape: Sequence[int], dtype: str = "float32") -> dict[str, Any]:
    """An array of a problem."""
    return {"dtype": dtype, "shape": list(shape), "values": list(values)}


def failure(dtype: str = "float16", classes: int = 3, **changes: Any) -> dict[str, Any]:
    """A failure on a small problem with a weight and an ignored row; the wrong element is [0, classes - 1]."""
    logits = [20.0] + [0.0] * (classes - 1) + [0.1, 0.5] + [0.0] * (classes - 2)
    problem = {
        "logits": array(logits, (2, classes), dtype),
        "target": array([classes - 1, -100], (2,), "int64"),
        "weight": array([1.0] * (classes - 1) + [2.0], (classes,), dtype),
        "cotangent": None,
        "ignore_index": None,
        "reduction": "mean",
        "label_smoothing": 0.1,
    }
    base = {
        "kind": "wrong-value",
        "call": "loss_and_gradient",
        "quantity": "grad_logits",
        "message": "The gradient of the target class is off by 98 times the bound.",
        "index": [0, classes - 1],
        "expected": -0.9999999979388463,
        "got": -1.0,
        "bound": 2.1e-11,
        "ratio": 98.2,
        "problem": problem,
        "text": f"logits = {logits}\ntarget = [{classes - 1}, -100]",
        "reproducer": _SCRIPT % dtype,
        "command": f"xent run torch --only gradients.loss --dtypes {dtype} --seed 20261123",
        "found": {"failing_examples": 9, "example": 17, "logits_shape": [64, 1000], "ratio": 120.5, "tries": 41},
    }
    return {**base, **changes}


#: As long as those of real failures are, which hold what the adapter runs.
_SCRIPT = (
    """\
import torch

"""
    + "# One of the lines of what the adapter runs.\n" * 21
    + """
logits = torch.tensor([[20.0, 0.0, 0.0], [0.1, 0.5, 0.0]], dtype=torch.%s, requires_grad=True)
target = torch.tensor([2, -100])
weight = torch.tensor([1.0, 1.0, 2.0], dtype=logits.dtype)

loss = torch.nn.functional.cross_entropy(logits, target, weight=weight, label_smoothing=0.1)
loss.backward()

print("grad_logits[0, 2] is", logits.grad[0, 2].item())
print("expected        within [-0.999999997960, -0.999999997918]")
assert abs(logits.grad[0, 2].item() + 0.9999999979388463) <= 2.1e-11
"""
)


def written(path: Path, header: dict[str, Any], verdicts: Sequence[dict[str, Any]], *, footer: bool = True) -> Path:
    """A record file; without its footer it is truncated."""
    statuses = [v["status"] for v in verdicts]
    counts = {s: statuses.count(s) for s in sorted(set(statuses))}
    code = 1 if {"fail", "crash", "timeout"} & set(statuses) else 0
    end = {"kind": "footer", "exit": code, "verdicts": len(verdicts), "counts": counts, "seconds": 12.5}
    lines = [header, *verdicts, *([end] if footer else [])]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def large(
    backends: int, requirements: int, failures: int, seed: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and verdicts of a run over all dtypes with that many failing verdicts."""
    source = random.Random(seed)
    names = list(NAMES[:backends])
    catalogue = [*(catalogued(i) for i in range(requirements - 2)), OBSERVED, TIES]
    lines = [_drawn(source, name, entry, dtype) for entry in catalogue for name in names for dtype in DTYPES]
    candidates = [line for line in lines if line["status"] == "pass"]
    for line in source.sample(candidates, failures):
        _broken(source, line)
    return header([_described(name) for name in names], catalogue), lines


def _described(name: str) -> dict[str, Any]:
    if name != "optax":
        return backend(name)
    conventions = {**CONVENTIONS, "all_ignored_loss": "zero", "invalid_label": "undefined", "mean_divisor": "all_rows"}
    address = "https://optax.readthedocs.io/en/latest/api/losses.html"
    return backend(name, conventions=conventions, documentation={"all_ignored_loss": address, "mean_divisor": address})


def _drawn(source: random.Random, name: str, entry: dict[str, Any], dtype: str) -> dict[str, Any]:
    line = verdict(name, entry["id"], dtype, level=entry["level"])
    if entry is OBSERVED:
        return {**line, "status": "observed", "observed": source.choice(TIERS)}
    if entry is TIES:
        return {**line, "status": "observed", "observed": "nan" if name != "optax" else "0.0"}
    if name in NAMES[3:9:2] and entry["id"].endswith(("split", "cotangents", "row-sums-1")):
        return {**line, "status": "not-applicable", "examples": 0, "exercised": 0, "reason": "does not claim spatial"}
    if entry["family"] in {"accuracy", "gradients", "identities", "label_smoothing", "reduction"}:
        line["ratio"] = round(source.betavariate(2, 5), 4)
    if entry["id"] == "accuracy.loss":
        line["bins"] = [_bin(source, classes) for classes in CLASS_COUNTS]
        line["ratio"] = max(b["ratio"] for b in line["bins"])
    return line


def _bin(source: random.Random, classes: int) -> dict[str, Any]:
    ratio = min(0.98, 0.05 + 0.06 * math.log2(classes + 1) * source.uniform(0.5, 1.2))
    return {"classes": classes, "count": 40, "ratio": round(ratio, 4), "ulp": round(ratio * 4, 3)}


def run(path: Path, *verdicts: dict[str, Any], footer: bool = True, **changes: Any) -> Path:
    """A record file whose header lists just the backends and requirements that the verdicts are about."""
    names = dict.fromkeys((v["backend"], v["device"]) for v in verdicts)
    catalogue = [requirement_named(name) for name in dict.fromkeys(v["requirement"] for v in verdicts)]
    backends = changes.pop("backends", None) or [backend(name, device=device) for name, device in names]
    return written(path, header(backends, catalogue, **changes), verdicts, footer=footer)


def requirement_named(name: str) -> dict[str, Any]:
    """An entry of the catalogue for an id."""
    return {
        **catalogued(0),
        "id": name,
        "title": name.rsplit(".", maxsplit=1)[-1],
        "family": name.split(".", maxsplit=1)[0] or "none",
    }


def _broken(source: random.Random, line: dict[str, Any]) -> None:
    ratio = round(10 ** source.uniform(0.05, 4), 3)
    detail = failure(line["dtype"], source.choice([3, 3, 5, 33]), ratio=ratio)
    line.update(status="weak" if line["level"] == "SHOULD" else "fail", ratio=ratio, failures=[detail])
