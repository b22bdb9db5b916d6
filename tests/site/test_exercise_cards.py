"""Exercises on the page: cards, answers with the check's own words, and nothing told beforehand."""

import copy
import functools
import importlib
import json
import re

import nbformat
import pytest
from site_tools import (
    BLOCKED,
    ROOT,
    SITE,
    be_patient,
    changed_by,
    chapters,
    eventually,
    parsed,
    present,
)
from test_pages import violations
from tests.exercises.proof import answers, run

from attnoise.exercises.comparisons import answerable, flat
from attnoise.exercises.mechanism import exercises_of

CHAPTER = "book/attention/attention"
SCRIPT = "web/static/js/exercises.js"
STORED = "() => JSON.parse(localStorage.getItem('pan-answers') ?? 'null')"
NO_CRYPTO = """() => Object.defineProperty(Crypto.prototype, "subtle", { get: () => undefined })"""
in_browser = pytest.mark.in_browser


def module_of(name: str, room: str = "attnoise.exercises."):
    return importlib.import_module(room + name.split("/")[-1].replace("-", "_"))


def wrong_answers(name: str) -> dict:
    """The mistakes that the chapter's proof knows: for each checker, answers and their words."""
    return module_of(name, "tests.exercises.test_").WRONG


@functools.cache
def solutions(name: str) -> dict:
    """What the chapter's own solutions answer, by checker."""
    masters, asked = answers(name.removeprefix("book/") + ".ipynb"), answerable(module_of(name))
    return {one.name: run(*masters[one.name], {"check": module_of(name)}) for one in asked}


def verdict(number: int) -> str:
    """A JavaScript function that reads what stands under an exercise's fields."""
    return f"""() => document.querySelector(
        "form.pan-answer[data-exercise='{number}'] .pan-verdict").textContent"""


def fill(one, form, values: list) -> None:
    """Type numbers, or choose options, as a reader would."""
    if not one.asks[0].choose:
        for i, value in enumerate(values):
            text = str(int(value)) if one.asks[0].options else f"{value:.12g}"
            form.get_by_role("textbox").nth(i).fill(text)
        return
    for box in form.get_by_role("checkbox").all():
        box.uncheck()
    for i, group in enumerate(form.locator("fieldset").all()):
        for value in values if len(one.asks) == 1 else values[i : i + 1]:
            group.get_by_label(str(int(value)), exact=True).check()


def typed(page, number: int, *texts: str) -> str:
    """Type texts into an exercise's fields, press Enter, return what is said."""
    form = page.locator(f"form.pan-answer[data-exercise='{number}']")
    for i, text in enumerate(texts):
        form.get_by_role("textbox").nth(i).fill(text)
    form.get_by_role("textbox").first.press("Enter")
    return present(page, verdict(number))


# What the page holds --------------------------------------------------------------------------------


def closed(name: str):
    """A page's html as it is before anything is opened: without hints and solutions."""
    page = copy.copy(parsed(f"{name}.html"))
    for box in page.select("section.pan-exercise details"):
        box.decompose()
    return page


@pytest.mark.parametrize("name", chapters())
def test_each_exercise_is_a_card_with_level_minutes_and_an_anchor(name):
    found = parsed(f"{name}.html").select("section.pan-exercise")
    known = exercises_of(module_of(name))
    assert len(found) == len(known)
    for box, one in zip(found, known, strict=True):
        assert box.h3.get_text().startswith(f"Exercise {one.number} · {one.title}"[:14])
        assert box["id"] and box.h3.select_one("a.headerlink")["href"] == f"#{box['id']}"
        assert box.select_one(f".pan-level-{one.level}").get_text() == one.level
        assert box.select_one(".pan-minutes").get_text() == f"{one.minutes} minutes"
        assert box.select_one(".pan-where").get_text() == (
            "answer here" if one.asks else "in the notebook"
        )
        assert len(box.select("form.pan-answer")) == bool(one.asks)
        hints = [s.get_text() for s in box.select("details > summary")]
        assert sum(text.startswith("Hint") for text in hints) >= 2
        assert box.select_one(f"button[data-exercise='{one.number}']")


