"""Diagrams on the page: nothing overlaps, all is legible, and every part explains itself."""

import re

import pytest
from site_tools import changed_by, chapters, documents, page_file

from attnoise.diagrams import DIAGRAMS

pytestmark = pytest.mark.in_browser

WIDTHS = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 360, "height": 740}}
# Pairs of texts that lie on one another, texts that leave the frame or cross the edge of a box.
FAULTS = """() => [...document.querySelectorAll(".pan-diagram")].flatMap((figure) => {
    const svg = figure.querySelector("svg"), frame = svg.getBoundingClientRect();
    const name = figure.dataset.diagram, found = [];
    const box = (element) => [element.textContent, element.getBoundingClientRect()];
    const texts = [...svg.querySelectorAll("text")].map(box);
    const edges = [...svg.querySelectorAll("rect.pd-box, circle.pd-box, image")].map(box);
    const over = (a, b) => [Math.min(a.right, b.right) - Math.max(a.left, b.left),
                            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
    texts.forEach(([text, a], i) => {
        if (a.left < frame.left - 1 || a.right > frame.right + 1
            || a.top < frame.top - 1 || a.bottom > frame.bottom + 1)
            found.push(`${name}: "${text}" leaves the frame`);
        for (const [other, b] of texts.slice(i + 1)) {
            const [wide, high] = over(a, b);
            if (wide > 1 && high > 3) found.push(`${name}: "${text}" lies on "${other}"`);
        }
        for (const [, b] of edges) {
            const [wide, high] = over(a, b);
            const inside = a.left >= b.left && a.right <= b.right
                && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
            if (wide > 1 && high > 2 && !inside) found.push(`${name}: "${text}" crosses an edge`);
        }
    });
    return found;
})"""
SIZES = """() => [...document.querySelectorAll(".pan-diagram svg")].flatMap((svg) => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return [...svg.querySelectorAll("text")].map((text) =>
        scale * parseFloat(getComputedStyle(text).fontSize));
})"""
TARGETS = """() => [...document.querySelectorAll(".pan-diagram")].flatMap((figure) => {
    const parts = [...figure.querySelectorAll(".pd-part[tabindex]")];
    return parts.map((part) => {
        const box = part.getBoundingClientRect();
        return [figure.dataset.diagram, part.getAttribute("aria-label"), box.width, box.height];
    });
})"""
SHOWN = """() => document.querySelector(".pan-diagram-strip").textContent"""
SHOWS = re.compile(r'data-diagram="([\w-]+)"')


def stored(name: str) -> list[str]:
    """The diagrams on a built page."""
    return SHOWS.findall(page_file(f"{name}.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("view", WIDTHS)
@pytest.mark.parametrize("name", ["book/index", *chapters()])
def test_diagrams_are_legible_and_nothing_overlaps(open_page, name, view):
    if not stored(name):
        return  # this chapter shows none
    page = open_page(f"{name}.html", **WIDTHS[view])
    assert page.evaluate(FAULTS) == []
    assert all(size >= 11 for size in page.evaluate(SIZES))
    small = [row for row in page.evaluate(TARGETS) if min(row[2:]) < 42]  # 44 by 0.96 at 360 px
    assert small == []
    assert page.faults == []


def test_every_diagram_is_on_a_page():
    assert {found for name in documents() for found in stored(name)} == set(DIAGRAMS)


def test_a_part_explains_itself_to_pointer_keyboard_and_finger(open_page):
    page = open_page("book/transformers/block.html", has_touch=True)
    figure = page.locator(".pan-diagram")
    strip = figure.locator(".pan-diagram-strip")
    assert strip.get_attribute("aria-live") == "polite"
    parts = figure.locator(".pd-part[tabindex]")
    mlp = figure.get_by_role("button", name="MLP: MLP on each token", exact=True)
    shown = changed_by(page, mlp.hover, SHOWN)
    assert "b n d = 1 × " in shown and "self.mlp = MLPS[config.mlp]" in shown
    assert "transformers/block.py" in strip.locator("a").get_attribute("href")
    shown = changed_by(page, lambda: parts.nth(0).focus(), SHOWN)
    assert shown.startswith(parts.nth(0).get_attribute("aria-label").partition(":")[0])
    shown = changed_by(page, lambda: page.keyboard.press("Tab"), SHOWN)
    assert shown.startswith(parts.nth(1).get_attribute("aria-label").partition(":")[0])
    page.keyboard.press("Enter")
    assert strip.locator("a").evaluate("link => link === document.activeElement")
    shown = changed_by(page, lambda: page.keyboard.press("Escape"), SHOWN)
    assert shown.startswith("Point at a part")
    shown = changed_by(page, mlp.tap, SHOWN)
    assert shown.startswith("MLP")
    changed = "() => document.querySelector('.pan-diagram').dataset.shown"
    kept = page.evaluate(changed)
    figure.get_by_role("button", name="Attention: multi-head attention", exact=True).hover()
    assert page.evaluate(changed) == kept, "what was chosen stays while the pointer travels"
    assert page.faults == []


def test_without_javascript_stands_the_picture_and_its_caption(open_page):
    page = open_page("book/transformers/block.html", java_script_enabled=False)
    figure = page.locator(".pan-diagram")
    svg = figure.locator("svg")
    assert svg.get_attribute("role") == "img" and len(svg.get_attribute("aria-label")) > 100
    assert svg.bounding_box()["height"] > 300
    assert figure.locator("figcaption").is_visible()
    assert not figure.locator(".pan-diagram-strip").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_page(open_page, scheme):
    page = open_page("book/transformers/gpt.html", color_scheme=scheme)
    read = """() => getComputedStyle(
        document.querySelector(".pan-diagram-svg .pd-box.pd-query")).stroke"""
    wanted = {"light": "rgb(11, 111, 184)", "dark": "rgb(108, 182, 245)"}
    assert page.evaluate(read) == wanted[scheme]
