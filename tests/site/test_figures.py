"""Figures with controls: they answer to the keyboard, and stand still without JavaScript."""

import pytest
from site_tools import chapters, eventually

pytestmark = pytest.mark.in_browser

PICTURE = """figure => {
    const stage = figure.querySelector(".pan-fig-stage");
    const canvases = [...stage.querySelectorAll("canvas")].map((c) => c.toDataURL());
    return stage.innerHTML + canvases.join();
}"""
NAMED = """figure => [...figure.querySelectorAll(
        ".pan-fig-stage img, .pan-fig-stage > svg, .pan-fig-stage canvas")].some((picture) =>
    (picture.getAttribute("alt") || picture.getAttribute("aria-label")
        || picture.querySelector("title")?.textContent || "").trim().length >= 10)"""

NAMES = """control => (control.labels ?? control.querySelectorAll("legend")).length
    + !!control.ariaLabel"""


@pytest.mark.parametrize("name", chapters())
def test_chapter_has_figures_that_move(open_page, name):
    page = open_page(f"{name}.html")
    figures = page.locator("figure.pan-fig").all()
    assert figures, f"{name}: no figure with controls"
    for number, figure in enumerate(figures, start=1):
        controls = figure.locator("input[type=range], fieldset:has(input[type=radio])").all()
        assert controls, f"figure {number} has no control"
        assert figure.evaluate(NAMED), f"figure {number}: its picture has no text alternative"
        assert figure.locator("output[aria-live=polite]").count() >= 1
        for control in controls:
            assert control.evaluate(NAMES) >= 1
            moved(figure, control, f"{name}, figure {number}")
    assert page.faults == []


def moved(figure, control, where: str) -> None:
    """Press keys on a control; its picture and its sentence must both answer.

    In a row of buttons an arrow key presses the next; after the last comes the first.
    """
    output = figure.locator("output").first
    row = control.locator("input:checked")  # of a row of buttons
    key = "ArrowRight" if row.count() else "PageUp"
    control = row if row.count() else control
    control.focus()
    if key == "PageUp":
        control.press("Home")
    picture, sentence = figure.evaluate(PICTURE), output.inner_text()
    moves = says = False
    for _ in range(3):
        figure.page.keyboard.press(key)
        moves = moves or figure.evaluate(PICTURE) != picture
        says = says or output.inner_text() != sentence
    # What a figure computes by a model comes a moment after the key.
    eventually(
        figure.page,
        lambda: moves or figure.evaluate(PICTURE) != picture,
        f"{where}: the picture moves",
    )
    eventually(
        figure.page,
        lambda: says or output.inner_text() != sentence,
        f"{where}: the sentence changes",
    )


@pytest.mark.parametrize("name", chapters())
def test_figures_stand_without_javascript(open_page, name):
    page = open_page(f"{name}.html", java_script_enabled=False)
    for figure in page.locator("figure.pan-fig").all():
        picture = figure.locator(".pan-fig-stage").locator("svg, img").first
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        assert box and box["width"] > 50 and box["height"] > 30
        assert figure.locator("output").first.inner_text().strip()
    assert page.locator("article h1").is_visible()
    assert page.faults == []


@pytest.mark.parametrize("name", chapters())
def test_figures_fit_a_narrow_page(open_page, name):
    page = open_page(f"{name}.html", width=360, height=740)
    for figure in page.locator("figure.pan-fig").all():
        box = figure.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 361
        for control in figure.locator("input[type=range]").all():
            assert control.bounding_box()["height"] >= 16, "too small for a finger"
