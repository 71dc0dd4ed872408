"""The picture of a page: of the size asked for, in the colours asked for."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import browser
import pytest
import records

import xent_reports
from xent_reports import screenshot


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A small page, where there is a browser to look at it."""
    if screenshot.chromium() is None:
        browser.missing("no Chromium: apt-get install chromium, or set XENT_CHROMIUM")
    pytest.importorskip("playwright")
    return xent_reports.render(records.written(tmp_path / "r.jsonl", *records.large(3, 30, 9)), tmp_path / "out")


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    return struct.unpack(">II", content[16:24])  # type: ignore[return-value]


def test_a_picture_has_the_size_of_the_window_twice(page: Path, tmp_path: Path) -> None:
    """For screens of high density; the whole page is as long as it is."""
    picture = tmp_path / "p.png"
    assert screenshot.main([str(page), str(picture), "--width", "400", "--height", "300"]) == 0
    assert size(picture) == (800, 600)
    screenshot.main([str(page), str(picture), "--height", "0"])
    assert size(picture)[0] == 1280
    assert size(picture)[1] > 2000


def test_colours_and_sections_make_other_pictures(page: Path, tmp_path: Path) -> None:
    """Light and dark, top and failures."""
    taken = []
    for number, more in enumerate(([], ["--dark"], ["--section", "failures"])):
        picture = tmp_path / f"{number}.png"
        screenshot.main([str(page), str(picture), *more])
        taken.append(picture.read_bytes())
    assert len(set(taken)) == 3


def test_a_page_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: Any) -> None:
    """Before any browser starts."""
    with pytest.raises(SystemExit):
        screenshot.main([str(tmp_path / "absent.html"), str(tmp_path / "p.png")])
    assert "no page" in capsys.readouterr().err
