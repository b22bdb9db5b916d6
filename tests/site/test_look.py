"""What an eye would stumble over: things that cover, touch or hide one another."""

import pytest
from site_tools import ROOT, chapters, documents

pytestmark = pytest.mark.in_browser

WITH_CLAIMS = [n for n in chapters() if '"claims"' in (ROOT / f"{n}.ipynb").read_text("utf8")]
PHONE = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
# Which words of a plot a line runs through: the test goes along every stroke in steps of two pixels,
# within what its clip leaves of it, and must keep out of the middle half of each line of words.
STRUCK = """() => [...document.querySelectorAll("svg.pan-plot")].flatMap((plot) => {
    const side = (rect, name) => Number(rect.getAttribute(name));
    const points = [...plot.querySelectorAll("path")].flatMap((path) => {
        const look = getComputedStyle(path);
        const idle = look.stroke === "none" || look.strokeLinecap === "round"; // dots, no lines
        if (idle || path.closest("defs, clipPath, mask")) return [];
        const clip = path.closest("[clip-path]")?.getAttribute("clip-path").match(/#([^")]+)/)[1];
        const rect = clip && document.getElementById(clip).querySelector("rect");
        const matrix = path.getScreenCTM(), found = [];
        for (let at = 0; at <= path.getTotalLength(); at += 2 / matrix.a) {
            const point = path.getPointAtLength(at);
            const right = rect && point.x - side(rect, "x"), down = rect && point.y - side(rect, "y");
            if (!rect || (right >= 0 && right <= side(rect, "width")
                && down >= 0 && down <= side(rect, "height"))) found.push(point.matrixTransform(matrix));
        }
        return found;
    });
    return [...plot.querySelectorAll("text")].filter((text) => {
        const box = text.getBoundingClientRect();
        return text.textContent.trim() && points.some(({ x, y }) => x > box.left + 2 && x < box.right - 2
            && y > box.top + box.height / 4 && y < box.bottom - box.height / 4);
    }).map((text) => text.textContent);
})"""


@pytest.mark.parametrize("name", chapters())
def test_no_line_of_a_plot_runs_through_words(open_page, name):
    page = open_page(f"{name}.html")
    assert page.evaluate(STRUCK) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_does_not_show_through_the_bar_above_it(open_page, scheme):
    page = open_page("book/attention/attention.html", color_scheme=scheme)
    ground = page.locator(".bd-header-article").evaluate(
        "(bar) => getComputedStyle(bar).backgroundColor"
    )
    assert ground.startswith("rgb("), f"{ground} lets the page through"


def test_the_name_and_the_search_stand_above_the_list_of_chapters(open_page):
    """The list has scrolled to a late chapter: they are in view, and nothing lies on them."""
    page = open_page(f"{chapters()[-1]}.html")
    chapter = page.locator(".bd-docs-nav li.active > a").last
    assert chapter.evaluate("(link) => link.closest('.sidebar-primary-item').scrollTop") > 0
    assert chapter.evaluate("(link) => link.getBoundingClientRect().bottom <= innerHeight")
    for part in (".site-home__title", ".site-search .search-button-field"):
        on_top = page.locator(f".bd-sidebar-primary {part}").evaluate(
            """(part) => {
                const box = part.getBoundingClientRect();
                const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
                return box.top >= 0 && (part.contains(top) || top.contains(part));
            }"""
        )
        assert on_top, part


def test_the_button_that_copies_hides_no_code(open_page):
    """On a phone it is always there: the longest line, scrolled to its end, ends before it."""
    page = open_page("book/attention/attention.html", **PHONE)
    covered = page.locator(".bd-article .cell_input div.highlight").evaluate_all(
        """(boxes) => boxes.filter((box) => box.checkVisibility()).flatMap((box) => {
            const code = box.querySelector("pre"), words = document.createRange();
            code.scrollLeft = code.scrollWidth;
            words.selectNodeContents(code);
            const { left } = box.querySelector("button.copybtn").getBoundingClientRect();
            return words.getBoundingClientRect().right > left + 1 ? [code.textContent.slice(0, 40)] : [];
        })"""
    )
    assert covered == []
    shown = page.locator(".bd-article .cell_output button.copybtn").evaluate_all(
        "(all) => all.filter((button) => button.checkVisibility()).length"
    )
    assert shown == 0, "nobody copies what was printed, and the button would lie on it"


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", chapters())
def test_the_name_of_a_choice_stands_above_its_buttons(open_page, name, width):
    page = open_page(f"{name}.html", width=width)
    beside = page.locator("fieldset.pan-fig-choice:visible").evaluate_all(
        """(all) => all.filter((choice) => choice.querySelector("legend").getBoundingClientRect().bottom
            > choice.querySelector("label").getBoundingClientRect().top + 1)
            .map((choice) => choice.textContent.trim())"""
    )
    assert beside == []


@pytest.mark.parametrize("width", [360, 820, 1200, 1280, 1440])
def test_the_frame_of_an_exercise_keeps_clear_of_the_page_s_own_lines(open_page, width):
    page = open_page("book/attention/attention.html", width=width)
    gaps = page.locator(".pan-exercise").first.evaluate(
        """(card) => {
            const outside = parseFloat(getComputedStyle(card, "::before").left);
            const left = card.getBoundingClientRect().left + outside;
            const container = card.closest(".bd-article-container").getBoundingClientRect();
            return [left - container.left, outside];
        }"""
    )
    assert gaps[1] < 0, "the frame is drawn around the content"
    assert gaps[0] >= 6


@pytest.mark.parametrize("name", [name for name in documents() if name not in chapters()])
def test_tables_of_three_columns_fit_on_a_phone(open_page, name):
    """What is wider scrolls, and shows its cut edge."""
    page = open_page(f"{name}.html", **PHONE)
    wide = page.locator(".bd-article .pst-scrollable-table-container").evaluate_all(
        "(all) => all.filter((box) => box.scrollWidth > box.clientWidth + 1)"
        ".filter((box) => box.querySelectorAll('tr:first-child > th').length <= 3)"
        ".map((box) => box.textContent.trim().slice(0, 40))"
    )
    assert wide == []


@pytest.mark.parametrize("name", WITH_CLAIMS)
def test_claims_and_what_came_out_are_on_a_phones_screen(open_page, name):
    page = open_page(f"{name}.html", **PHONE)
    cells = page.locator(".tag_claims td")
    assert cells.count() >= 12
    assert cells.evaluate_all(
        "(all) => all.every((cell) => cell.getBoundingClientRect().right <= innerWidth)"
    )
    said = "(cell) => getComputedStyle(cell, '::before').content"
    assert "else could explain" in cells.nth(1).evaluate(said)


def test_numbers_asked_for_stand_in_one_row(open_page):
    """Four fields and their button, where the page has its width."""
    page = open_page("book/transformers/block.html")
    answer = page.locator("form.pan-answer:has(label.pan-field ~ label.pan-field)").first
    feet = answer.locator("label.pan-field, button").evaluate_all(
        "(all) => all.map((part) => Math.round(part.getBoundingClientRect().bottom))"
    )
    assert len(feet) == 5 and max(feet) - min(feet) <= 1
