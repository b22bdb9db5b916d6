"""Photograph each chapter's opening figure for its card: web/static/thumbnails/*.webp.

python tools/thumbnails.py [CHAPTER ...]    needs a built site, and Chromium or Chrome
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
THUMBNAILS = ROOT / "web" / "static" / "thumbnails"
SITE = ROOT / "_build" / "html"
SIZE = 480, 300
STAGE = "#opening-figure :is(.pan-fig-stage, svg, img)"


def thumbnail(picture: bytes) -> Image.Image:
    """Fit a photograph into the card's size, on its own ground, without cutting anything off."""
    photo = Image.open(io.BytesIO(picture)).convert("RGB")
    photo.thumbnail((SIZE[0] - 32, SIZE[1] - 24), Image.Resampling.LANCZOS)
    card = Image.new("RGB", SIZE, "white")
    card.paste(photo, ((SIZE[0] - photo.width) // 2, (SIZE[1] - photo.height) // 2))
    return card


def main(names: list[str]) -> None:
    """Photograph the named chapters, or all that open with a figure."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import launch  # knows where Chromium is

    THUMBNAILS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1000, "height": 900}, device_scale_factor=2)
        for path in sorted((SITE / "book").rglob("*.html")):
            if names and path.stem not in names:
                continue
            page.goto(path.as_uri(), wait_until="load")
            stage = page.locator(STAGE).first
            if stage.count():
                thumbnail(stage.screenshot()).save(
                    THUMBNAILS / f"{path.stem}.webp", quality=82, method=6
                )
                print(path.stem)


if __name__ == "__main__":
    main(sys.argv[1:])
