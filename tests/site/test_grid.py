"""The grid: one left edge for text, code and figures, one width, and nothing beyond its column."""

import pytest
from site_tools import chapters

pytestmark = pytest.mark.in_browser

PAGE = 800
# Left edge and width of what stands in the column itself, by kind.
PLACES = """() => {
    const kinds = {
        prose: ".bd-article section > p", code: ".bd-article section > .cell > .cell_input pre",
        figure: ".bd-article .pan-fig, .bd-article .pan-diagram",
        picture: ".bd-article .cell_output img",
    };
    const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const seen = (element) => element.checkVisibility() && element.getClientRects().length;
    return Object.entries(kinds).flatMap(([kind, selector]) =>
        [...document.querySelectorAll(selector)].filter(seen).map((element) => {
            const column = document.querySelector(".bd-article h1").getBoundingClientRect();
            const outer = kind === "code" ? element.closest(".cell_input") : element;
            const box = outer.getBoundingClientRect();
            return [kind, box.left - column.left, box.width, column.width,
                    element.textContent.trim().slice(0, 40)];
        }));
}"""


@pytest.mark.parametrize("width", [1440, 1280, 820])
@pytest.mark.parametrize("name", chapters())
def test_all_begin_at_one_edge_and_none_is_wider_than_the_page(open_page, name, width):
    page = open_page(f"{name}.html", width=width)
    places = page.evaluate(PLACES)
    assert {kind for kind, *_ in places} >= {"prose", "code", "figure"}
    for kind, left, wide, column, text in places:
        assert column <= PAGE + 1
        assert wide <= column + 1, f"{kind} of {wide} px: {text}"
        if kind != "picture":
            assert abs(left) <= 1, f"{kind} begins {left} px beside the others: {text}"
        if kind in ("code", "figure"):
            assert wide >= column - 1, f"{kind} of {wide} px in a column of {column}: {text}"


@pytest.mark.parametrize("width", [1440, 1920])
def test_the_page_is_as_wide_as_the_grid_says(open_page, width):
    page = open_page("book/attention/attention.html", width=width)
    column = page.evaluate("document.querySelector('.bd-article h1').clientWidth")
    assert column == PAGE
    line = page.evaluate(
        "document.querySelector('.bd-article section > p:not([class])').clientWidth"
    )
    assert 560 < line < 700, "about 68 letters"


@pytest.mark.parametrize("width", [1440, 1280])
@pytest.mark.parametrize("name", chapters())
def test_code_is_seen_without_scrolling_sideways(open_page, name, width):
    page = open_page(f"{name}.html", width=width)
    cut = """() => {
        document.querySelectorAll("details").forEach((box) => { box.open = true; });
        return [...document.querySelectorAll(".bd-article .cell_input pre")]
            .filter((box) => box.scrollWidth > box.clientWidth + 1)
            .map((box) => box.textContent.slice(0, 60));
    }"""
    assert page.evaluate(cut) == []
