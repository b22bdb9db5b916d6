"""Every moving figure of the book, as it is stored: each control moves it, and charts draw their numbers.

For each figure a line is broken in the code that it runs; the same tests must then turn red.
"""

import base64
import itertools
import json
import re

import nbformat
import pytest
import restyle
from notebooks import all_notebooks
from site_tools import be_patient, eventually, figures_ready

from attnoise.figures.figure_html import restyle as today

pytestmark = pytest.mark.in_browser

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title>
<style>body {{ margin: 0 }}</style><body><main>{}</main></body>"""
MOVE = """places => {
    [...document.querySelectorAll(".pan-fig-control")].forEach((box, i) => {
        const inputs = [...box.querySelectorAll("input")];
        const input = inputs[0].type === "range" ? inputs[0] : inputs[places[i]];
        if (input.type === "range") input.value = places[i]; else input.checked = true;
        input.dispatchEvent(new Event("input", { bubbles: true }));
    });
}"""
SEEN = """() => {
    const stage = document.querySelector(".pan-fig-stage");
    return stage.innerHTML + [...stage.querySelectorAll("canvas")].map((c) => c.toDataURL()).join();
}"""
WORDS = "() => document.querySelector('.pan-fig-words').textContent"
# What is drawn, in the order in which it is drawn: elements with all that they are told.
DRAWN = """() => [...document.querySelectorAll(".pan-fig-stage svg *")].map((part) =>
    ({ tag: part.tagName, text: part.textContent,
       ...Object.fromEntries([...part.attributes].map(({ name, value }) => [name, value])) }))"""


def stored_figures() -> dict[str, str]:
    """Return the block of each figure by chapter and script; the landing page's is called hero."""
    found = {"hero": restyle.HERO.read_text("utf8")}
    for path in all_notebooks():
        for data in restyle.blocks(nbformat.read(path, as_version=4)):
            script = re.search(r'data-script="(\w+)"', data["text/html"])[1]
            found[f"{path.stem} {script}"] = data["text/html"]
    return found


STORED = stored_figures()
CHARTS = [name for name in STORED if name.endswith(" chart")]