@pytest.mark.parametrize("name", chapters())
def test_the_solution_and_its_tick_are_folded_and_nowhere_else(name):
    checks = [
        cell
        for cell in nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells
        if "check" in cell.metadata.get("tags", [])
    ]
    boxes = parsed(f"{name}.html").select("section.pan-exercise > details.pan-solution")
    assert len(boxes) == len(checks)
    before = closed(name).get_text(" ")
    for box, cell in zip(boxes, checks, strict=True):
        said = cell.outputs[0].data["text/plain"]
        assert said.startswith("✓") and said in box.get_text()
        assert not box.has_attr("open") and said[2:] not in before
        assert "### BEGIN" not in box.get_text() and "### END" not in box.get_text()
        assert box.select(".cell_input") and not box.select("details")
    assert "✓" not in "".join(s.get_text() for s in closed(name).select("section.pan-exercise"))


def ways_to_write(x: float) -> set[str]:
    return {f"{x:g}", f"{x:.3g}", f"{x:.2f}", f"{x:.3f}", f"{x:,.0f}", f"{x:.0f}"} - {"0", "1"}


@pytest.mark.parametrize("name", chapters())
def test_no_right_answer_is_in_the_cards_or_scripts(name):
    """Neither as a number nor in words, but for numbers that the question itself names."""
    page, script = closed(name), (ROOT / SCRIPT).read_text("utf-8")
    questions = {
        found[1]: cell.source.split("<details>")[0]
        for cell in nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells
        if (found := re.match(r"### Exercise (\d+)", cell.source))
    }
    for one in answerable(module_of(name)):
        box = page.select_one(f"section:has(> form[data-exercise='{one.number}'])")
        right = solutions(name)[one.name]
        assert repr(one.check(right))[2:] not in str(page) + script
        sealed = json.loads(box.form.script.extract().string)
        for part in ("fields", "verdicts", "sentences"):
            assert not re.search(r"(?<![\w+/=])-?\d+\.\d|[a-z]{3,} [a-z]{2,}", str(sealed[part]))
        for part in box.select("h3, .pan-exercise-about, .pan-progress"):
            part.decompose()
        for x in [] if one.asks[0].options else flat(right):  # options stand there, to be chosen
            for number in ways_to_write(x):
                alone = rf"(?<![\w.,-]){re.escape(number)}(?!\w|[.,]\d)"
                if not re.search(alone, questions[str(one.number)]):
                    assert not re.search(alone, box.get_text(" ")), f"{one.name} tells {number}"


@pytest.mark.parametrize(("name", "needed"), [(CHAPTER, True), ("book/index", False)])
def test_the_page_loads_cards_only_where_exercises_are(name, needed):
    (tag,) = parsed(f"{name}.html").select("script[src*=joined]")
    joined = (SITE / name).parent.joinpath(tag["src"]).read_text("utf-8")
    assert ("pan-verdict" in joined) is needed


# Answers ------------------------------------------------------------------------------------------


def in_fields(one, answer) -> list | None:
    """An answer's numbers, or None where the page's fields cannot hold them."""
    try:
        values = flat(answer)
    except (TypeError, ValueError):
        return None
    (*_, last) = one.asks
    if len(one.asks) == 1 and last.choose > 1:
        fits = len(values) == last.choose == len(set(values))
    else:
        fits = len(values) == len(one.asks)
    return values if fits and (not last.options or {*map(int, values)} <= {*last.options}) else None


@in_browser
@pytest.mark.parametrize("name", chapters())
def test_every_answer_gets_the_checks_own_sentence(open_page, name):
    """The solution, and every mistake that the chapter's proof knows."""
    page, masters, tried = open_page(f"{name}.html"), solutions(name), 0
    for one in answerable(module_of(name)):
        form = page.locator(f"form.pan-answer[data-exercise='{one.number}']")
        mistakes = [mistaken for mistaken, _ in wrong_answers(name)[one.name]]
        for answer in [masters[one.name], *mistakes]:
            values = in_fields(one, answer)
            if values is None:
                continue
            fill(one, form, values)
            said = changed_by(page, form.get_by_role("button").click, verdict(one.number))
            assert said == repr(one.check(answer)), (one.name, answer)
            tried += 1
    assert tried >= 3
    assert page.faults == []


@in_browser
def test_a_right_answer_is_praised_marked_and_kept(open_page):
    page = open_page(f"{CHAPTER}.html")
    form = page.get_by_role("form", name="Your answer to exercise 1")
    line = form.get_by_role("status")
    assert line.inner_text() == ""
    form.get_by_label("output").fill("22")
    page.keyboard.press("Enter")
    assert present(page, verdict(1)).startswith("✓ A fifth, three fifths, a fifth")
    done = page.get_by_role("button", name="Exercise 1 is done")
    eventually(page, lambda: done.get_attribute("aria-pressed") == "true", "the mark")
    assert page.evaluate(STORED)["answers"] == {f"{CHAPTER} 1": ["22"]}
    page.reload()
    assert present(page, verdict(1)).startswith("✓ A fifth")
    assert form.get_by_label("output").input_value() == "22"
    assert done.get_attribute("aria-pressed") == "true"
    assert page.faults == []


