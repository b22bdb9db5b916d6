"""A chapter on paper: all code, no furniture, its number, and what was folded in its place."""

import re

import pytest
from site_tools import ROOT

pytestmark = pytest.mark.in_browser

CHAPTER = "book/attention/attention.html"
A4 = 660  # pixels between the margins


@pytest.fixture
def paper(open_page):
    """The chapter as it is printed, from a dark screen."""

    def printed(path=CHAPTER):
        page = open_page(path, width=A4, color_scheme="dark")
        page.emulate_media(media="print")
        return page

    return printed


def seen(page, selector: str) -> list[str]:
    """The texts of all elements that take room on the page."""
    return page.eval_on_selector_all(
        selector,
        "all => all.filter((e) => e.getClientRects().length && e.checkVisibility({contentVisibilityAuto: true}))"
        ".map((e) => e.textContent.trim().slice(0, 60))",
    )


def test_the_heading_keeps_its_number(paper):
    (heading,) = seen(paper(), "h1")
    assert re.match(r"1\.\s*Attention", heading)


def test_no_furniture_is_printed(paper):
    page = paper()
    for furniture in (
        "nav, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article",
        "button, input, .pan-run, .pan-progress, .headerlink, .pan-diagram-strip",
        ".prev-next-footer",
    ):
        assert seen(page, furniture) == [], furniture
    assert seen(page, "#opening-figure svg, #opening-figure img, #opening-figure canvas") != []


def test_code_wraps_and_no_equation_is_cut(paper):
    page = paper()
    cut = page.eval_on_selector_all(
        ".bd-article pre, .bd-article .katex-display, .bd-article .output",
        "all => all.filter((e) => e.getClientRects().length && (e.scrollWidth > e.clientWidth + 1"
        " && getComputedStyle(e).overflowX !== 'visible')).map((e) => e.textContent.slice(0, 80))",
    )
    assert cut == []
    long = page.eval_on_selector_all(
        ".bd-article .cell_input pre",
        f"all => all.filter((e) => e.getBoundingClientRect().right > {A4} + 1 || e.scrollWidth > e.clientWidth + 1)"
        ".map((e) => e.textContent.slice(0, 80))",
    )
    assert long == []


def test_a_box_of_code_breaks_where_its_lines_do(paper):
    """If only its inside may not break, its empty ground is left at the foot of a page."""
    kept = paper().eval_on_selector_all(
        ".bd-article .cell_input pre",
        """all => all.filter((code) => code.getClientRects().length).flatMap((code) => {
            const around = [];
            for (let e = code; e && !e.matches(".cell"); e = e.parentElement) around.push(e);
            return around.map((e) => getComputedStyle(e))
                .filter((look) => look.breakInside !== "auto" || look.display !== "block")
                .map((look) => look.breakInside + " " + look.display);
        })""",
    )
    assert kept == []


@pytest.mark.parametrize("path", ["together/text-to-image", "transformers/gpt"])
def test_a_figure_that_is_used_leaves_its_form_on_the_screen(paper, path):
    page = paper(f"book/{path}.html")
    assert seen(page, ".pan-fig :is(input, select, textarea, button)") == []
    assert seen(page, "#opening-figure :is(svg, img, canvas, li)") != []


def test_predictions_unfold_and_hints_solutions_and_folded_code_stay_out(paper):
    page = paper()
    answers = seen(page, ".bd-article details:not(.hide) > p")
    assert answers and not any(
        page.eval_on_selector_all("details", "all => all.map((d) => d.open)")
    )
    assert seen(page, "section[id^=exercise-] details") == []
    assert seen(page, "details.hide pre") == []
    assert seen(page, "section[id^=exercise-] h3") != []


def test_what_the_reader_has_opened_is_printed(open_page):
    page = open_page(CHAPTER, width=A4)
    page.evaluate("for (const all of document.querySelectorAll('details')) all.open = true")
    page.emulate_media(media="print")
    assert len(seen(page, "details.hide pre")) > 3
    assert len(seen(page, "section[id^=exercise-] details")) > 3


def test_paper_is_light(paper):
    page = paper()
    colours = page.evaluate(
        "() => [document.body, document.querySelector('.bd-article p')].map((e) => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color])"
    )
    assert colours[0][0] in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    assert {ink for _, ink in colours} == {"rgb(31, 36, 48)"}


def test_papers_colours_are_those_of_the_light_scheme():
    css = ROOT / "web" / "static" / "css"

    def colours(file: str, selector: str) -> dict[str, str]:
        block = (css / file).read_text("utf8").split(f"{selector} {{")[1].split("}")[0]
        return dict(re.findall(r"(--pan-[\w-]+): (#\w+)", block))

    light = colours("palette.css", ":root")
    assert len(light) >= 12
    assert colours("print.css", 'html[data-theme="dark"]') == light
