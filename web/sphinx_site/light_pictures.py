"""Pictures as small files that load when a reader comes near them.

Notebooks keep their outputs as PNG, which every program shows. The site shows the same pixels as
WebP, less than half of the bytes. js/site.js loads all of them before a page is printed.
"""

import re
from pathlib import Path

from PIL import Image
from sphinx.application import Sphinx

PICTURE = re.compile(r"(?P<folder>[\w./-]*_images/)(?P<name>[\w.-]+)\.png\b")
# All but what stands in the page itself, and the book's mark, which is seen at once.
TAG = re.compile(r'<img\b(?![^>]*\bloading=)(?=[^>]*\bsrc="(?!data:|[^"]*logo\.svg))')


def write(out: Path) -> None:
    """Make the pictures of a built site small, and let its pages name them."""
    made = {path.stem for path in sorted((out / "_images").glob("*.png")) if smaller(path)}
    for page in sorted(out.rglob("*.html")):
        before = page.read_text("utf8")
        after = lazy(named(before, made))
        if after != before:
            page.write_text(after, "utf8")


def smaller(path: Path) -> bool:
    """Put a WebP of the same pixels in a PNG's place, if that is smaller."""
    other = path.with_suffix(".webp")
    with Image.open(path) as picture:
        picture.convert("RGBA").save(other, lossless=True, quality=60, method=4)
    larger = other if other.stat().st_size >= path.stat().st_size else path
    larger.unlink()
    return larger == path


def named(text: str, made: set[str]) -> str:
    """Return a page that names the new files."""
    return PICTURE.sub(
        lambda found: (
            f"{found['folder']}{found['name']}.webp" if found["name"] in made else found[0]
        ),
        text,
    )


def lazy(text: str) -> str:
    """Return a page whose pictures load when a reader comes near them."""
    return TAG.sub('<img loading="lazy" decoding="async"', text)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Treat the finished site, after the pictures have got their sizes."""
    if exception is None and app.builder.format == "html":
        write(Path(app.outdir))


def setup(app: Sphinx) -> dict:
    """Connect the event."""
    app.connect("build-finished", finish, priority=120)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