@in_browser
def test_a_changed_answer_loses_its_verdict_and_a_wrong_one_marks_nothing(open_page):
    page = open_page(f"{CHAPTER}.html")
    assert typed(page, 1, "20").startswith("✗ That is a hard look-up")
    form = page.get_by_role("form", name="Your answer to exercise 1")
    form.get_by_role("textbox").press_sequentially("1")
    assert form.get_by_role("status").inner_text() == ""
    done = page.get_by_role("button", name="Exercise 1 is done")
    assert done.get_attribute("aria-pressed") == "false"


@in_browser
@pytest.mark.parametrize(
    ("number", "texts", "words"),
    [
        (1, ["0.7917", "0.6667"], "✗"),
        (1, ["2", "2/3"], "✓"),
        (1, ["2", "0,667"], "✓"),
        (1, ["2,0", " .667 "], "✓"),
        (1, ["2, 2/3", ""], "✓"),
        (1, ["(2; 0,667)", ""], "✓"),
        (1, ["−2", "2/3"], "✗"),
        (1, ["", "2/3"], "Type a number first (distance)."),
        (1, ["2", "   "], "Type a number first (rate)."),
        (1, ["two", "2/3"], "“two” cannot be read as a number (distance)."),
        (1, ["2", "2/0"], "“2/0” cannot be read as a number (rate)."),
        (1, ["2", "1/2/3"], "“1/2/3” cannot be read as a number (rate)."),
        (1, ["2", "6.67e-1"], "✓"),
    ],
)
def test_numbers_are_read_as_people_write_them(open_page, number, texts, words):
    page = open_page("book/transformers/encoder-decoder.html")
    assert typed(page, number, *texts).startswith(words)
    bad = page.locator("form.pan-answer [aria-invalid=true]")
    assert bad.count() == (0 if words in "✓✗" else 1)
    if words not in "✓✗":
        assert bad.evaluate("e => e === document.activeElement")


@in_browser
@pytest.mark.parametrize("tokens", ["65536", "65,536", "65.536", "6.5536e4"])
def test_a_comma_may_part_thousands(open_page, tokens):
    page = open_page("book/latent/latent-diffusion.html")
    said = typed(page, 1, tokens, "1,024", "4,096")
    assert said.startswith("✗" if tokens == "65.536" else "✓")


@in_browser
def test_choices_by_keyboard_alone(open_page):
    page = open_page("book/transformers/bert.html")
    form = page.get_by_role("form", name="Your answer to exercise 5")
    boxes = form.get_by_role("group", name="places, 4 of 8").get_by_role("checkbox")
    boxes.first.focus()
    for press in ("Space", "Tab", "Space", "Tab", "Space"):
        page.keyboard.press(press)
    for _ in range(6):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Check"
    page.keyboard.press("Enter")
    assert present(page, verdict(5)) == "Choose 4 of the 8; 3 are chosen."
    page.keyboard.press("Tab")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    eventually(
        page,
        lambda: page.evaluate(verdict(5)).startswith("✗ Four neighbours"),
        "the check's sentence",
    )
    page.reload()
    assert present(page, verdict(5)).startswith("✗ Four neighbours")
    assert [box.is_checked() for box in boxes.all()] == [True] * 4 + [False] * 4


@in_browser
@pytest.mark.parametrize("text", ["70", "2.5", "-1"])
def test_a_whole_number_of_a_range(open_page, text):
    page = open_page("book/latent/autoencoders.html")
    assert typed(page, 6, text) == "A whole number from 0 to 64 is asked for."


@in_browser
def test_answers_work_where_storage_is_blocked(open_page):
    page = open_page("book/index.html")
    page.add_init_script(f"({BLOCKED})()")
    page.goto(page.url.replace("book/index", CHAPTER))
    assert typed(page, 1, "22").startswith("✓")
    done = page.get_by_role("button", name="Exercise 1 is done")
    eventually(page, lambda: done.get_attribute("aria-pressed") == "true", "the mark")
    assert page.faults == []


