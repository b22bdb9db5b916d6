"""Predictions: a field under every question, kept here alone, and shown beside the result."""

import re

import nbformat
import pytest
from site_tools import BLOCKED, ROOT, chapters, parsed

CHAPTER = "book/attention/attention"
STORED = "() => JSON.parse(localStorage.getItem('pan-answers') ?? 'null')"
in_browser = pytest.mark.in_browser


def field(page, number: int):
    return page.locator(f"#prediction-{number}")


def button(page, number: int):
    return page.locator(f"form:has(#prediction-{number}) button")


def shown(page, number: int):
    return page.locator(f"#prediction-{number}-shown")


@pytest.mark.parametrize("name", chapters())
def test_every_question_has_a_field_and_a_place_beside_its_result(name):
    cells = nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    asked = len(re.findall(r"\*\*Predict:?\*\*", text))
    boxes = text.count("<summary>Check your prediction</summary>")
    page = parsed(f"{name}.html")
    fields = page.select("form.pan-predict")
    assert asked >= 1
    assert len(fields) == len(page.select(".pan-predicted")) == asked
    assert len({form["data-prediction"] for form in fields}) == asked
    assert len(page.select("details > .pan-predicted")) == boxes
    for form in fields:
        question = form.find_previous_sibling()
        assert question.name == "p"
        assert {"Predict", "Predict:"} & {bold.get_text() for bold in question.select("strong")}
        place = page.find(id=f"{form.textarea['id']}-shown")
        closed = place.parent.name == "details"
        assert form.button.get_text() == (
            "Open the result" if closed else "Compare with the result"
        )
        following = place.find_next_sibling()
        assert closed or {"cell_output", "pan-figure-above", "pan-predicted"} & set(
            following["class"]
        )
        assert place.sourceline >= form.sourceline or closed


@in_browser
def test_a_prediction_is_shown_when_its_box_is_opened(open_page):
    page = open_page(f"{CHAPTER}.html")
    assert field(page, 1).is_visible() and not shown(page, 1).is_visible()
    field(page, 1).fill("0.69, 0, 0: the <b>first</b>")
    box = page.locator("details:has(#prediction-1-shown)")
    assert not shown(page, 1).is_visible()
    box.locator("summary").click()
    assert shown(page, 1).inner_text() == "You predicted: “0.69, 0, 0: the <b>first</b>”".replace(
        "“", ""
    ).replace("”", "")
    assert page.faults == []


@in_browser
def test_the_button_opens_the_result_and_leads_there(open_page):
    page = open_page(f"{CHAPTER}.html")
    field(page, 2).focus()
    page.keyboard.type("5 by 7")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    shown(page, 2).wait_for()
    assert page.evaluate("document.activeElement.id") == "prediction-2-shown"
    assert page.locator("details:has(#prediction-2-shown)").get_attribute("open") == ""
    assert shown(page, 2).bounding_box()["y"] < 900


@in_browser
def test_without_a_prediction_the_button_opens_the_result_all_the_same(open_page):
    page = open_page(f"{CHAPTER}.html")
    button(page, 2).click()
    assert page.locator("details:has(#prediction-2-shown)").get_attribute("open") == ""
    assert not shown(page, 2).is_visible()
    assert page.evaluate("document.activeElement.textContent") == "Check your prediction"


@in_browser
def test_where_the_result_is_open_the_prediction_stands_above_it(open_page):
    page = open_page(f"{CHAPTER}.html")
    field(page, 4).fill("it falls")
    button(page, 4).click()
    shown(page, 4).wait_for()
    below = shown(page, 4).evaluate("e => e.nextElementSibling.className")
    assert "cell_output" in below
    assert page.evaluate("document.activeElement.id") == "prediction-4-shown"


@in_browser
def test_predictions_stay_and_are_taken_back(open_page):
    page = open_page(f"{CHAPTER}.html")
    field(page, 1).fill("the first")
    field(page, 4).fill("it falls")
    page.reload()
    assert field(page, 1).input_value() == "the first"
    assert shown(page, 4).is_visible() and "it falls" in shown(page, 4).inner_text()
    field(page, 4).fill("")
    field(page, 4).blur()
    assert not shown(page, 4).is_visible()
    assert list(page.evaluate(STORED)["predictions"].values()) == ["the first"]


@in_browser
def test_predictions_work_where_storage_is_blocked(open_page):
    page = open_page("book/index.html")
    page.add_init_script(f"({BLOCKED})()")
    page.goto(page.url.replace("book/index", CHAPTER))
    field(page, 1).fill("the first")
    button(page, 1).click()
    shown(page, 1).wait_for()
    assert "the first" in shown(page, 1).inner_text()
    assert page.faults == []


@in_browser
def test_nothing_is_sent(open_page):
    page = open_page(f"{CHAPTER}.html")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    field(page, 1).fill("the first")
    button(page, 1).click()
    shown(page, 1).wait_for()
    assert requests == [] and page.context.cookies() == []
