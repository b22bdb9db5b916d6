"""The zip, unpacked and opened from disk: no error on any kind of page, search and models work."""

import json
import re
import zipfile
from urllib.parse import unquote, urlsplit

import offline
import pytest
from site_tools import SITE, be_patient, figures_ready, follow, page_file, present

pytestmark = pytest.mark.in_browser

KINDS = {
    "landing": "index.html",
    "chapter": "book/attention/attention.html",
    "plain": "book/how-to-use.html",
    "notation": "book/notation.html",
    "glossary": "book/glossary.html",
    "bibliography": "book/bibliography.html",
    "progress": "book/progress.html",
    "index": "genindex.html",
    "search": "search.html",
}
RAN = "() => document.querySelector('[data-ran], [data-failed]')?.dataset"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    page_file("index.html")
    folder = tmp_path_factory.mktemp("offline")
    with zipfile.ZipFile(offline.make(SITE, folder / "book.zip")) as file:
        file.extractall(folder)
    return folder / offline.TITLE


@pytest.fixture
def from_disk(browser, unpacked):
    """Open a page of the zip from disk; whatever goes wrong is collected on `page.faults`."""
    contexts = []

    def opened(path: str, query: str = ""):
        contexts.append(be_patient(browser.new_context(viewport={"width": 1280, "height": 900})))
        page = contexts[-1].new_page()
        page.faults = []

        def look_at(request):
            if not request.url.startswith(("file:", "data:", "blob:")):
                page.faults.append(f"a request leaves the disk: {request.url}")

        page.on("request", look_at)
        page.on("requestfailed", lambda request: page.faults.append(f"not there: {request.url}"))
        page.on("pageerror", lambda error: page.faults.append(f"script error: {error}"))
        page.on(
            "console", lambda line: page.faults.append(line.text) if line.type == "error" else None
        )
        page.goto((unpacked / path).as_uri() + query, wait_until="load")
        figures_ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_page_opens_without_an_error(from_disk, kind):
    page = from_disk(KINDS[kind])
    assert page.locator("h1:visible").first.inner_text().strip()
    fonts = page.evaluate(
        "async () => { await document.fonts.ready;"
        " return [...document.fonts].filter((font) => font.status === 'error' && !font.family.includes(' by ')).map((font) => font.family); }"
    )
    assert fonts == []
    assert page.faults == []


def test_search_works_from_disk_and_leads_to_a_page(from_disk):
    page = from_disk("book/notation.html")
    page.locator(".site-search button").click()
    page.get_by_role("searchbox").fill("guidence")
    results = page.locator(".pan-search-results .pan-search-page")
    results.filter(has_text="Guidance").first.wait_for()
    follow(page, results.filter(has_text="Guidance").first)
    assert page.url.startswith("file:") and "/book/diffusion/guidance.html" in page.url
    assert page.faults == []


def test_the_page_of_results_works_from_disk(from_disk):
    page = from_disk("search.html", "?q=noise")
    page.locator(".pan-search-results .pan-search-page").first.wait_for()
    assert page.faults == []


def test_a_term_shows_its_meaning_from_disk(from_disk):
    page = from_disk("book/attention/attention.html")
    page.locator("a.pan-term").first.hover()
    page.locator(".pan-popover:popover-open").wait_for()
    assert page.locator(".pan-popover").inner_text().strip()
    page.locator("a.reference.internal[href^='#equation-']").first.hover()
    page.locator(".pan-popover:popover-open .katex").first.wait_for()
    assert page.faults == []


@pytest.mark.parametrize(
    "path, button",
    [
        ("book/transformers/gpt.html", "Next token"),
        ("book/together/text-to-image.html", "Paint it"),
    ],
)
def test_models_run_from_disk(from_disk, path, button):
    page = from_disk(path)
    page.get_by_role("button", name=button, exact=True).click()
    told = present(page, RAN)
    assert "failed" not in told and json.loads(told["ran"])
    assert page.faults == []


def test_a_digit_is_read_from_disk(from_disk):
    page = from_disk("book/transformers/vit.html")
    pad = page.locator(".pan-fig-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 4 * box["height"] / 5, steps=8)
    page.mouse.up()
    told = present(page, RAN)
    assert "failed" not in told and len(json.loads(told["ran"])["logits"]) == 10
    assert page.faults == []


def test_every_link_leads_to_a_file_of_the_zip(unpacked):
    missing = set()
    for page in sorted(unpacked.rglob("*.html")):
        for address in re.findall(r'\b(?:href|src)="([^"]+)"', page.read_text("utf8")):
            parts = urlsplit(address)
            if parts.path and not (parts.scheme or parts.netloc):
                target = page.parent / unquote(parts.path)
                missing |= set() if target.is_file() else {f"{page.name}: {address}"}
    assert missing == set()
