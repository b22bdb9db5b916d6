"""Figures that move, in a real browser: same numbers as in Python, keyboard, drag, no scripts."""

import functools
import itertools
import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from site_tools import be_patient, changed_by, figures_ready
from tests.figures.figure_examples import (
    ALL,
    attention,
    charting,
    drawing,
    flowing,
    guiding,
    moving,
    painting,
    posterior,
    rotary,
    solvers,
    trajectory,
    writing,
)

from attnoise.figures.figure_html import STILL
from attnoise.figures.solver_paths import find as find_paths
from attnoise.figures.solver_paths import flat as flat_paths
from attnoise.figures.solver_paths import trajectories

pytestmark = pytest.mark.in_browser

PAGE = """<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A figure</title>
<style>body {{ background: {paper}; color: {ink}; margin: 16px }}</style></head>
<body><main><h1>A figure</h1>{body}</main></body></html>"""
SET = """(box, place) => {
    const inputs = [...box.querySelectorAll("input")];
    const input = inputs[0].type === "range" ? inputs[0] : inputs[place];
    if (input.type === "range") input.value = place; else input.checked = true;
    input.dispatchEvent(new Event("input", { bubbles: true })); }"""
PLACE = """box => { const inputs = [...box.querySelectorAll("input")];
    return inputs[0].type === "range" ? +inputs[0].value : inputs.findIndex((i) => i.checked); }"""
LAST = """box => { const inputs = [...box.querySelectorAll("input")];
    return inputs[0].type === "range" ? +inputs[0].max : inputs.length - 1; }"""
