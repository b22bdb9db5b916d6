"""Photograph each chapter's opening figure for its card: web/static/thumbnails/*.webp.

A card shows a window of the figure, as large as on a phone, so that its words can be read: once
for a light page and once for a dark one.

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
SIZE = 560, 350
WIDTH = 392  # of the page, in pixels: a phone's
STAGE = "#opening-figure :is(.pan-fig-stage, svg, img)"
STILL = ".pan-fig-handle { visibility: hidden }"
# Where the window begins, as a fraction of the figure's height; at its top where nothing is said
FROM = {
    "attention": 0.05,
    "positions": 0.05,
    "block": 0.08,
    "encoder-decoder": 0.2,
    "gpt": 0.685,
    "forward-process": 0.17,
    "reverse-process": 0.26,
    "samplers": 0.22,
    "flow-matching": 0.26,
    "guidance": 0.16,
    "autoencoders": 0.37,
    "text-to-image": 0.2,
}


def thumbnail(picture: bytes, begins: float = 0.0) -> Image.Image:
    """Cut a window of the card's form out of a photograph, as wide as it is."""
    photo = Image.open(io.BytesIO(picture)).convert("RGB")
    height = round(photo.width * SIZE[1] / SIZE[0])
    top = max(0, min(round(begins * photo.height), photo.height - height))
    return photo.resize(SIZE, Image.Resampling.LANCZOS, (0, top, photo.width, top + height))


def main(names: list[str]) -> None:
    """Photograph the named chapters, or all that open with a figure."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import launch  # knows where Chromium is

    THUMBNAILS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme, ending in (("light", ""), ("dark", "-dark")):
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 900},
                device_scale_factor=2,
                color_scheme=scheme,
            )
            for path in sorted((SITE / "book").rglob("*.html")):
                if names and path.stem not in names:
                    continue
                page.goto(path.as_uri(), wait_until="load")
                stage = page.locator(STAGE).first
                if stage.count():
                    page.add_style_tag(content=STILL)
                    thumbnail(stage.screenshot(), FROM.get(path.stem, 0.0)).save(
                        THUMBNAILS / f"{path.stem}{ending}.webp", quality=80, method=6
                    )
                    print(path.stem, scheme)


if __name__ == "__main__":
    main(sys.argv[1:])
