"""The site in Firefox: every kind of page, one control of each figure, search, a model, from disk."""

import json
import zipfile

import offline
import pytest
from site_tools import SITE, chapters, page_file, parsed, served

from firefox import find_firefox, firefox

pytestmark = pytest.mark.in_browser

NO_FIREFOX = (
    "no Firefox was found: the site was not tested in one. Install it (Debian: apt-get install "
    "firefox-esr) or name one: FIREFOX=/path/to/firefox"
)
KINDS = (
    "index.html",
    "book/attention/attention.html",
    "book/notation.html",
    "book/glossary.html",
    "book/bibliography.html",
    "book/progress.html",
    "genindex.html",
    "search.html",
)
READY = """() => [...document.querySelectorAll("figure.pan-fig")].every((figure) => figure.dataset.numbers !== undefined)"""
# A family "by" another is a system's font in the shipped one's measures: it may be missing.
FAILED_FONTS = """async () => { await document.fonts.ready;
    return [...document.fonts].filter((font) => font.status === "error" && !font.family.includes(" by ")).map((font) => font.family); }"""
STATE = """(i) => { const figure = document.querySelectorAll("figure.pan-fig")[i];
    return figure.dataset.numbers + figure.querySelector("output").textContent + figure.querySelector(".pan-fig-stage").innerHTML; }"""
FOCUS = """(i) => { const figure = document.querySelectorAll("figure.pan-fig")[i];
    const slider = figure.querySelector("input[type=range]:not([disabled])");
    const choice = figure.querySelector("[role=radio][aria-checked=false], button[aria-pressed=false], input[type=radio]:not(:checked)");
    (slider ?? choice).scrollIntoView({ block: "center" });
    (slider ?? choice).focus();
    return slider ? (slider.value === slider.max ? "ArrowLeft" : "ArrowRight") : "Space"; }"""


@pytest.fixture(scope="module")
def session():
    executable = find_firefox()
    if executable is None:
        pytest.skip(NO_FIREFOX)
    page_file("index.html")
    with firefox(executable) as running:
        yield running


@pytest.fixture(scope="module")
def top():
    with served("/some/fork/") as address:
        yield address


@pytest.fixture
def open_page(session, top):
    """Open a page of the site in Firefox; it must close without a fault."""
    pages = []

    def opened(path, address=top):
        pages.append(session.open(address + path))
        pages[-1].until(READY)
        return pages[-1]

    yield opened
    for page in pages:
        page.run("() => document.fonts.ready.then(() => 1)")
        page.close()


def sound(page, top) -> None:
    """Assert that nothing went wrong and no request left."""
    assert page.faults == []
    allowed = (top, "data:", "blob:", "about:", "resource:")
    assert [url for url in page.requests if not url.startswith(allowed)] == []


@pytest.mark.parametrize("path", KINDS)
def test_each_kind_of_page_is_sound(open_page, top, path):
    page = open_page(path)
    assert page.run(
        "() => [...document.querySelectorAll('h1')].some((h1) => h1.checkVisibility() && h1.textContent.trim())"
    )
    assert page.run("() => document.documentElement.scrollWidth <= innerWidth + 1")
    fonts = page.run(FAILED_FONTS)
    assert fonts == []
    sound(page, top)


@pytest.mark.parametrize(
    "name", [name for name in chapters() if parsed(f"{name}.html").select("figure.pan-fig")]
)
def test_one_control_of_each_moving_figure_works(open_page, top, name):
    page = open_page(f"{name}.html")
    figures = page.run("() => document.querySelectorAll('figure.pan-fig').length")
    assert figures >= 1
    for i in range(figures):
        key = page.run(FOCUS, i)
        before = page.run(STATE, i)
        page.press(key)
        page.until(f"(i, before) => ({STATE})(i) !== before", i, before)
    sound(page, top)


def test_search_finds_despite_a_slip(open_page, top):
    page = open_page("book/notation.html")
    page.press("Control+k")
    page.until("() => document.querySelector('dialog.pan-search').open")
    page.press(*"guidence")
    found = page.until(
        "() => [...document.querySelectorAll('.pan-search-page')].map((a) => a.textContent).join('|')"
    )
    assert "Guidance" in found
    sound(page, top)


def test_the_studio_paints(open_page, top):
    page = open_page("book/together/text-to-image.html")
    page.run(
        "() => [...document.querySelectorAll('button')].find((b) => b.textContent === 'Paint it').click()"
    )
    ran = page.until("() => document.querySelector('[data-ran], [data-failed]')?.dataset")
    assert "failed" not in ran and json.loads(ran["ran"])
    sound(page, top)


def test_the_zip_works_from_disk(open_page, tmp_path):
    with zipfile.ZipFile(offline.make(SITE, tmp_path / "book.zip")) as file:
        file.extractall(tmp_path)
    top = (tmp_path / offline.TITLE).as_uri() + "/"
    page = open_page("search.html?q=noise", address=top)
    page.until("() => document.querySelectorAll('.pan-search-page').length")
    sound(page, top)
    page = open_page("book/transformers/gpt.html", address=top)
    page.run(
        "() => [...document.querySelectorAll('button')].find((b) => b.textContent === 'Next token').click()"
    )
    ran = page.until("() => document.querySelector('[data-ran], [data-failed]')?.dataset")
    assert "failed" not in ran
    sound(page, top)
