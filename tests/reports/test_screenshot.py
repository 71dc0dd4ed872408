"""The picture of a page: of the size asked for, in the colours asked for."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import browser
import pytest
import records

import screenshot
import xent_reports


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A small page, where there is a browser to look at it."""
    if screenshot.chromium() is None:
        browser.missing("no Chromium: apt-get install chromium, or set XENT_CHROMIUM")
    pytest.importorskip("playwright")
    return xent_reports.render(records.written(tmp_path / "r.jsonl", *records.large(3, 30, 9)), tmp_path / "out")


def taken(page: Path, picture: Path, *options: str) -> int:
    """Exit code of the command; in a process of its own, since one can hold only one synchronous playwright."""
    command = [sys.executable, screenshot.__file__, str(page), str(picture), *options]
    return subprocess.run(command, check=False, timeout=120).returncode


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])  # type: ignore[return-value]


def test_a_picture_has_the_size_of_the_window_twice(page: Path, tmp_path: Path) -> None:
    """For screens of high density; the whole page is as long as it is."""
    picture = tmp_path / "p.png"
    assert taken(page, picture, "--width", "400", "--height", "300") == 0
    assert size(picture) == (800, 600)
    taken(page, picture, "--height", "0")
    assert size(picture)[0] == 1280
    assert size(picture)[1] > 2000


def test_a_small_picture_is_small(page: Path, tmp_path: Path) -> None:
    """For a README: as many pixels as the window has, and a third of the bytes."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    small, large = tmp_path / "s.png", tmp_path / "l.png"
    taken(page, small, "--small")
    taken(page, large)
    assert size(small) == (1280, 900)
    assert small.stat().st_size < large.stat().st_size / 3


def test_colours_and_sections_make_other_pictures(page: Path, tmp_path: Path) -> None:
    """Light and dark, top and causes."""
    pictures = []
    for number, more in enumerate(([], ["--dark"], ["--section", "causes"])):
        picture = tmp_path / f"{number}.png"
        taken(page, picture, *more)
        pictures.append(picture.read_bytes())
    assert len(set(pictures)) == 3


def test_a_page_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: Any) -> None:
    """Before any browser starts."""
    with pytest.raises(SystemExit):
        screenshot.main([str(tmp_path / "absent.html"), str(tmp_path / "p.png")])
    assert "no page" in capsys.readouterr().err
