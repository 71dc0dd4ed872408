"""A picture of a page, as the README shows one: ``python tools/screenshot.py PAGE PICTURE``.

It needs playwright and Pillow, which are development dependencies, and a Chromium; ``XENT_CHROMIUM`` names another
browser than playwright's own or the system's.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

#: Colours of a small picture: a page of text on a few grounds has hardly more.
COLORS = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the picture; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python tools/screenshot.py", description=main.__doc__)
    parser.add_argument("page", type=Path, help="an index.html that `xent report` wrote")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--width", type=int, default=1280, metavar="PIXELS")
    parser.add_argument("--height", type=int, default=900, metavar="PIXELS", help="0: the whole page")
    parser.add_argument("--dark", action="store_true", help="in dark colours")
    parser.add_argument("--section", metavar="ID", help="from this section on: matrix, causes, accuracy ...")
    parser.add_argument("--small", action="store_true", help="of few bytes: in few colours, not for dense screens")
    options = parser.parse_args(arguments)
    if not options.page.is_file():
        parser.error(f"no page {options.page}")
    look = {"dark": options.dark, "section": options.section, "small": options.small}
    take(options.page, options.picture, options.width, options.height, **look)
    return 0


def take(
    page: Path,
    picture: Path,
    width: int = 1280,
    height: int = 900,
    *,
    dark: bool = False,
    section: str | None = None,
    small: bool = False,
) -> None:
    """Write a picture of what a window of that size shows, of the whole page where the height is 0."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        context = browser.new_context(
            viewport={"width": width, "height": height or 900},
            device_scale_factor=2 if height and not small else 1,
            color_scheme="dark" if dark else "light",
        )
        tab = context.new_page()
        tab.goto(page.resolve().as_uri() + (f"#{section}" if section else ""))
        taken = tab.screenshot(full_page=not height)
        browser.close()
    picture.write_bytes(small_png(taken) if small else taken)


def small_png(picture: bytes) -> bytes:
    """The same picture with a palette of few colours, not dithered: a third of the bytes, and text stays sharp."""
    from PIL import Image

    small = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def chromium() -> str | None:
    """The browser of ``XENT_CHROMIUM``, or of the system; None for playwright's own."""
    installed = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return os.environ.get("XENT_CHROMIUM") or next((path for path in installed if path), None)


if __name__ == "__main__":
    raise SystemExit(main())
