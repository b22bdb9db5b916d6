"""Print the whole book as one PDF with tags, an outline and page numbers: _build/pdf/.

  python tools/pdf.py                   all of it (some minutes); needs a built site, and Chromium
  python tools/pdf.py --only NAME ...   some documents, as _toc.yml names them: quick to look at

The site's finished pages are joined (onepage.py) and printed twice: the first print says on which
page everything lies, the second has the numbers in its contents. Then the tags are mended
(pdf_tags.py).
"""

import argparse
import copy
import io
import sys
from pathlib import Path

import pikepdf
from bs4 import BeautifulSoup, Tag
from onepage import join, parts
from pdf_tags import Facts, mend, pages_of_places
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
NAME = "paying-attention-to-noise.pdf"
PATIENCE = 1_800_000  # milliseconds: printing some hundred pages takes a busy machine long
HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
PRINTS = 4  # at most; two are enough unless a number changes a line's length


def print_page(page: Page, file: Path) -> pikepdf.Pdf:
    """Print a page on disk with Chromium."""
    page.goto(file.as_uri(), wait_until="load")
    page.evaluate("async () => { await document.fonts.ready; }")
    raw = page.pdf(tagged=True, outline=True, prefer_css_page_size=True, print_background=True)
    return pikepdf.open(io.BytesIO(raw))


def fill_in(book: BeautifulSoup, pages: dict[str, int]) -> bool:
    """Write page numbers into the contents and the links to solutions; whether any is new."""
    news = False
    for tag in book.select(".page-of"):
        number = str(pages.get(tag["data-of"], ""))
        if tag.get_text() != number:
            tag.string, news = number, True
    return news


def facts(book: BeautifulSoup) -> Facts:
    """Collect what the PDF's reader is to hear: words for formulas, headings and links."""
    places = {}
    for tag in book.find_all(id=True):
        heading = tag if tag.name in HEADINGS else tag.find(HEADINGS)
        number = tag.find(class_="eqno")
        if tag.name == "div" and number is not None:
            places[tag["id"]] = f"Equation {number.get_text().strip('()')}"
        elif heading is not None and tag.name in {"section", "article", *HEADINGS}:
            places[tag["id"]] = spoken(heading)
        elif tag.name == "dt":
            places[tag["id"]] = spoken(tag)
        elif "citation" in tag.get("class", ()):
            places[tag["id"]] = "An entry of the bibliography"
    return Facts(
        title=book.title.get_text(),
        language=book.html["lang"],
        formulas={tag["aria-label"] for tag in book.select(".katex")},
        headings=[spoken(heading) for heading in book.find_all(HEADINGS)],
        places=places,
    )


def spoken(tag: Tag) -> str:
    """The text of a tag, with words in the place of its formulas."""
    copied = copy.copy(tag)
    for formula in copied.select(".katex"):
        formula.replace_with(formula["aria-label"])
    return " ".join(copied.get_text().split())


def make(site: Path, book: list[tuple[str, list[str]]], out: Path) -> Path:
    """Join, print and mend; returns the file."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import launch  # knows where Chromium is

    out.mkdir(parents=True, exist_ok=True)
    joined = BeautifulSoup(join(site, book, site.resolve().as_uri()), "html.parser")
    source, target = out / "book.html", out / NAME
    with sync_playwright() as playwright:
        browser = launch(playwright)
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        for _ in range(PRINTS):
            source.write_text(str(joined), "utf8")
            pdf = print_page(page, source)
            if not fill_in(joined, pages_of_places(pdf)):
                break
        browser.close()
    mend(pdf, facts(joined))
    pdf.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate, compress_streams=True)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="documents, as in _toc.yml")
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "pdf")
    options = parser.parse_args()
    book = parts(ROOT / "_toc.yml")
    if options.only:
        book = [(caption, [n for n in names if n in options.only]) for caption, names in book]
        book = [(caption, names) for caption, names in book if names]
    target = make(options.site, book, options.out)
    pages = len(pikepdf.open(target).pages)
    print(f"{target}: {pages} pages, {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
