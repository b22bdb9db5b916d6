"""The plots of the chapters, put into the page: as elements of it they wear its colours.

A notebook stores a plot as vectors and as pixels. Sphinx copies the vectors to a file and shows
them as a picture, which a page's colours do not reach; when the build is finished, each takes the
place of its picture, with the picture's text alternative as its name. In its caption a figure's
number is that of its chapter and its place there.
"""

import html
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

PICTURE = re.compile(r'<img\b[^>]*\bsrc="((?!data:)[^"]*_images/[^"]+\.svg)"[^>]*>')
NAMES = re.compile(r'\bid="([\w-]+)"')
WIDTH = re.compile(r'^<svg\b[^>]*?\bwidth="(\d+)"')


def inline(app: Sphinx, exception: Exception | None) -> None:
    """Put the plots into the finished pages, and drop the files that nothing shows any more."""
    if exception is not None or app.builder.format != "html":
        return
    out, shown = Path(app.outdir), set()
    for page in sorted(out.rglob("*.html")):
        before = page.read_text(encoding="utf-8")
        files = {(page.parent / source).resolve() for source in PICTURE.findall(before)}
        if files:
            shown |= files
            page.write_text(with_plots(before, page), encoding="utf-8")
    for path in shown:
        path.unlink()


def with_plots(text: str, page: Path) -> str:
    """Replace each picture that is a drawing by the drawing; its names are the site's only ones.

    Args:
        text: The page's html.
        page: Where it lies.
    """
    count = 0

    def drawn(match: re.Match) -> str:
        nonlocal count
        count += 1
        alt = re.search(r'\balt="([^"]*)"', match[0])
        if alt is None or not alt[1].strip():
            raise ExtensionError(f"{match[1]} is shown without a text alternative.")
        source = (page.parent / match[1]).read_text(encoding="utf-8")
        return element(source, html.unescape(alt[1]), f"{page.stem}-plot-{count}-")

    return PICTURE.sub(drawn, text)


def element(source: str, alt: str, prefix: str) -> str:
    """Return a drawing as an element of a page: named, its own names apart from all others'.

    Args:
        source: The file.
        alt: What is seen.
        prefix: What its names begin with.
    """
    start = source.index("<svg")
    text = re.sub(r"<metadata>.*?</metadata>", "", source[start:].strip(), flags=re.DOTALL)
    for name in set(NAMES.findall(text)):
        text = re.sub(rf'(\bid="|url\(#|href="#){name}(?=["\)])', rf"\g<1>{prefix}{name}", text)
    width = WIDTH.search(text)
    if width is None:
        raise ExtensionError(f"A drawing says no width: {text[:80]}")
    named = f'<svg class="pan-plot" role="img" aria-label="{html.escape(alt)}"'
    text = named + text[len("<svg") :]
    return text.replace(' style="', f' style="--width: {width[1]}px; ', 1)


def setup(app: Sphinx) -> dict:
    """Put them in before anything else reads the finished pages."""
    app.connect("build-finished", inline, priority=50)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
