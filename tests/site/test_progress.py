"""Marks of progress: set, shown, carried to another browser, removed; and never sent."""

import json
import re

import nbformat
import pytest
from site_tools import BLOCKED, ROOT, chapters, eventually, follow, page_file, parsed

pytestmark = pytest.mark.in_browser

CHAPTER = "book/attention/attention"
STORED = "() => JSON.parse(localStorage.getItem('pan-progress') ?? 'null')"


def chapter_button(page):
    return page.get_by_role("button", name="I have read this chapter")


def exercise_button(page, number: int):
    return page.get_by_role("button", name=f"Exercise {number} is done")


def is_pressed(button) -> bool:
    return button.get_attribute("aria-pressed") == "true"


def ticked(page, where: str) -> list[str]:
    """The chapters whose links carry a tick, by the last part of their names."""
    found = page.locator(f"{where} a:has(.pan-tick)").evaluate_all("all => all.map((a) => a.href)")
    return sorted({link.split("#")[0].rsplit("/", 1)[1].removesuffix(".html") for link in found})


@pytest.mark.parametrize("name", chapters())
def test_every_chapter_and_every_exercise_has_a_button(name):
    cells = nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    numbers = re.findall(r"(?m)^### Exercise (\d+)", text)
    html = page_file(f"{name}.html").read_text(encoding="utf-8")
    assert numbers
    buttons = parsed(f"{name}.html").select("button[data-exercise]")
    assert [button["data-exercise"] for button in buttons] == numbers
    assert html.count(f'data-chapter="{name}" aria-pressed') == 1


def test_a_mark_stays_and_shows_in_the_contents_and_on_the_first_page(open_page):
    page = open_page(f"{CHAPTER}.html")
    button = chapter_button(page)
    assert not is_pressed(button)
    assert button.bounding_box()["height"] >= 44
    button.focus()
    page.keyboard.press("Enter")
    assert is_pressed(button)
    exercise_button(page, 2).click()
    assert page.evaluate(STORED) == {"version": 1, "read": [CHAPTER], "done": {CHAPTER: ["2"]}}
    assert ticked(page, "nav.bd-links") == ["attention"]
    page.reload()
    assert is_pressed(chapter_button(page)) and is_pressed(exercise_button(page, 2))
    assert not is_pressed(exercise_button(page, 1))
    follow(page, page.locator("nav.site-home a"))
    assert ticked(page, "nav.bd-links") == ticked(page, ".pan-cards") == ["attention"]
    words = page.locator(".pan-card:has(.pan-tick)").inner_text().split()
    assert words[:2] == ["1.", "Attention"] and words[-1] == "read"
    assert page.faults == []


def test_a_mark_is_taken_back(open_page):
    page = open_page(f"{CHAPTER}.html")
    for expected in (True, False):
        chapter_button(page).click()
        assert is_pressed(chapter_button(page)) is expected
        assert ticked(page, "nav.bd-links") == (["attention"] if expected else [])
    assert page.evaluate(STORED)["read"] == []


def test_nothing_is_sent(open_page):
    page = open_page(f"{CHAPTER}.html")
    requests = []
    page.on("request", lambda request: requests.append((request.resource_type, request.method)))
    chapter_button(page).click()
    exercise_button(page, 1).click()
    assert set(requests) <= {("image", "GET")}, "but for the pictures that come into sight"
    assert page.context.cookies() == []


def test_marks_made_in_another_tab_arrive(open_page):
    page = open_page(f"{CHAPTER}.html")
    other = page.context.new_page()
    other.goto(page.url)
    chapter_button(other).click()
    eventually(page, lambda: is_pressed(chapter_button(page)), "the mark of the other tab")


def test_marks_are_exported_and_imported(open_page, tmp_path):
    page = open_page(f"{CHAPTER}.html")
    chapter_button(page).click()
    exercise_button(page, 2).click()
    follow(page, page.locator("article .pan-progress a"))
    row = page.locator("tr", has_text="Attention").first
    assert "1 of 6" in row.inner_text()
    assert is_pressed(row.get_by_role("button"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Export to a file").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert json.loads(path.read_text())["done"] == {CHAPTER: ["2"]}

    other = open_page("book/progress.html")
    other.get_by_role("button", name="Positions: read").click()
    other.set_input_files("#pan-progress-file", path)
    other.get_by_text("The marks of the file are added to yours.").wait_for()
    assert other.evaluate(STORED) == {
        "version": 1,
        "read": [CHAPTER, "book/attention/positions"],
        "done": {CHAPTER: ["2"]},
    }
    assert other.faults == []


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"version": 1}', '{"version": 9, "read": []}', "null"]
)
def test_a_file_of_something_else_changes_nothing(open_page, tmp_path, text):
    page = open_page("book/progress.html")
    page.get_by_role("button", name="Positions: read").click()
    before = page.evaluate(STORED)
    (tmp_path / "other.json").write_text(text)
    page.set_input_files("#pan-progress-file", tmp_path / "other.json")
    page.get_by_text("That file holds no progress of this book").wait_for()
    assert page.evaluate(STORED) == before
    assert page.faults == []


def test_an_imported_file_cannot_write_into_the_page(open_page, tmp_path):
    page = open_page("book/progress.html")
    evil = {"version": 1, "read": ["<img src=x onerror=alert(1)>", 7], "done": {CHAPTER: [1, "2"]}}
    (tmp_path / "odd.json").write_text(json.dumps(evil))
    page.set_input_files("#pan-progress-file", tmp_path / "odd.json")
    page.get_by_text("The marks of the file are added to yours.").wait_for()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate(STORED)["done"] == {CHAPTER: ["2"]}
    assert page.faults == []


def test_reset_asks_first(open_page):
    page = open_page("book/progress.html")
    page.get_by_role("button", name="Positions: read").click()
    dialog = page.get_by_role("dialog", name="Remove all marks from this browser?")
    for answer, left in (("Keep them", 1), ("Remove all marks", 0)):
        page.get_by_role("button", name="Reset …").click()
        dialog.wait_for()
        assert page.evaluate("document.activeElement.textContent") == "Keep them"
        dialog.get_by_role("button", name=answer).click()
        dialog.wait_for(state="hidden")
        assert len(page.evaluate(STORED)["read"]) == left
    assert ticked(page, "nav.bd-links") == []


def test_marks_work_until_the_page_is_left_where_storage_is_blocked(open_page):
    page = open_page("book/index.html")
    page.add_init_script(f"({BLOCKED})()")
    page.goto(page.url.replace("book/index", CHAPTER))
    chapter_button(page).click()
    assert is_pressed(chapter_button(page))
    assert ticked(page, "nav.bd-links") == ["attention"]
    page.get_by_text("This browser lets the page keep nothing").wait_for()
    scheme = page.evaluate("document.documentElement.dataset.theme")
    page.locator(".article-header-buttons .theme-switch-button").click()
    assert page.evaluate("document.documentElement.dataset.theme") != scheme
    assert page.faults == []


def test_what_storage_holds_of_something_else_is_no_mark(open_page):
    page = open_page(f"{CHAPTER}.html")
    for text in ("{", "7", '{"read": "all", "done": [1]}', '{"done": {"x": 3}}'):
        page.evaluate("text => localStorage.setItem('pan-progress', text)", text)
        page.reload()
        assert not is_pressed(chapter_button(page))
    assert page.faults == []


def test_without_scripts_no_dead_button_is_shown(open_page):
    page = open_page(f"{CHAPTER}.html", java_script_enabled=False)
    assert page.locator(".pan-progress:visible").count() == 0
