"""Figures that move, in a real browser: same numbers as in Python, keyboard, drag, no scripts."""

import functools
import itertools
import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from site_tools import be_patient, changed_by, figures_ready
from tests.figures.figure_examples import (
    ALL,
    attention,
    drawing,
    flowing,
    frames,
    guiding,
    moving,
    painting,
    posterior,
    rotary,
    solvers,
    trajectory,
    writing,
)

pytestmark = pytest.mark.in_browser

PAGE = """<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A figure</title>
<style>body {{ background: {paper}; color: {ink}; margin: 16px }}</style></head>
<body><main><h1>A figure</h1>{body}</main></body></html>"""
SET = """(input, place) => {
    input.value = place; input.dispatchEvent(new Event("input", { bubbles: true })); }"""
LIVE = {
    "attention": attention,
    "posterior": posterior,
    "rotary": rotary,
    "solvers": solvers,
    "guiding": guiding,
    "flowing": flowing,
    "drawing": drawing,
    "painting": painting,
    "moving": moving,
    "trajectory": trajectory,
    "writing": writing,
}


MADE = {}


def html_of(figure):
    """A figure's html, made once."""
    if id(figure) not in MADE:
        MADE[id(figure)] = figure, figure.html()
    return MADE[id(figure)][1]


@pytest.fixture
def open_figure(browser):
    """Show figures on a page of their own; `page.faults` collects errors and requests."""
    contexts = []

    def opened(*figures, theme="light", width=760, clock=False, **options):
        viewport = {"width": width, "height": 900}
        context = be_patient(browser.new_context(viewport=viewport, **options))
        contexts.append(context)
        page = context.new_page()
        page.faults = []
        if clock:  # time stands still but for `page.clock.run_for`
            page.clock.install()
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda line: page.faults.append(line.text))
        page.on(
            "request",
            lambda sent: None if sent.url.startswith("data:") else page.faults.append(sent.url),
        )
        body = "\n".join(map(html_of, figures))
        paper, ink = ("#14161b", "#e8eaf0") if theme == "dark" else ("#ffffff", "#1f2430")
        page.set_content(PAGE.format(theme=theme, paper=paper, ink=ink, body=body))
        if options.get("java_script_enabled", True):
            figures_ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def on_page(page):
    """What the page says and computed."""
    numbers = json.loads(page.locator("figure.pan-fig").first.get_attribute("data-numbers"))
    return page.locator("output").first.text_content(), numbers


def assert_close(found, wanted):
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name] == pytest.approx(wanted[name], abs=1e-6), name