@in_browser
def test_where_the_browser_cannot_check_it_says_so(open_page):
    page = open_page("book/index.html")
    page.add_init_script(f"({NO_CRYPTO})()")
    page.goto(page.url.replace("book/index", CHAPTER))
    assert typed(page, 1, "22").startswith("This browser checks answers only on pages that come by")
    assert page.faults == []


@in_browser
def test_answers_are_checked_on_a_page_from_disk(browser):
    context = be_patient(browser.new_context())
    page = context.new_page()
    page.goto((SITE / f"{CHAPTER}.html").as_uri())
    assert typed(page, 1, "22").startswith("✓")
    context.close()


@in_browser
def test_nothing_is_sent(open_page):
    page = open_page(f"{CHAPTER}.html")
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    typed(page, 1, "22")
    assert requests == [] and page.context.cookies() == []


@in_browser
@pytest.mark.parametrize(
    "kept", ["{", "7", '{"answers": [1], "predictions": "x"}', '{"answers": {"a": [7]}}']
)
def test_what_storage_holds_of_something_else_is_no_answer(open_page, kept):
    page = open_page(f"{CHAPTER}.html")
    page.evaluate("text => localStorage.setItem('pan-answers', text)", kept)
    page.reload()
    assert typed(page, 1, "22").startswith("✓")
    assert page.faults == []


@in_browser
def test_reset_forgets_answers_and_predictions(open_page):
    page = open_page(f"{CHAPTER}.html")
    typed(page, 1, "22")
    page.goto(page.url.replace(CHAPTER, "book/progress"))
    page.get_by_role("button", name="Reset …").click()
    page.get_by_role("button", name="Remove all marks").click()
    page.get_by_text("All marks are gone.").wait_for()
    assert page.evaluate(STORED) is None


# How it looks -------------------------------------------------------------------------------------


@in_browser
@pytest.mark.parametrize("width", [1280, 360])
def test_code_in_a_card_is_as_wide_as_other_code(open_page, width):
    page = open_page(f"{CHAPTER}.html", width=width)
    page.evaluate("for (const box of document.querySelectorAll('details')) box.open = true")
    inside, outside = page.evaluate(
        """() => {
            const width = (list) => [...new Set([...list].map((e) => e.getBoundingClientRect().width))];
            const all = [...document.querySelectorAll("article .cell_input")].filter((e) => e.checkVisibility());
            return [width(all.filter((e) => e.closest(".pan-exercise"))), width(all.filter((e) => !e.closest(".pan-exercise, details")))];
        }"""
    )
    assert inside == outside
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [CHAPTER, "book/transformers/bert", "book/transformers/gpt"])
def test_open_and_answered_cards_are_accessible(open_page, name, scheme):
    page = open_page(f"{name}.html", color_scheme=scheme)
    page.evaluate("for (const box of document.querySelectorAll('details')) box.open = true")
    for form in page.locator("form.pan-answer").all():
        form.get_by_role("button").click()
    typed(page, 1, "1")
    assert violations(page) == []


@in_browser
def test_fields_and_buttons_are_large_enough_to_touch(open_page):
    page = open_page("book/transformers/bert.html", width=360, has_touch=True, is_mobile=True)
    for place in (
        "form.pan-answer :is(input[type=text], button, .pan-option)",
        ".pan-predict :is(textarea, button)",
        ".pan-exercise > details > summary",
    ):
        sizes = page.locator(place).evaluate_all(
            "all => all.map((e) => e.getBoundingClientRect().height)"
        )
        assert sizes and min(sizes) >= 44, place


@in_browser
def test_paper_shows_no_field_and_no_tick(open_page):
    page = open_page(f"{CHAPTER}.html")
    page.emulate_media(media="print")
    assert page.locator("form.pan-answer:visible, form.pan-predict:visible").count() == 0
    assert page.locator(".tag_check .cell_output:visible").count() == 0
    assert page.locator(".pan-level:visible").count() == 6


@in_browser
def test_without_scripts_no_dead_field_is_shown(open_page):
    page = open_page(f"{CHAPTER}.html", java_script_enabled=False)
    assert page.locator("form.pan-answer:visible, form.pan-predict:visible").count() == 0


def test_sealed_answers_of_a_page_are_small():
    for name in chapters():
        forms = parsed(f"{name}.html").select("form.pan-answer script")
        assert sum(len(form.string) for form in forms) < 16_000
        assert all(set(json.loads(form.string)) >= {"salt", "fields", "verdicts"} for form in forms)
