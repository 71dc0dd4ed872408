"""The report's tests make their own records: nothing here runs a backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# ``import records`` finds the factory beside this file under every import mode of pytest.
sys.path.insert(0, str(Path(__file__).parent))

import browser
import matrices
import records

import xent_reports


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests."""
    with browser.chromium() as found:
        yield found


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of a small page, of one with the columns of many backends, and of a large one."""
    folder = tmp_path_factory.mktemp("pages")
    header, verdicts = records.large(3, 44, 12, seed=4)
    header["backends"].append(records.backend("torch-cuda", device="cuda", unavailable="no CUDA device was found"))
    header["speed"] = [
        {
            "backend": name,
            "quantity": "loss",
            "dtype": "float32",
            "rows": 512,
            "classes": 1000,
            "median": 1e-3,
            "iqr": 1e-5,
        }
        for name in ("torch", "jax")
    ]
    known = {"reason": "Ignored rows are multiplied by zero.", "issue": "https://github.com/a/b/issues/1"}
    spare = [v for v in verdicts if v["status"] == "pass" and v["level"] == "MUST"]
    spare[0].update(status="deviation", deviations=[{**known, "witness": records.failure()}])
    spare[1].update(status="crash", failures=[records.failure(message="The process died.\n" + "trace " * 2000)])
    spare[2].update(status="vacuous", reason="no problem with two equal logits")
    spare[3].update(status="not-applicable", reason="does not claim spatial")
    twice = next(v for v in verdicts if v["status"] == "fail" and v["dtype"] != "float64")
    for v in verdicts:
        if (v["backend"], v["requirement"], v["dtype"]) == (twice["backend"], twice["requirement"], "float64"):
            v.update(status="fail", ratio=1.5, failures=[records.failure("float64", ratio=1.5)])
    small = records.written(folder / "small.jsonl", header, verdicts)
    old = [v if v is not spare[1] else records.verdict(v["backend"], v["requirement"], v["dtype"]) for v in verdicts]
    baseline = records.written(folder / "old.jsonl", header, old)
    tried = matrices.written(folder / "coverage.json", matrices.coverage())
    large = records.written(folder / "large.jsonl", *records.large(16, 200, 600))
    wide = records.written(folder / "wide.jsonl", *records.large(10, 110, 12))
    return {
        "small": xent_reports.render(small, folder / "small", baseline=baseline, coverage=tried).as_uri(),
        "wide": xent_reports.render(wide, folder / "wide").as_uri(),
        "large": xent_reports.render(large, folder / "large").as_uri(),
    }


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A fresh tab that fails its test on any error of the page and on any request but for the file itself."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = context.new_page()
    errors: list[str] = []
    requests: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda request: requests.append(request.url))
    yield tab
    context.close()
    assert errors == []
    assert all(url.split("?")[0].split("#")[0].endswith("/index.html") for url in requests), requests
