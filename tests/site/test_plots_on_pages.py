"""Plots on the page: elements of it in its own colours, numbered, and readable on a phone."""

import collections
import re

import plots_in_pages
import pytest
from site_tools import SITE, chapters, page_file, pages, parsed
from sphinx.errors import ExtensionError

LEAST = 9  # pixels, of any text in a plot on a page of 360
TEXTS = """() => [...document.querySelectorAll("svg.pan-plot text")].map((text) => {
    const box = text.getScreenCTM();
    const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(box.a, box.b);
    return [size, text.textContent];
})"""
COLOURS = """() => {
    const plot = document.querySelector("svg.pan-plot");
    return [getComputedStyle(plot.querySelector("text")).fill,
            getComputedStyle(plot.querySelector("path")).fill];
}"""


@pytest.mark.parametrize("name", chapters())
def test_plots_are_elements_with_number_caption_and_name(name):
    page = parsed(f"{name}.html")
    chapter = page.select_one("article h1 .section-number").get_text().strip(" .")
    shown = page.select("article .cell_output > figure")
    assert len(shown) >= 2 and not page.select("article img[src$='.svg']")
    seen = set()
    for place, figure in enumerate(shown, start=1):
        number = figure.select_one("figcaption .caption-number").get_text().strip()
        assert number == f"Fig. {chapter}.{place}"
        (plot,) = figure.select("svg.pan-plot")
        assert plot["role"] == "img" and len(plot["aria-label"]) >= 40
        seen |= {plot["aria-label"], figure.select_one(".caption-text").get_text()}
        assert re.search(r"--width: \d+px", plot["style"])
    assert len(seen) == 2 * len(shown)
    numbers = {caption.get_text().strip() for caption in page.select("figcaption .caption-number")}
    called = {link.get_text() for link in page.select("article a.reference .std-numref")}
    assert called and called <= numbers


@pytest.mark.parametrize("name", chapters())
def test_no_name_stands_twice_on_a_page(name):
    names = collections.Counter(e["id"] for e in parsed(f"{name}.html").select("[id]"))
    assert [found for found, count in names.items() if count > 1] == []


@pytest.mark.parametrize("page", pages())
def test_every_picture_has_a_caption_and_alternatives_differ(page):
    alts = []
    for picture in parsed(page).select("article :is(img, svg[role=img]):not(.pan-card *)"):
        alts.append(picture.get("alt") or picture.get("aria-label") or "")
        figure = picture.find_parent("figure")
        if figure is not None:
            said = figure.select_one("figcaption, .pan-fig-title, .pan-diagram-title")
            assert said and len(said.get_text().strip()) >= 5, f"{page}: {alts[-1]!r}, no caption"
    assert all(len(alt.strip()) >= 10 for alt in alts)
    assert len(alts) == len(set(alts)), "two pictures share one alternative"


def test_nothing_is_left_of_the_files():
    assert not [path for path in (SITE / "_images").glob("*.svg") if path.stat().st_size > 0]


@pytest.mark.in_browser
@pytest.mark.parametrize("name", chapters())
def test_text_in_plots_can_be_read_on_a_phone(open_page, name):
    page = open_page(f"{name}.html", width=360, height=740, is_mobile=True, has_touch=True)
    sizes = page.evaluate(TEXTS)
    assert len(sizes) > 10
    small = [(round(size, 1), text) for size, text in sizes if size < LEAST - 0.05]
    # A raised exponent is as small as its rules have it.
    assert not [found for found in small if not re.fullmatch(r"[−\d]{1,2}|", found[1])]
    wide = page.evaluate(
        """() => [...document.querySelectorAll("svg.pan-plot")].filter((plot) =>
            plot.getBoundingClientRect().right > document.documentElement.clientWidth).length"""
    )
    assert wide == 0


@pytest.mark.in_browser
def test_plots_wear_the_pages_colours_and_print_in_ink(open_page):
    path = "book/attention/attention.html"
    page_file(path)
    light, light_ground = open_page(path, color_scheme="light").evaluate(COLOURS)
    page = open_page(path, color_scheme="dark")
    dark, dark_ground = page.evaluate(COLOURS)
    assert light != dark
    assert light_ground == dark_ground == "rgba(0, 0, 0, 0)", "no slab behind a plot"
    page.emulate_media(media="print")
    assert page.evaluate(COLOURS)[0] == light


def test_a_drawing_becomes_an_element_with_names_of_its_own():
    source = (
        '<svg xmlns="x" width="432" height="9" style="a: b"><metadata>{}</metadata>'
        '<clipPath id="p1"/><g clip-path="url(#p1)"/><use href="#m"/><path id="m"/></svg>'
    )
    text = plots_in_pages.element(source, 'a "curve"', "plot-3-")
    assert 'role="img" aria-label="a &quot;curve&quot;"' in text
    assert 'id="plot-3-p1"' in text and "url(#plot-3-p1)" in text and 'href="#plot-3-m"' in text
    assert "metadata" not in text and 'style="--width: 432px; a: b"' in text
    with pytest.raises(ExtensionError, match="no width"):
        plots_in_pages.element('<svg height="9">', "a", "b")


def test_a_drawing_without_an_alternative_stops_the_build(tmp_path):
    (tmp_path / "_images").mkdir()
    drawing = tmp_path / "_images" / "a.svg"
    drawing.write_text('<svg width="4" style=""><mask id="m"/></svg>')
    page = '<p><img alt="A line that falls." src="_images/a.svg" /></p><img src="b.png">'
    shown = plots_in_pages.with_plots(page, tmp_path / "gpt.html")
    assert 'id="gpt-plot-1-m"' in shown, "two pages may be joined to one"
    assert 'aria-label="A line that falls."' in shown and '<img src="b.png">' in shown
    with pytest.raises(ExtensionError, match="without a text alternative"):
        plots_in_pages.with_plots('<img alt="" src="_images/a.svg" />', tmp_path / "gpt.html")
