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

TRANSFER_BYTES = 300_000  # scripts, style sheets and fonts of one page, compressed
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
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


def violations(page) -> list[str]:
    """What axe finds serious or critical, but for what KNOWN lists."""
    present(page, MARKED)  # site.js marks boxes that scroll, so that the keyboard reaches them
    page.add_script_tag(path=str(AXE))
    report = page.evaluate("async () => await axe.run(document, {resultTypes: ['violations']})")
    found = []
    for violation in report["violations"]:
        for node in violation["nodes"]:
            selector = " ".join(str(part) for part in node["target"])
            if selector in KNOWN.get(violation["id"], {}):
                continue
            if node["impact"] in {"serious", "critical"}:
                found.append(f"{violation['id']} at {selector}: {node['html'][:120]}")
    return found


def test_axe_would_see_a_violation(open_page):
    page = open_page("index.html")
    page.evaluate("document.querySelector('article').insertAdjacentHTML('beforeend', '<img src>')")
    assert any(line.startswith("image-alt") for line in violations(page))


@functools.cache
def compressed_bytes(path: Path) -> int:
    """What a page transfers for a file: fonts as they are, everything else by gzip."""
    content = path.read_bytes()
    return len(content) if path.suffix in {".woff", ".woff2"} else len(gzip.compress(content, 6))


@pytest.mark.parametrize("page_path", pages())
def test_page_is_light(open_page, page_path):
    page = open_page(page_path)
    total = 0
    for kind, url in page.loaded:
        if kind in {"script", "stylesheet", "font"}:
            total += compressed_bytes(SITE / urlsplit(url).path.removeprefix(SUB_PATH))
    assert 0 < total <= TRANSFER_BYTES, f"{page_path} transfers {total} bytes"


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