@pytest.mark.parametrize("name", LIVE)
def test_page_and_python_find_the_same(open_figure, name):
    figure = LIVE[name]()
    page = open_figure(figure, reduced_motion="reduce")
    inputs = page.locator("input").all()
    for control in figure.controls.values():
        assert len(control.values) >= 2
    picks = [
        sorted({0, len(control.values) // 3, len(control.values) - 1})
        for control in figure.controls.values()
    ]
    assert on_page(page)[0] == figure.sentence()
    for places in itertools.product(*picks):
        for element, place in zip(inputs, places, strict=True):
            element.evaluate(SET, place)
        values = {
            key: control.values[place]
            for (key, control), place in zip(figure.controls.items(), places, strict=True)
        }
        sentence, numbers = on_page(page)
        assert sentence == figure.sentence(**values)
        assert_close(numbers, figure.numbers(**values))
    assert page.faults == []


def test_frames_follow_every_combination(open_figure):
    figure = frames()
    page = open_figure(figure)
    pictures = set()
    for i, width in enumerate((1, 2, 3)):
        for j, kind in enumerate(("a", "b")):
            for element, place in zip(page.locator("input").all(), (i, j), strict=True):
                element.evaluate(SET, place)
            assert on_page(page)[0] == figure.sentence(width=width, kind=kind)
            pictures.add(page.locator(".pan-fig-stage img").get_attribute("src"))
    assert len(pictures) == 6
    assert page.faults == []


@pytest.mark.parametrize("name", ALL)
def test_keyboard_moves_every_control(open_figure, name):
    figure = ALL[name]()
    page = open_figure(figure)
    for control in figure.controls.values():
        slider = page.get_by_role("slider", name=control.label, exact=True)
        slider.focus()
        for key, place in (("Home", 0), ("ArrowRight", 1), ("End", -1)):
            page.keyboard.press(key)
            text = control.text(control.values[place])
            assert slider.get_attribute("aria-valuetext") == text
            assert slider.locator("..").locator(".pan-fig-value").text_content() == text
    last = {key: control.values[-1] for key, control in figure.controls.items()}
    assert on_page(page)[0] == figure.sentence(**last)


@pytest.mark.parametrize("name", ALL)
def test_still_picture_and_sentence_without_scripts(open_figure, name):
    figure = ALL[name]()
    page = open_figure(figure, java_script_enabled=False)
    picture = page.locator(".pan-fig-stage img")
    assert picture.get_attribute("alt") == figure.alt
    assert picture.bounding_box()["height"] > 30
    assert page.locator("output").text_content() == figure.sentence()
    assert all(element.is_disabled() for element in page.locator("input").all())
    assert not page.locator("button:visible").count()


@pytest.mark.parametrize(
    ("build", "goals"),
    [
        (attention, {"angle": -45, "length": 1.5}),
        (posterior, {"across": -0.5, "up": 2.0}),
    ],
)
def test_handle_can_be_dragged(open_figure, build, goals):
    figure = build()
    page = open_figure(figure)
    handle = page.locator(".pan-fig-handle")
    start = handle.bounding_box()
    for name, goal in goals.items():  # where the handle lies for these values
        place = list(figure.controls).index(name)
        control = figure.controls[name]
        page.locator("input").nth(place).evaluate(SET, control.index(goal))
    end = handle.bounding_box()
    for name in goals:
        place = list(figure.controls).index(name)
        control = figure.controls[name]
        page.locator("input").nth(place).evaluate(SET, control.index(control.start))
    assert handle.bounding_box() == start != end
    middle = start["width"] / 2
    page.mouse.move(start["x"] + middle, start["y"] + middle)
    page.mouse.down()
    page.mouse.move(end["x"] + middle, end["y"] + middle, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)  # the handle was let go
    assert on_page(page)[0] == figure.sentence(**goals)


PLAYED = "input[type=range] >> nth=1"  # the step of a studio's film
PLAY = ".pan-fig-controls > .pan-fig-play"


def test_a_film_plays_until_it_is_stopped(open_figure):
    page = open_figure(painting(seconds=0.5), clock=True)
    slider, button = page.locator(PLAYED), page.locator(PLAY)
    button.filter(has_text="Pause").wait_for()
    places = {slider.input_value()}
    for _ in range(7):  # the film may be back at any one place, but not at all of them
        page.clock.run_for(700)
        places.add(slider.input_value())
    assert len(places) > 1
    assert button.text_content() == "Pause"
    assert page.locator("output").get_attribute("aria-live") == "off"
    button.click()
    place = slider.input_value()
    page.clock.run_for(20_000)
    assert slider.input_value() == place and button.text_content() == "Play"
    assert page.locator("output").get_attribute("aria-live") == "polite"
    button.click()
    slider.focus()
    page.keyboard.press("Home")  # moving the slider stops it as well
    page.clock.run_for(20_000)
    assert slider.input_value() == "0"


def test_reader_who_wants_less_motion_gets_none(open_figure):
    page = open_figure(painting(seconds=4), clock=True, reduced_motion="reduce")
    page.clock.run_for(20_000)
    assert not page.locator(f"{PLAY}:visible").count()
    assert page.locator(PLAYED).input_value() == "2"
    page.locator(PLAYED).focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(PLAYED).input_value() == "1"


def test_play_runs_once_and_stops_at_the_end(open_figure):
    page = open_figure(frames(), clock=True)
    page.clock.run_for(20_000)
    assert page.locator("input").first.input_value() == "1"  # nothing moves unasked
    page.locator("button").click()
    assert page.locator("button").text_content() == "Pause"
    page.clock.run_for(20_000)
    assert page.locator("button").text_content() == "Play"
    assert page.locator("input").first.input_value() == "2"


def test_two_figures_do_not_disturb_each_other(open_figure):
    page = open_figure(attention(), attention(), posterior())
    page.locator("input").nth(2).evaluate(SET, 0)
    said = page.locator("output").all_text_contents()
    assert said == [
        attention().sentence(),
        attention().sentence(angle=-180),
        posterior().sentence(),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 760])
def test_figures_fit_and_pass_axe(open_figure, theme, width):
    page = open_figure(*(build() for build in ALL.values()), theme=theme, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for text in page.locator("svg text").all():
        box, stage = text.bounding_box(), text.locator("xpath=ancestor::div[1]").bounding_box()
        assert box["x"] >= stage["x"] - 1, text.text_content()
        assert box["x"] + box["width"] <= stage["x"] + stage["width"] + 1, text.text_content()
    found = Axe().run(page).response["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found] == []


def test_figure_is_laid_out_again_when_the_page_turns_narrow(open_figure):
    page = open_figure(attention())
    page.locator("input").first.evaluate(SET, 3)
    narrow = functools.partial(page.set_viewport_size, {"width": 360, "height": 800})
    changed_by(page, narrow, "() => document.querySelector('svg').getAttribute('height')")
    assert page.locator("svg").bounding_box()["width"] <= 328
    assert on_page(page)[0] == attention().sentence(angle=-165)
    assert page.faults == []