CONTROL = ".pan-fig-control"
LIVE = {
    "attention": attention,
    "charting": charting,
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

    def opened(*figures, theme="light", width=760, clock=False, broken=None, **options):
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
        if broken:  # a line of the script, and what a bug makes of it
            assert body.count(broken[0]) == 1
            body = body.replace(*broken)
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
    assert_alike(page, figure)
    assert page.faults == []


def assert_alike(page, figure):
    """The page says and finds what Python does, at several values of each control."""
    inputs = page.locator(CONTROL).all()
    for control in figure.controls.values():
        assert len(control.values) >= 2
    picks = [  # every button, and three places of a slider
        range(len(control.values))
        if control.choice
        else sorted({0, len(control.values) // 3, len(control.values) - 1})
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


# A line of each figure's own script that the numbers need, and what a bug makes of it.
BUGS = {
    "attention": ("(angle * Math.PI) / 180", "(angle * Math.PI) / 181"),
    "charting": ("index * (controls[i].last + 1) + step", "index + step"),
    "posterior": ("addNoise(x0, [across, up]", "addNoise(x0, [up, across]"),
    "rotary": ("products[2 * j] + products[2 * j + 1]", "products[2 * j] - products[2 * j + 1]"),
    "solvers": ("2 * steps - 1 : steps", "2 * steps : steps"),
    "guiding": ("std * Math.SQRT2", "std"),
    "flowing": ("2 * steps - 1 : steps", "2 * steps : steps"),
    "drawing": ("{ logits: logits[row], sources:", "{ logits: logits[0], sources:"),
    "painting": ("sentences[row][step - 1]", "sentences[row][0]"),
    "moving": ("between(corners, u, v).slice(0, 8)", "between(corners, v, u).slice(0, 8)"),
    "trajectory": ("const final = rows[0].at(steps - 1);", "const final = rows[0].at(steps - 2);"),
    "writing": ("topP: topP < 1 ? topP : null", "topP: null"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_each_script_is_seen(open_figure, name):
    figure = LIVE[name]()
    page = open_figure(figure, reduced_motion="reduce", broken=BUGS[name])
    with pytest.raises(AssertionError):
        assert_alike(page, figure)


def test_each_script_has_its_bug():
    assert set(BUGS) == set(LIVE) and len(LIVE) == len(ALL)


def test_a_chart_follows_every_combination(open_figure):
    figure = charting()
    page = open_figure(figure)
    pictures = set()
    for i, width in enumerate((1, 2, 3)):
        for j, kind in enumerate(("a", "b")):
            for element, place in zip(page.locator(CONTROL).all(), (i, j), strict=True):
                element.evaluate(SET, place)
            assert on_page(page)[0] == figure.sentence(width=width, kind=kind)
            pictures.add(page.locator(".pan-fig-stage svg").inner_html())
    assert len(pictures) == 6
    assert page.faults == []


def test_a_charts_bars_are_as_long_as_their_numbers(open_figure):
    page = open_figure(charting())
    page.locator(CONTROL).first.evaluate(SET, 0)
    bars, values = [], charting().numbers(width=1, kind="a")["values"][49:]  # past the map's cells
    for rect in page.locator("svg rect[fill='var(--fig-ink)']:not([fill-opacity])").all():
        bars.append(float(rect.get_attribute("height")))
    assert len(bars) == 5  # the first row; the others wear other colours
    assert [height / bars[0] for height in bars] == pytest.approx(
        [value / values[0] for value in values[:5]], rel=1e-3
    )
    level = page.locator("svg rect[fill='var(--fig-prediction)']").all()
    assert [float(rect.get_attribute("width")) for rect in level]


@pytest.mark.parametrize("name", ALL)
def test_keyboard_moves_every_control(open_figure, name):
    figure = ALL[name]()
    page = open_figure(figure)
    for control in figure.controls.values():
        (choose if control.choice else slide)(page, control)
    last = {key: control.values[-1] for key, control in figure.controls.items()}
    assert on_page(page)[0] == figure.sentence(**last)


def slide(page, control):
    """Move a slider by keys to its end; it says what it shows."""
    slider = page.get_by_role("slider", name=control.label, exact=True)
    slider.focus()
    for key, place in (("Home", 0), ("ArrowRight", 1), ("End", -1)):
        page.keyboard.press(key)
        text = control.text(control.values[place])
        assert slider.get_attribute("aria-valuetext") == text
        assert slider.locator("..").locator(".pan-fig-value").text_content() == text


def choose(page, control):
    """Press each button of a row by arrow keys; one tab stop, one pressed, all named."""
    group = page.get_by_role("radiogroup", name=control.label, exact=True)
    names = [control.text(value) for value in control.values]
    buttons = [group.get_by_role("radio", name=name, exact=True) for name in names]
    assert group.get_by_role("radio").count() == len(names)
    buttons[control.index(control.start)].focus()
    for key, step in (("ArrowRight", 1), ("ArrowDown", 1), ("ArrowLeft", -1), ("ArrowUp", -1)):
        for _ in names:
            place = group.evaluate(PLACE)
            page.keyboard.press(key)
            assert group.evaluate(PLACE) == (place + step) % len(names)
            assert group.get_by_role("radio", checked=True).count() == 1
    while not buttons[-1].is_checked():
        page.keyboard.press("ArrowRight")
    assert buttons[-1].evaluate("button => button === document.activeElement")


def test_buttons_answer_to_a_finger(open_figure):
    figure = solvers()
    page = open_figure(figure, width=360, has_touch=True, is_mobile=True)
    for name in ("Heun", "DDPM"):
        button = page.get_by_role("radio", name=name)
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 42  # 44 with its border
        button.tap()
        assert on_page(page)[0] == figure.sentence(solver=name)
    assert page.locator("input[type=range]").bounding_box()["height"] >= 44


def test_a_row_of_buttons_stands_twice_on_a_page(open_figure):
    page = open_figure(solvers(), solvers())
    page.get_by_role("radio", name="Euler").nth(1).check()
    said = page.locator("output").all_text_contents()
    assert said == [solvers().sentence(), solvers().sentence(solver="Euler")]


@pytest.mark.parametrize("name", ALL)
def test_still_picture_and_sentence_without_scripts(open_figure, name):
    figure = ALL[name]()
    page = open_figure(figure, java_script_enabled=False)
    picture = page.locator(".pan-fig-stage img")
    assert picture.get_attribute("alt") == figure.alt
    assert picture.bounding_box()["height"] > 30
    assert page.locator("output").text_content() == figure.sentence()
    assert page.locator("noscript").inner_text() == STILL  # why the controls are dead
    assert all(element.is_disabled() for element in page.locator("input").all())
    assert not page.locator("button:visible").count()


HANDLE = ".pan-fig-handle"


def drag(page, handle, right, down):
    """Take a handle by mouse, move it by so many pixels, and let it go."""
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)  # the handle was let go


def way(page, figure, handle, goals):
    """How far a handle moves, in pixels, when controls go to other values and back."""
    boxes = []
    for values in (goals, {name: figure.controls[name].start for name in goals}):
        for name, value in values.items():
            place = list(figure.controls).index(name)
            page.locator(CONTROL).nth(place).evaluate(SET, figure.controls[name].index(value))
        boxes.append(handle.bounding_box())
    return boxes[0]["x"] - boxes[1]["x"], boxes[0]["y"] - boxes[1]["y"]


@pytest.mark.parametrize(
    ("build", "nth", "goals"),
    [
        (attention, 0, {"angle": -45, "length": 1.5}),
        (posterior, 0, {"across": -0.5, "up": 2.0}),
        (rotary, 0, {"key_at": 6}),  # in pair 0, which turns by 57 degrees a step
        (rotary, 1, {"query_at": 7}),
        (rotary, 3, {"query_at": 17}),  # in pair 1, which turns slowly
    ],
)
def test_handle_can_be_dragged(open_figure, build, nth, goals):
    figure = build()
    page = open_figure(figure)
    handle = page.locator(HANDLE).nth(nth)
    right, down = way(page, figure, handle, goals)
    assert abs(right) + abs(down) > 10
    drag(page, handle, right, down)
    assert on_page(page)[0] == figure.sentence(**goals)


def test_a_handle_follows_a_finger(open_figure):
    figure = posterior()
    page = open_figure(figure, width=360, has_touch=True)
    handle, goals = page.locator(HANDLE), {"across": 2.0, "up": 1.0}
    handle.scroll_into_view_if_needed()
    right, down = way(page, figure, handle, goals)
    box, finger = handle.bounding_box(), page.context.new_cdp_session(page)
    x, y = box["x"] + 12, box["y"] + 34  # near the edge of the 44 pixels
    for kind, part in (("touchStart", 0), ("touchMove", 0.5), ("touchMove", 1), ("touchEnd", None)):
        points = [] if part is None else [{"x": x + part * right, "y": y + part * down}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert on_page(page)[0] == figure.sentence(**goals)
    assert page.evaluate("scrollY") == page.evaluate("Math.round(scrollY)")  # no page was pulled


def test_where_handles_overlap_the_nearest_is_taken(open_figure):
    page = open_figure(solvers(), width=360)
    first, second = page.locator(HANDLE).nth(0), page.locator(HANDLE).nth(1)
    a, b = first.bounding_box(), second.bounding_box()
    drag(page, first, b["x"] - a["x"] + 8, b["y"] - a["y"])  # now the first lies on the second
    moved = first.bounding_box()
    assert second.bounding_box() == b and abs(moved["x"] - b["x"] - 8) < 1
    page.mouse.move(b["x"] + 20, b["y"] + 22)  # nearer to the second, where both lie
    page.mouse.down()
    page.mouse.move(b["x"] + 20, b["y"] + 62, steps=3)
    page.mouse.up()
    assert first.bounding_box() == moved
    assert second.bounding_box()["y"] == pytest.approx(b["y"] + 40, abs=1)


@pytest.mark.parametrize("steps", [2, 6])
def test_a_solvers_noise_can_be_moved_and_put_back(open_figure, steps):
    figure = solvers()
    page = open_figure(figure)
    page.locator(CONTROL).nth(1).evaluate(SET, figure.controls["steps"].index(steps))
    back = page.get_by_role("button", name="Put the noise back")
    assert not back.is_visible()
    handle = page.locator(HANDLE).nth(2)
    drag(page, handle, 40, -30)
    sentence, numbers = on_page(page)
    at = 2 * (2 * (steps + 1))
    side = float(page.locator("svg > rect").first.get_attribute("width")) + 1
    start, scale = numbers["paths"][at : at + 2], side / 2 / figure.data["limit"]
    x, y = figure.data["starts"][2]
    assert start == pytest.approx([x + 40 / scale, y + 30 / scale], abs=0.02)
    moved = {**figure.data, "starts": [*figure.data["starts"]]}
    moved["starts"][2] = start
    moved["fine"] = trajectories(moved, "Heun", 64, 0).tolist()
    found = find_paths(moved, 0, solver="DDIM", steps=steps)
    assert numbers["paths"] == pytest.approx(flat_paths(found)["paths"], abs=1e-6)
    assert numbers["gap"] == pytest.approx(found["gap"], abs=2e-3)
    assert f"{numbers['gap']:.2f}" in sentence
    assert handle.get_attribute("aria-label") == (
        f"Noise 3 of 5, at {start[0]:.2f}, {start[1]:.2f}. Arrow keys move it."
    )
    back.click()
    assert on_page(page)[0] == figure.sentence(steps=steps) and not back.is_visible()


@pytest.mark.parametrize("build", [attention, posterior, rotary, solvers])
def test_keys_move_every_handle(open_figure, build):
    page = open_figure(build())
    for handle in page.locator(HANDLE).all():
        assert min(handle.bounding_box()[side] for side in ("width", "height")) == 44
        handle.focus()
        for key in ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft"):
            before = handle.bounding_box()
            page.keyboard.press(key)
            assert handle.bounding_box() != before, key
        assert re.search(r"arrow keys", handle.get_attribute("aria-label"), re.I)
    assert page.faults == []


PLAYED = "input[type=range]"  # the step of a studio's film
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
    page = open_figure(charting(), clock=True)
    page.clock.run_for(20_000)
    assert page.locator("input").first.input_value() == "1"  # nothing moves unasked
    page.locator("button").click()
    assert page.locator("button").text_content() == "Pause"
    page.clock.run_for(20_000)
    assert page.locator("button").text_content() == "Play"
    assert page.locator("input").first.input_value() == "2"


def test_two_figures_do_not_disturb_each_other(open_figure):
    page = open_figure(attention(), attention(), posterior())
    page.locator(CONTROL).nth(2).evaluate(SET, 0)
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
    page.locator(CONTROL).first.evaluate(SET, 3)
    narrow = functools.partial(page.set_viewport_size, {"width": 360, "height": 800})
    changed_by(page, narrow, "() => document.querySelector('svg').getAttribute('height')")
    assert page.locator("svg").bounding_box()["width"] <= 328
    assert on_page(page)[0] == attention().sentence(angle=-165)
    assert page.faults == []


SIZES = """() => [...document.querySelectorAll(".pan-fig *")].filter((part) => part.checkVisibility()
        && [...part.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .map((part) => [parseFloat(getComputedStyle(part).fontSize)
        * (part.getScreenCTM ? part.getScreenCTM().a : 1), part.textContent])
    .filter(([size]) => size < 11)"""
OVERLAPS = """() => [...document.querySelectorAll(".pan-fig svg")].flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text:not(.halo)")].filter((text) => text.textContent);
    const boxes = texts.map((text) => text.getBoundingClientRect());
    return texts.flatMap((text, i) => texts.slice(i + 1).filter((_, j) => {
        const [a, b] = [boxes[i], boxes[i + 1 + j]];
        return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
    }).map((other) => `${text.textContent} | ${other.textContent}`));
})"""


@pytest.mark.parametrize("width", [360, 760, 832])  # a column of 328, 728 and 800
def test_text_can_be_read_and_no_label_lies_on_another(open_figure, width):
    page = open_figure(*(build() for build in ALL.values()), width=width)
    for place in ("() => 0", LAST):
        for control in page.locator(CONTROL).all():
            control.evaluate(SET, control.evaluate(place))
        assert page.evaluate(SIZES) == []
        assert page.evaluate(OVERLAPS) == []
