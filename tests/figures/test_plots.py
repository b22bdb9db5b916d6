"""The shared plots: what they show, in which colours, and what they refuse."""

import io
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb

from attnoise.errors import ConfigError, ShapeError
from attnoise.figures.plots import (
    CARD,
    COLOURS,
    WIDTH,
    colour,
    curve_with_band,
    digit_grid,
    heatmap,
    scatter_plane,
    use_style,
)

PALETTE = Path(__file__).parents[2] / "web" / "static" / "css" / "palette.css"


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        use_style()
        yield
    plt.close("all")


def luminance(shade):
    parts = np.array(to_rgb(shade))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_style_draws_at_the_size_of_the_column():
    assert plt.rcParams["figure.figsize"][0] == WIDTH == 6.4
    assert plt.rcParams["savefig.dpi"] == 2 * plt.rcParams["figure.dpi"]
    assert to_hex(plt.rcParams["figure.facecolor"]).upper() == CARD
    assert plt.rcParams["font.sans-serif"] == ["DejaVu Sans"]


def test_colours_are_those_of_the_page():
    light = PALETTE.read_text().split("}")[0]
    page = dict(re.findall(r"--pan-([a-z]+): (#[0-9a-f]{6})", light))
    assert {idea: page[idea].upper() for idea in COLOURS} == COLOURS


def test_colours_are_readable_on_the_card():
    for idea, shade in COLOURS.items():
        contrast = (luminance(CARD) + 0.05) / (luminance(shade) + 0.05)
        assert contrast >= 4.5, idea
    with pytest.raises(ConfigError, match="idea must be one of 'query', .*did you mean 'noise'"):
        colour("noize")


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_same_plot_gives_same_bytes(kind):
    def saved():
        figure, ax = plt.subplots()
        scatter_plane(torch.arange(14.0).reshape(7, 2), ax)
        buffer = io.BytesIO()
        wanted = {"Software": None} if kind == "png" else {"Date": None}
        figure.savefig(buffer, format=kind, metadata=wanted)
        return buffer.getvalue()

    assert saved() == saved()


def test_heatmap_shows_rows_as_queries():
    weights = torch.arange(15.0).reshape(3, 5) / 15
    ax = heatmap(weights, queries=["a", "b", "c"])
    np.testing.assert_array_equal(ax.images[0].get_array(), weights)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "3", "4"]
    assert [text.get_text() for text in ax.texts][:2] == ["0.00", "0.07"] and len(ax.texts) == 15
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("key", "query")
    assert ax.figure.get_figwidth() <= WIDTH
    for text in ax.texts:  # each number stands out from its cell
        column, row = text.get_position()
        cell = luminance(ax.images[0].cmap(float(weights[int(row), int(column)]))[:3])
        light, dark = sorted((cell, luminance(text.get_color())), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, text.get_text()
    with pytest.raises(ShapeError, match=r"weights\[0, 0\]"):
        heatmap(weights[None])
    with pytest.raises(ShapeError, match="keys must hold 5 labels to fit weights, but it holds 3"):
        heatmap(weights, keys=["a", "b", "c"])


def test_digit_grid_shows_ink_as_dark():
    images = torch.linspace(-1, 1, 7 * 5 * 3).reshape(7, 1, 5, 3)
    figure = digit_grid(images, columns=4, titles=[str(i) for i in range(7)])
    assert len(figure.axes) == 8 and figure.get_figwidth() <= WIDTH
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == [str(i) for i in range(7)]
    np.testing.assert_array_equal(shown[2].images[0].get_array(), images[2, 0])
    assert shown[0].images[0].get_clim() == (-1, 1) and shown[0].images[0].cmap(1.0)[0] == 0
    with pytest.raises(ShapeError, match=r"images must have shape .* \(3, 5\)"):
        digit_grid(torch.zeros(3, 5))
    with pytest.raises(ShapeError, match="each of the 7 images, but it holds 2"):
        digit_grid(images, titles=["a", "b"])


def test_curve_shows_the_mean_and_every_seed():
    values = torch.tensor([[0.0, 1.0, 5.0], [2.0, 3.0, 4.0]])
    ax = curve_with_band(torch.arange(3), values, label="model", idea="data")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1.0, 2.0, 4.5])
    assert ax.lines[0].get_label() == "model (2 seeds)"
    assert ax.lines[0].get_color() == COLOURS["data"]
    corners = ax.collections[0].get_paths()[0].vertices
    assert {(0.0, 2.0), (2.0, 4.0), (2.0, 5.0)} <= {tuple(map(float, corner)) for corner in corners}
    with pytest.raises(ShapeError, match=r"\(seeds, 3\) to fit x, but its shape is \(3, 2\)"):
        curve_with_band(torch.arange(3), values.T)


def test_scatter_plane_keeps_both_axes_alike():
    points = torch.arange(14.0).reshape(7, 2)
    ax = scatter_plane(points, idea="noise", limit=3)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), points)
    assert ax.get_aspect() == 1 and ax.get_xlim() == ax.get_ylim() == (-3, 3)
    with pytest.raises(ShapeError, match=r"\(points, 2\), but its shape is \(2, 7\)"):
        scatter_plane(points.T)
