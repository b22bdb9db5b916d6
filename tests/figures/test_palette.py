"""The palette: ideas and what is no idea can be told apart, read, and are the page's own."""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from attnoise.errors import ConfigError
from attnoise.figures.palette import (
    BETWEEN,
    CARD,
    COLOURS,
    GUIDE,
    IDEAS,
    LOOKS,
    NEUTRALS,
    ON_DEEP,
    ON_PALE,
    colour,
    method,
    tint,
)
from attnoise.figures.plots import heatmap
from attnoise.figures.vector import PAGE

SHEET = Path(__file__).parents[2] / "web" / "static" / "css" / "palette.css"
LIGHT, DARK = SHEET.read_text(encoding="utf8").split("@media screen")


def variables(text):
    return dict(re.findall(r"--pan-([a-z-]+): (#[0-9a-f]{6});", text))


def linear(shade):
    parts = np.array(to_rgb(shade))
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    least, most = sorted(float(linear(shade) @ [0.2126, 0.7152, 0.0722]) for shade in (a, b))
    return (most + 0.05) / (least + 0.05)


def oklab(shade):
    """Björn Ottosson's space, in which equal distances look equal."""
    cones = np.cbrt(np.array([
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]) @ linear(shade))  # fmt: skip
    return np.array([
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]) @ cones  # fmt: skip


def test_colours_are_those_of_the_page():
    page = variables(LIGHT)
    named = {name: shade for name, shade in PAGE.items() if name != "figure"}
    assert {name: page[name].upper() for name in named} == named
    assert "--pan-figure: transparent" in LIGHT
    assert {*IDEAS, *NEUTRALS, "edge", "rule", "on-pale", "on-deep"} <= set(variables(DARK))


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_no_idea_looks_like_none(sheet):
    page = variables(sheet)
    for name in NEUTRALS:
        assert contrast(page[name], page["paper"]) >= 4, name  # lines need 3
        for other in {*IDEAS, *NEUTRALS} - {name}:
            apart = np.linalg.norm(oklab(page[name]) - oklab(page[other]))
            assert apart > 0.08, (name, other)
    for idea in IDEAS:
        assert contrast(page[idea], page["paper"]) >= 4.5, idea


def test_colours_are_readable_on_the_card():
    for idea, shade in COLOURS.items():
        assert contrast(CARD, shade) >= 4.5, idea
    with pytest.raises(ConfigError, match="idea must be one of 'query', .*did you mean 'noise'"):
        colour("noize")


def test_methods_differ_in_more_than_colour():
    lines, marks = {look[:2] for look in LOOKS}, {look[2] for look in LOOKS}
    assert len(lines) == len(marks) == len(LOOKS)
    looks = [method(i) for i in range(len(LOOKS))]
    assert {look["color"] for look in looks} | {GUIDE["color"]} <= set(NEUTRALS.values())
    assert (
        "marker" not in method(0, marker=False)
        and method(0, linestyle="", marker="x")["marker"] == "x"
    )
    with pytest.raises(ConfigError, match="place must be one of '0'"):
        method(len(LOOKS))


def test_a_tint_lets_the_ground_shine_through():
    none, most = tint("data")([0.0, 1.0])
    np.testing.assert_allclose(most[:3], to_rgb(IDEAS["data"]))
    assert none[3] == 0 and most[3] == 1
    assert mpl.colormaps["ink"](1.0) == tint("ink")(1.0)
    with pytest.raises(ConfigError, match="'brick'"):
        tint("blue")


@pytest.mark.parametrize("sheet", [LIGHT, DARK], ids=["light", "dark"])
def test_each_number_stands_out_from_its_cell(sheet):
    page = variables(sheet)
    weights = np.linspace(0, 1, 101)[:, None]
    ax, shown = heatmap(weights), {ON_PALE: page["on-pale"], ON_DEEP: page["on-deep"]}
    for weight, text in zip(weights[:, 0], ax.texts, strict=True):
        cell = (1 - weight) * np.array(to_rgb(page["paper"])) + weight * np.array(
            to_rgb(page["ink"])
        )
        shade = shown.get(text.get_color(), BETWEEN)
        assert contrast(cell, shade) >= 4.5, text.get_text()
    mpl.pyplot.close("all")
