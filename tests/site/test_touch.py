"""On a phone, every control is large enough for a finger, on every page and whatever is open."""

import pytest
from site_tools import pages, present

pytestmark = pytest.mark.in_browser

FINGER = 44
PHONE = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
OPEN_ALL = """() => {
    document.querySelectorAll("details").forEach((box) => { box.open = true; });
    document.querySelectorAll(".dropdown-menu").forEach((menu) => menu.classList.add("show"));
}"""
# Controls, and links that stand alone, which are seen but not 44 px high and wide. A link within a
# sentence is as high as its line; parts of a diagram are measured with the diagrams.
SMALL = f"""() => {{
    const controls = "button, input:not([type=hidden]), select, textarea, summary, [role=button], "
        + "[role=slider], .btn, nav li > a, .site-home__link, .pan-action, .pan-card, .pan-run a, "
        + ".prev-next-area a";
    const small = ({{width, height}}) => width < {FINGER - 0.5} || height < {FINGER - 0.5};
    return [...document.querySelectorAll(controls)]
        .filter((one) => one.checkVisibility({{visibilityProperty: true, opacityProperty: true}}))
        .filter((one) => !one.closest("svg, .onlyprint") && one.getClientRects().length)
        .map((one) => [one, one.matches("[type=checkbox], [type=radio]") && one.closest("label") || one])
        .map(([one, hit]) => [one, hit.getBoundingClientRect()])
        .filter(([, box]) => small(box))
        .map(([one, box]) => `${{one.outerHTML.slice(0, 90)}}: ${{box.width}} x ${{box.height}}`);
}}"""
LETTERS = """() => [...document.querySelectorAll("input, select, textarea")]
    .filter((one) => !["range", "checkbox", "radio", "hidden"].includes(one.type))
    .map((one) => [one.outerHTML.slice(0, 90), parseFloat(getComputedStyle(one).fontSize)])
    .filter(([, size]) => size < 16)"""


@pytest.mark.parametrize("page_path", pages())
def test_every_control_is_as_large_as_a_finger(open_page, page_path):
    page = open_page(page_path, **PHONE)
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    page.evaluate(OPEN_ALL)
    assert page.evaluate(SMALL) == []
    assert page.evaluate(LETTERS) == []


@pytest.mark.parametrize("button", [".primary-toggle", ".secondary-toggle", ".search-button"])
def test_so_it_is_in_what_a_button_opens(open_page, button):
    page = open_page("book/attention/attention.html", **PHONE)
    page.locator(f".bd-header-article {button}").first.tap()
    present(page, "() => document.querySelector('dialog[open]') !== null")
    assert page.evaluate(SMALL) == []
    assert page.evaluate(LETTERS) == []
    assert page.faults == []


def test_the_test_would_see_a_small_control(open_page):
    page = open_page("book/index.html", **PHONE)
    page.evaluate("document.querySelector('article').append(document.createElement('button'))")
    page.evaluate("document.querySelector('article > button').style.cssText ="
                  " 'min-height: 0; height: 20px'")  # fmt: skip
    assert len(page.evaluate(SMALL)) == 1