@pytest.fixture
def open_block(browser):
    """Show a stored figure, with today's code or with one line of it broken."""
    contexts = []

    def opened(name, old="", new="", *, width=760):
        block = today(STORED[name])
        assert not old or block.count(old) == 1, f"{old!r} stands {block.count(old)} times in it"
        context = be_patient(
            browser.new_context(reduced_motion="reduce", viewport={"width": width, "height": 900})
        )
        contexts.append(context)
        page = context.new_page()
        page.set_content(PAGE.format(block.replace(old, new) if old else block))
        figures_ready(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def data_of(name: str) -> dict:
    """Return what a figure's script works with."""
    return json.loads(STORED[name].split('class="pan-fig-data">')[1].split("</script>")[0])


def answers(page, name: str) -> None:
    """Each control changes the picture, and the words; what is a picture file comes a moment later."""
    controls = data_of(name)["controls"]
    starts = [control["start"] for control in controls]
    for i, control in enumerate(controls):
        seen, said = set(), set()
        last = len(control["values"]) - 1
        for place in {round(part * last / 8) for part in range(9)}:
            page.evaluate(MOVE, [*starts[:i], place, *starts[i + 1 :]])
            seen.add(page.evaluate(SEEN))
            said.add(page.evaluate(WORDS))
        assert len(said) > 1, f"{control['label']} does not change the words"
        assert len(seen) >= min(3, last + 1), f"{control['label']} moves nothing"


def frames_of(name: str) -> list[list[dict]]:
    """Return the panels of a chart for each combination of its controls."""
    content = json.loads(base64.b64decode(data_of(name)["data"]["panels"].split(",")[1]))
    return [
        [{**same, **own} for same, own in zip(content["shared"], frame, strict=True)]
        for frame in content["frames"]
    ]


def draws_its_numbers(page, name: str) -> None:
    """At the first, a middle and the last combination, what is drawn is what is stored."""
    page_data, frames = data_of(name), frames_of(name)
    places = list(
        itertools.product(*(range(len(control["values"])) for control in page_data["controls"]))
    )
    for at in (0, len(frames) // 2, len(frames) - 1):
        page.evaluate(MOVE, list(places[at]))
        assert page.evaluate(WORDS) == page_data["data"]["sentences"][at]
        drawn = page.evaluate(DRAWN)
        panels = frames[at]
        for check in (bars_are_right, curves_are_right, maps_are_right, pictures_are_right):
            check(drawn, panels)


def rules(drawn: list[dict]) -> list[tuple[float, float]]:
    """Return the value and the height of each rule across, bottom first."""
    return [
        (float(text["text"]), float(re.match(r"M[\d.]+ ([\d.]+)H", path["d"])[1]))
        for path, text in itertools.pairwise(drawn)
        if path["tag"] == "path" and re.fullmatch(r"M[\d.]+ [\d.]+H[\d.]+", path["d"])
    ]


def columns(drawn: list[dict]) -> list[tuple[float, float]]:
    """Return the value and the place of each rule that stands, of bars that lie."""
    return [
        (float(text["text"]), float(re.match(r"M([\d.]+) ", path["d"])[1]))
        for path, text in itertools.pairwise(drawn)
        if path["tag"] == "path" and re.fullmatch(r"M[\d.]+ [\d.]+V[\d.]+", path["d"])
    ]


def pixels_a_unit(marks: list[tuple[float, float]]) -> float:
    (low, start), (high, end) = marks[0], marks[-1]
    return abs(end - start) / (high - low)


def bars_are_right(drawn: list[dict], panels: list[dict]) -> None:
    """Bars are as long as their numbers, by the axis beside them, and wear their colours."""
    listed = [panel for panel in panels if panel["kind"] == "bars"]
    assert len(listed) <= 1, "write this test for several panels of bars"
    boxes = [part for part in drawn if part["tag"] == "rect" and part["fill"] != "none"]
    boxes = [part for part in boxes if "fill-opacity" not in part]
    for panel in listed:
        side, marks = ("width", columns(drawn)) if panel["level"] else ("height", rules(drawn))
        long = [float(box[side]) / pixels_a_unit(marks) for box in boxes]
        wanted = [row["values"][i] for i in range(len(panel["names"])) for row in panel["rows"]]
        assert long == pytest.approx(wanted, abs=1e-6 * panel["most"])
        tones = [
            panel["tones"][i] if panel["tones"] else row["tone"]
            for i in range(len(panel["names"]))
            for row in panel["rows"]
        ]
        assert [box["fill"] for box in boxes] == [f"var(--fig-{tone})" for tone in tones]
        said = [part["text"] for part in drawn if part["tag"] == "text"]
        assert set(panel["names"]) <= set(said)
    assert listed or not boxes


def curves_are_right(drawn: list[dict], panels: list[dict]) -> None:
    """The points of lines stand as high as their values, by the axis beside them."""
    lines = [part for part in drawn if part["tag"] == "path" and part.get("stroke-width") == "2.2"]
    rows = [row for panel in panels if panel["kind"] == "curves" for row in panel["rows"]]
    for line, row in zip(lines, rows, strict=True):
        marks = rules(drawn)
        points = [float(place.split()[1]) for place in line["d"][1:].split("L")]
        high = [(marks[0][1] - y) / pixels_a_unit(marks) + marks[0][0] for y in points]
        assert high == pytest.approx(row["values"], abs=0.06 / pixels_a_unit(marks))
        assert line["stroke"] == f"var(--fig-{row['tone']})"


def maps_are_right(drawn: list[dict], panels: list[dict]) -> None:
    """Cells of maps are the fuller the further their numbers are from nothing."""
    cells = [part for part in drawn if part["tag"] == "rect" and "fill-opacity" in part]
    wanted = []
    for panel in panels:
        low, high = panel.get("low"), panel.get("high")
        for value in itertools.chain(*panel.get("cells", [])):
            part = value / low if value < 0 else value / high
            if value >= 0 and low >= 0:
                part = (value - low) / (high - low)
            tone = panel["under"] if value < 0 else panel["tone"]
            wanted.append((f"var(--fig-{tone})", min(1, max(0, part))))
    assert [cell["fill"] for cell in cells] == [tone for tone, _ in wanted]
    full = [float(cell["fill-opacity"]) for cell in cells]
    assert full == pytest.approx([part for _, part in wanted], abs=6e-4)


def pictures_are_right(drawn: list[dict], panels: list[dict]) -> None:
    """Each grey picture has the stored shade in each pixel, each coloured one is the stored file."""
    coloured = [part["href"] for part in drawn if part["tag"] == "image"]
    listed = [panel for panel in panels if panel["kind"] == "pictures"]
    assert coloured == [image for panel in listed if panel["colour"] for image in panel["images"]]
    grey = [panel for panel in listed if not panel["colour"]]
    shades = [part for part in drawn if part.get("shape-rendering") == "crispEdges"]
    assert len(shades) == 16 * len(grey)
    frames = [part for part in drawn if part["tag"] == "rect" and "rule" in part.get("stroke", "")]
    for panel, k in zip(grey, itertools.count()):
        own = [
            tuple(map(float, (f["x"], f["y"], f["width"]))) for f in frames if inside(f, drawn, k)
        ]
        stored = base64.b64decode(panel["images"][0].split(",")[1])
        found = {}
        for i, path in enumerate(shades[16 * k : 16 * k + 16]):
            for x, y in re.findall(r"M([\d.]+) ([\d.]+)h", path["d"]):
                found[pixel_at(float(x), float(y), own, panel["shape"])] = i + 1
        wanted = {i: round(byte / 255 * 16) for i, byte in enumerate(stored)}
        assert found == {i: shade for i, shade in wanted.items() if shade}


def inside(frame: dict, drawn: list[dict], k: int) -> bool:
    """Whether a frame follows the shades of the k-th grey panel, before those of the next."""
    starts = [i for i, part in enumerate(drawn) if part.get("shape-rendering") == "crispEdges"][
        ::16
    ]
    place = next(i for i, part in enumerate(drawn) if part is frame)
    return starts[k] < place < [*starts, len(drawn)][k + 1]


def pixel_at(x: float, y: float, frames: list[tuple], shape: list[int]) -> int:
    """Return the number of a pixel, counted through all pictures of a panel."""
    for i, (left, top, wide) in enumerate(frames):
        column, row = (x - left) / wide * shape[1], (y - top) / wide * shape[1]
        if -0.01 < column < shape[1] - 0.5 and -0.01 < row < shape[0] - 0.5:
            return i * shape[0] * shape[1] + round(row) * shape[1] + round(column)
    raise AssertionError(f"a pixel at {x}, {y} lies in no picture")


def test_all_moving_figures_are_tried():
    assert len(STORED) == 19  # the book's eighteen, and the landing page's
    assert len(CHARTS) == 7


@pytest.mark.parametrize("name", STORED)
def test_every_control_moves_picture_and_words(open_block, name):
    page = open_block(name)
    eventually(page, lambda: pictures_are_here(page), f"{name}: recorded pictures are decoded")
    answers(page, name)


FILLED = """() => {
    const stage = document.querySelector(".pan-fig-stage").getBoundingClientRect();
    const parts = [...document.querySelectorAll(".pan-fig-stage > *")]
        .map((part) => part.getBoundingClientRect()).filter(({ width }) => width > 44);
    return [stage.width, Math.max(...parts.map(({ right }) => right)) - stage.left];
}"""


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("column", [800, 720, 328])
def test_a_picture_fills_its_place_and_no_more(open_block, name, column):
    page = open_block(name, width=column)
    stage, used = page.evaluate(FILLED)
    beside = page.evaluate("document.querySelector('.pan-fig-beside, .pan-studio') !== null")
    assert stage == pytest.approx(column, abs=1) or (beside and stage > 0.55 * column)
    assert stage - 1 <= used <= stage + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= column


def pictures_are_here(page) -> bool:
    """Whether no canvas is blank."""
    blank = """() => [...document.querySelectorAll("canvas")].every((canvas) =>
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v))"""
    return page.evaluate(blank)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_draws_the_numbers_that_are_stored(open_block, name):
    draws_its_numbers(open_block(name), name)


# A line of each chart's drawing, broken; and one that each figure needs to follow a control.
WRONG = {
    "autoencoders chart": ("(grey / 255) * SHADES", "(grey / 300) * SHADES"),
    "bert chart": ("width: across(value) - left,", "width: across(value) - x,"),
    "block chart": ("${down(value).toFixed(1)}", "${down(1.1 * value).toFixed(1)}"),
    "diffusion-transformer chart": ("height: bottom - down(values[i])", "height: bottom - down(values[0])"),
    "encoder-decoder chart": ("panel.tones[i] ?? panel.rows[row].tone", "panel.name_tone"),
    "latent-diffusion chart": ("value < 0 ? value / low :", "value < 0 ? value / high :"),
    "vit chart": ("x + (inside % width) * side", "x + (width - 1 - (inside % width)) * side"),
}  # fmt: skip
PLACES = "fig.places().reduce((index, step, i) => index * (controls[i].last + 1) + step, 0)"
STILL = {
    "attention attention_query": ("parts.forEach((part) => part(found));", ""),
    "positions rotary_pair": ("parts.forEach((part) => part({ ...found, at }));", ""),
    "forward-process posterior_mean": ("map(found, { t, across, up });\n    chart(found);", ""),
    "flow-matching draw_flow": ("SAMPLERS[solver](denoiser", "SAMPLERS.Euler(denoiser"),
    "guidance guidance_slider": ("fig.put(guided, { d: dots(found.ends, 2.6) });", ""),
    "samplers solver_paths": ("= SAMPLERS[solver];", "= SAMPLERS.DDIM;"),
    "reverse-process reverse_trajectory": ("=> paintRow(step)", "=> paintRow(0)"),
    "latent-space latent_plane": ("return ({ u, v }) => {", "return ({ u }) => { const v = 0.5;"),
    "text-to-image studio": ("return ({ caption, step }) => {", "return ({ caption }) => { const step = 1;"),
    "hero": ("return ({ caption, step }) => {", "return ({ step }) => { const caption = captions[0];"),
    "gpt playground": ("paintBars(before, p);", ""),
    "vit draw_digit": ("return ({ digit }) => {", "return () => { const digit = labels[0];"),
    **{name: (PLACES, "0") for name in CHARTS},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_chart_that_draws_other_numbers_is_seen(open_block, name):
    page = open_block(name, *WRONG[name])
    with pytest.raises(AssertionError):
        draws_its_numbers(page, name)


@pytest.mark.parametrize("name", STILL)
def test_a_figure_that_does_not_follow_a_control_is_seen(open_block, name):
    page = open_block(name, *STILL[name])
    eventually(page, lambda: pictures_are_here(page), f"{name}: recorded pictures are decoded")
    with pytest.raises(AssertionError, match="moves nothing|does not change the words"):
        answers(page, name)


def test_each_figure_has_its_broken_lines():
    assert set(STILL) == set(STORED) and set(WRONG) == set(CHARTS)
