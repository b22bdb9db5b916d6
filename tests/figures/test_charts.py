"""Charts that move: what the page gets, what is drawn without it, and what is refused."""

import base64
import io
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from PIL import Image
from tests.figures.figure_examples import charting, panels

from attnoise.errors import ConfigError, ShapeError
from attnoise.figures.chart_panels import TONES
from attnoise.figures.chart_stills import draw_panels, lines_of
from attnoise.figures.charts import (
    Bars,
    Control,
    Curves,
    Heat,
    Pictures,
    chart,
    numbers_of,
    round_end,
    set_ends,
    split,
)

ONE = {"size": Control(label="Size", values=[1, 2, 3])}


def small(show, **changes):
    """A chart with one control."""
    given = {"title": "Bars", "alt": "Some bars."}
    return chart(show, lambda size: f"Size {size}.", ONE, **{**given, **changes})


def content(figure):
    """What the page draws."""
    return json.loads(base64.b64decode(figure.data["panels"].split(",")[1]))


def bars(values, **changes):
    return Bars([f"b{i}" for i in range(len(values))], values, label="height", **changes)


def test_every_frame_can_be_put_together_again():
    figure = charting()
    stored = content(figure)
    points = [(width, kind) for width in (1, 2, 3) for kind in ("a", "b")]
    assert len(stored["frames"]) == len(points) == len(figure.data["sentences"])
    for (width, kind), own, said in zip(
        points, stored["frames"], figure.data["sentences"], strict=True
    ):
        assert said == figure.sentence(width=width, kind=kind)
        whole = [{**same, **rest} for same, rest in zip(stored["shared"], own, strict=True)]
        made = [panel.data() for panel in panels(width, kind)]
        for found, wanted in zip(whole, made, strict=True):
            assert {**found, "most": 0} == {**wanted, "most": 0}
        assert figure.numbers(width=width, kind=kind) == {"values": numbers_of(made)}


def test_what_frames_share_is_stored_once():
    shared, own = split([[{"a": 1, "b": 2}], [{"a": 1, "b": 3}]])
    assert (shared, own) == ([{"a": 1}], [[{"b": 2}], [{"b": 3}]])


def test_numbers_stand_apart_from_what_tests_compare_as_text():
    figure = small(lambda size: bars([size / 7, 0.123456]))
    text = figure.html()
    assert "0.1235" not in text and content(figure)["frames"][0][0]["rows"][0]["values"] == [
        0.1429,
        0.1235,
    ]


def test_an_axis_ends_above_the_largest_number_of_all_frames():
    figure = small(lambda size: [bars([size * 0.027]), bars([1.0], most=5)])
    assert [panel["most"] for panel in content(figure)["shared"]] == [0.1, 5]
    frames = [[bars([0.0]).data()], [bars([0.0]).data()]]
    set_ends(frames)
    assert frames[1][0]["most"] == 1


@pytest.mark.parametrize(
    ("largest", "end"),
    [(0.083, 0.1), (17.4, 20), (1, 1), (1.01, 1.2), (0.0021, 0.0025), (8e5, 8e5)],
)
def test_round_end(largest, end):
    assert round_end(largest) == end


def test_pictures_are_bytes_of_ink_or_colours_as_they_are():
    grey = Pictures("grey", torch.tensor([-3.0, -1.0, 0.0, 1.0]).view(1, 1, 2, 2)).data()
    assert list(base64.b64decode(grey["images"][0].split(",")[1])) == [0, 0, 128, 255]
    image = torch.zeros(2, 3, 5, 5)
    image[1, 0] = 1
    coloured = Pictures("colours", image).data()
    assert coloured["colour"] and coloured["count"] == len(coloured["images"]) == 2
    red = np.asarray(Image.open(io.BytesIO(base64.b64decode(coloured["images"][1].split(",")[1]))))
    assert red.shape == (5, 5, 3) and red[0, 0].tolist() == [255, 128, 128]


# The still ---------------------------------------------------------------------------------------
def test_the_still_draws_the_same_numbers():
    data = [panel.data() for panel in panels(2, "a")]
    set_ends([data])
    axes = draw_panels(data).axes
    assert len(axes) == len(data)
    (_, heat, _, upright, curves, row, level) = axes
    assert heat.images[0].get_array().tolist() == data[1]["cells"]
    heights = [bar.get_height() for bar in upright.patches]
    assert heights == pytest.approx([v for r in data[3]["rows"] for v in r["values"]])
    for line, wanted in zip(curves.lines, data[4]["rows"], strict=True):
        assert line.get_ydata() == pytest.approx(wanted["values"])
    assert row.images[0].get_array().shape == (8, 11 * 9 - 1)
    lengths = [bar.get_width() for bar in level.patches]
    assert lengths == pytest.approx(data[6]["rows"][0]["values"])
    shades = [to_hex(bar.get_facecolor()).upper() for bar in level.patches]
    assert shades == [TONES["data"], TONES["prediction"], TONES["prediction"]]
    plt.close("all")


def test_squares_stand_beside_each_other_and_a_chart_beside_two_of_them():
    square, wide = {"kind": "heat"}, {"kind": "bars"}
    assert lines_of([square, square, wide]) == [[square, square, wide]]
    assert lines_of([square] * 5 + [wide]) == [[square] * 5, [wide]]
    assert lines_of([wide, square, wide, wide]) == [[wide], [square, wide], [wide]]


# What is refused ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (lambda: Bars("ab", [1.0], label="x"), "values must hold 2 numbers"),
        (lambda: Bars("ab", {"r": [1, 2], "s": [1]}, label="x"), "'s' holds 1"),
        (lambda: Curves([1, 2], {"r": [1.0]}, label="x", across="y"), "must hold 2 numbers"),
        (
            lambda: Heat("h", torch.zeros(3, 5), low=0, high=1),
            r"square, but their shape is \(3, 5\)",
        ),
        (lambda: Pictures("p", torch.zeros(2, 8, 8)), r"side\), but their shape is \(2, 8, 8\)"),
        (lambda: Pictures("p", torch.zeros(2, 1, 7, 8)), r"\(2, 1, 7, 8\)"),
    ],
)
def test_what_does_not_fit_is_named(panel, message):
    with pytest.raises(ShapeError, match=message):
        small(lambda size: panel())


@pytest.mark.parametrize(
    "changes",
    [{"tone": "pink"}, {"tones": ["pink"]}, {"key": {"pink": "x"}}, {"name_tone": "pink"}],
)
def test_an_unknown_colour_is_named(changes):
    with pytest.raises(ConfigError, match=r"tone must be one of .*'ink'.*'pink'"):
        small(lambda size: bars([1.0], **changes))


def test_panels_must_keep_their_kinds():
    with pytest.raises(ConfigError, match=r"always return panels \['bars'\], but once it is \[\]"):
        small(lambda size: [bars([1.0])] if size < 3 else [])
