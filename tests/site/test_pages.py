"""Every page in a real browser: wide and narrow, light and dark, from a sub-path and from the top."""

import functools
import gzip
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from site_tools import (
    MARKED,
    SITE,
    SUB_PATH,
    be_patient,
    eventually,
    follow,
    page_file,
    pages,
    present,
    served,
)

pytestmark = pytest.mark.in_browser

FIRST_LOAD = 350_000  # bytes of a page and all that it asks for until a reader moves, compressed
REQUESTS = 12
PACKED = {".woff2", ".webp", ".png", ".gz"}  # what no server packs once more
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]
# What is unfolded fades in; half-way its letters are too pale.
SETTLED = "Promise.allSettled(document.getAnimations().map((animation) => animation.finished))"
# Violations that are known and why they stay: {rule: {selector: reason}}. None at present.
KNOWN: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("page_path", pages())
def test_page_is_sound(open_page, page_path, width, scheme):
    page_file(page_path)
    page = open_page(page_path, width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    too_wide = page.evaluate(
        """() => {
            const room = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= room + 1) return [];
            return [...document.querySelectorAll("article *")]
                .filter((e) => e.getBoundingClientRect().right > room + 1)
                .slice(0, 3).map((e) => e.outerHTML.slice(0, 120));
        }"""
    )
    sideways = page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")
    assert not sideways, f"scrolls sideways; reaching out: {too_wide}"
    assert page.faults == []
    assert violations(page) == []
    if width == 1280:
        page.evaluate("for (const all of document.querySelectorAll('details')) all.open = true")
        assert violations(page) == [], "once everything is unfolded"


def violations(page) -> list[str]:
    """What axe finds by any of RULES, whatever its impact, but for what KNOWN lists."""
    present(page, MARKED)  # site.js marks boxes that scroll, so that the keyboard reaches them
    page.evaluate(SETTLED)
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=str(AXE))
    # An experimental rule forbids focus on a box that is no control; a box that scrolls needs it.
    off = {"focus-order-semantics": {"enabled": False}}
    options = {
        "resultTypes": ["violations"],
        "runOnly": {"type": "tag", "values": RULES},
        "rules": off,
    }
    report = page.evaluate("async (options) => await axe.run(document, options)", options)
    found = []
    for violation in report["violations"]:
        for node in violation["nodes"]:
            selector = " ".join(str(part) for part in node["target"])
            if selector not in KNOWN.get(violation["id"], {}):
                found.append(f"{violation['id']} at {selector}: {node['html'][:120]}")
    return found


def test_axe_would_see_a_violation(open_page):
    page = open_page("index.html")
    page.evaluate("document.querySelector('article').insertAdjacentHTML('beforeend', '<img src>')")
    assert any(line.startswith("image-alt") for line in violations(page))


@functools.cache
def compressed_bytes(path: Path) -> int:
    """What a page transfers for a file: fonts and pictures as they are, everything else by gzip."""
    content = path.read_bytes()
    return len(content) if path.suffix in PACKED else len(gzip.compress(content, 6))


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("page_path", pages())
def test_page_is_light(open_page, page_path, width):
    """With everything: the page itself, figures' code, style, letters, and the pictures in sight."""
    page = open_page(page_path, width=width)
    paths = [
        urlsplit(url).path.removeprefix(SUB_PATH) for _, url in page.loaded if url[:4] == "http"
    ]
    sizes = {path: compressed_bytes(SITE / path) for path in paths}
    assert page_path in sizes and len(sizes) >= 5
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) <= FIRST_LOAD, f"{sum(sizes.values())} bytes, most for {heaviest}"
    assert len(paths) <= REQUESTS, paths


def test_pictures_come_when_a_reader_does_and_before_a_page_is_printed(open_page):
    page = open_page("book/diffusion/guidance.html", height=400)
    waiting = "() => [...document.images].filter((image) => !image.complete).length"
    assert page.evaluate(waiting) > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    eventually(page, lambda: page.evaluate(waiting) == 0, "all pictures are there")
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    assert page.faults == []


def test_site_works_at_the_top_of_a_server(open_page):
    with served("/") as top:
        page = open_page("index.html", top=top)
        follow(page, page.locator("nav.bd-links a[href*=attention]").first)
        assert page.locator("article h1").inner_text().strip()
        assert page.faults == []


def test_address_without_the_sub_path_is_nothing(browser, address):
    page = be_patient(browser.new_context()).new_page()
    response = page.goto(address.replace(SUB_PATH, "/") + "index.html")
    assert response.status == 404
    page.context.close()


def test_keyboard_reaches_content_search_and_scheme(open_page):
    page = open_page("index.html", color_scheme="light")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main-content"
    page.keyboard.press("Control+k")
    page.locator("dialog.pan-search").wait_for()
    page.keyboard.press("Escape")
    page.locator(".article-header-buttons .theme-switch-button").focus()
    for _ in range(2):
        page.keyboard.press("Enter")
    theme = "document.documentElement.dataset.theme"
    eventually(page, lambda: page.evaluate(theme) == "dark", "the page turns dark")


def test_what_scrolls_sideways_is_reached_by_keyboard(open_page):
    page = open_page("index.html", width=360)
    page.evaluate(
        """() => document.querySelector("article").insertAdjacentHTML("beforeend",
            "<div class='katex-display' id='long' style='overflow: auto; white-space: nowrap'>" + "x".repeat(400) + "</div>")"""
    )
    page.locator("#long[tabindex='0'][role=group]").wait_for()
