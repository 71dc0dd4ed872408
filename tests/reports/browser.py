"""Headless Chromium for the tests of the page, and axe-core, where they are installed.

Neither is a dependency of the package. ``XENT_CHROMIUM`` names the browser, ``XENT_AXE`` the file ``axe.min.js``;
without them the usual places are searched. With ``XENT_REQUIRE_BROWSER`` set a missing one fails instead of skipping.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)
_AXE = Path(__file__).parents[2] / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"


def missing(what: str) -> None:
    """Skip the test, or fail it where the browser is required."""
    (pytest.fail if os.environ.get("XENT_REQUIRE_BROWSER") else pytest.skip)(what)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; skips the test where playwright or Chromium is missing."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install playwright")
    found = os.environ.get("XENT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        missing("no Chromium: apt-get install chromium, or set XENT_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield browser
        browser.close()


def axe_source() -> str:
    """The text of axe-core; skips the test where it is missing."""
    path = Path(os.environ.get("XENT_AXE") or _AXE)
    if not path.is_file():
        missing(f"no axe-core at {path}: npm install --prefix build/axe axe-core, or set XENT_AXE")
    return path.read_text("utf-8")


def shown(page: Any, selector: str) -> list[str]:
    """Texts of the elements that are visible."""
    found: list[str] = page.eval_on_selector_all(
        selector, "all => all.filter(e => e.checkVisibility()).map(e => e.innerText.trim())"
    )
    return found
