"""Plots as vectors: the page's colours, masks for images, one path for many dots, what they wear."""

import base64
import io
import json
import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from attnoise.figures.palette import COLOURS, IDEAS, method, tint
from attnoise.figures.vector import PAGE, SVG, to_svg, worn_ideas

pytestmark = pytest.mark.usefixtures("style")


def drawn(figure):
    text = to_svg(figure)
    return text, ET.fromstring(text)


def lines():
    figure, ax = plt.subplots()
    ax.plot([1, 2, 3], [0.123456, 2, 1], **method(1), label="a method")
    ax.plot([1, 2, 3], [3, 2, 1], color=COLOURS["data"], label="data")
    ax.set(xlabel="width k, 0.00391", ylabel="nats", title="a title")
    return figure


def test_every_colour_is_the_pages_own():
    text, root = drawn(lines())
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) <= set(PAGE.values())
    assert f"var(--pan-brick, {PAGE['brick']})" in text
    assert f"var(--pan-data, {IDEAS['data']})" in text
    words = [e.text for e in root.iter(SVG + "text")]
    assert {"width k, 0.00391", "nats", "a title"} <= set(words)
    assert root.attrib["viewBox"] == "0 0 324 208.8"
    assert (root.attrib["width"], root.attrib["height"]) == ("432", "278")


def test_the_same_plot_gives_the_same_text_with_two_decimals():
    once, again = to_svg(lines()), to_svg(lines())
    assert once == again
    assert not re.search(r"\.\d{3}", re.sub(r"base64,[^\"]*|>[^<]*<", "", once))
    assert "<style" not in once  # it would reach the whole page


def test_names_are_those_that_something_refers_to():
    text, root = drawn(lines())
    names = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
    called = set(re.findall(r"(?:href=\"#|url\(#)([\w-]+)", text))
    assert names == called and names


def test_an_image_of_one_colour_becomes_a_mask():
    figure, ax = plt.subplots()
    weights = np.arange(15).reshape(3, 5) / 14
    ax.imshow(weights, cmap=tint("data"), vmin=0, vmax=1)
    _, root = drawn(figure)
    (mask,) = root.iter(SVG + "mask")
    data = base64.b64decode(mask.find(SVG + "image").attrib["href"].split(",")[1])
    stored = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_allclose(stored[..., 1] / 255, weights, atol=0.01)  # as large as it is
    assert (stored[..., 0] == 255).all()
    (behind,) = [e for e in root.iter(SVG + "rect") if "mask" in e.attrib]
    assert behind.attrib["mask"] == f"url(#{mask.attrib['id']})"
    assert "var(--pan-data" in behind.attrib["style"]


def test_the_same_image_twice_has_two_masks():
    figure, axes = plt.subplots(1, 2)
    for ax in axes:
        ax.imshow(np.eye(3), cmap=tint("ink"))
    _, root = drawn(figure)
    assert len({mask.attrib["id"] for mask in root.iter(SVG + "mask")}) == 2


def test_a_picture_stays_as_it_is():
    figure, ax = plt.subplots()
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    ax.imshow(pixels)
    _, root = drawn(figure)
    assert not list(root.iter(SVG + "mask"))
    (image,) = root.iter(SVG + "image")
    data = base64.b64decode(image.attrib["href"].split(",")[1])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


@pytest.mark.parametrize("way", ["scatter", "plot"])
def test_many_dots_become_one_path(way):
    figure, ax = plt.subplots()
    x = np.linspace(0, 1, 200)
    if way == "scatter":
        ax.scatter(x, x, s=16, color=COLOURS["data"], alpha=0.5)
    else:
        ax.plot(x, x, "o", ms=4, color=COLOURS["data"], alpha=0.5)
    ax.plot(x[:5], x[:5], "o", color=COLOURS["ink"])
    text, root = drawn(figure)
    (dots,) = [e for e in root.iter(SVG + "path") if e.attrib["d"].count("h0") > 1]
    assert dots.attrib["d"].count("h0") == 200
    assert "var(--pan-data" in dots.attrib["style"] and "opacity: 0.5" in dots.attrib["style"]
    width = float(re.search(r"stroke-width: ([\d.]+)", dots.attrib["style"])[1])
    assert width == pytest.approx(50, abs=1)  # in tenths: 4 across, and the edge of 1
    few = [e for e in root.iter(SVG + "use") if "--pan-ink" in e.attrib.get("style", "")]
    assert len(few) == 5
    moves = re.findall(r"m(-?\d+) ?(-?\d+)h0", dots.attrib["d"])
    first = np.array(moves[0], dtype=float) / 10
    np.testing.assert_allclose(first, [float(few[0].attrib[axis]) for axis in "xy"], atol=0.1)


def test_squares_and_lines_with_marks_are_left_alone():
    figure, ax = plt.subplots()
    x = np.linspace(0, 1, 60)
    ax.plot(x, x, "s-", color=COLOURS["data"])
    _, root = drawn(figure)
    assert sum("--pan-data" in e.attrib.get("style", "") for e in root.iter(SVG + "use")) == 60
    assert any(e.attrib["d"].count("L") == 59 for e in root.iter(SVG + "path"))


def test_a_plot_says_which_ideas_it_wears_and_with_what_words():
    figure, (left, right) = plt.subplots(1, 2)
    left.plot([0, 1], color=COLOURS["data"], label="real digits")
    left.plot([0, 1], color=COLOURS["key"])
    left.set(title="two lines", xlabel="time", ylabel="nats")
    left.bar([0, 1], [1, 2], color=COLOURS["value"], label="bars")
    right.scatter([0], [0], color=COLOURS["noise"], label="noisy")
    right.imshow(np.eye(2), cmap=tint("prediction"))
    right.text(0, 0, "a query", color=COLOURS["query"])
    right.set(title="sampled")
    left.plot([0, 1], **method(1), label="a method")
    right.set_xticks([0], ["k0"], color=COLOURS["key"])
    left.set_yticks([0, 1], ["0", "1"], color=COLOURS["query"])
    found = worn_ideas(figure)
    assert found == {
        "data": ["real digits"],
        "key": ["k0", "two lines | time | nats"],
        "value": ["bars"],
        "noise": ["noisy"],
        "prediction": ["sampled"],
        "query": ["a query", "nats"],
    }
    stored = ET.fromstring(to_svg(figure)).find(SVG + "metadata")
    assert json.loads(stored.text) == found


def test_a_picture_with_holes_keeps_its_colours():
    figure, ax = plt.subplots()
    pixels = np.full((2, 3, 4), 255, dtype=np.uint8)
    pixels[0, 0], pixels[1, 1] = (9, 99, 199, 0), (9, 99, 199, 255)
    ax.imshow(pixels)
    _, root = drawn(figure)
    assert not list(root.iter(SVG + "mask"))
    (image,) = root.iter(SVG + "image")
    data = base64.b64decode(image.attrib["href"].split(",")[1])
    assert Image.open(io.BytesIO(data)).convert("RGBA").getpixel((1, 1)) == (9, 99, 199, 255)


def test_lines_between_marks_survive():
    figure, ax = plt.subplots()
    x = np.linspace(0, 1, 25)
    for height in (0, 1):  # each has few marks; both together have many
        ax.plot(x, x + height, "o-", color=COLOURS["data"])
    ax.set_axis_off()
    _, root = drawn(figure)
    assert sum(e.attrib["d"].count("L") == 24 for e in root.iter(SVG + "path")) == 2
