"""The shared plots: what they show, in which colours, and what they refuse."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from attnoise.errors import ShapeError
from attnoise.figures.palette import CARD, COLOURS, IDEAS, method
from attnoise.figures.plots import (
    WIDTH,
    curve_with_band,
    digit_grid,
    heatmap,
    scatter_plane,
)

pytestmark = pytest.mark.usefixtures("style")


def test_style_draws_so_that_text_can_be_read_on_a_phone():
    assert plt.rcParams["figure.figsize"][0] == WIDTH == 4.5
    column = 328  # pixels that a page of 360 leaves
    for size in ("font.size", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"):
        assert plt.rcParams[size] * column / (72 * WIDTH) >= 9, size
    assert plt.rcParams["savefig.dpi"] == 2 * plt.rcParams["figure.dpi"]
    assert to_hex(plt.rcParams["figure.facecolor"]).upper() == CARD
    assert plt.rcParams["font.sans-serif"] == ["DejaVu Sans"]


def test_a_line_that_names_no_colour_borrows_none():
    worn = {look["color"].upper() for look in plt.rcParams["axes.prop_cycle"]}
    worn |= {
        to_hex(plt.rcParams[key]).lstrip("#").upper() for key in ("axes.edgecolor", "xtick.color")
    }
    assert len(worn) > 4 and not worn & {shade.lstrip("#") for shade in IDEAS.values()}


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
    assert shown[0].images[0].get_clim() == (-1, 1)
    paper, ink = shown[0].images[0].cmap([0.0, 1.0])
    assert paper[3] == 0 and to_hex(ink, keep_alpha=True) == COLOURS["ink"].lower() + "ff"
    with pytest.raises(ShapeError, match=r"images must have shape .* \(3, 5\)"):
        digit_grid(torch.zeros(3, 5))
    with pytest.raises(ShapeError, match="each of the 7 images, but it holds 2"):
        digit_grid(images, titles=["a", "b"])


def test_curve_shows_the_mean_and_every_seed():
    values = torch.tensor([[0.0, 1.0, 5.0], [2.0, 3.0, 4.0]])
    look = method(1, marker=False)
    ax = curve_with_band(torch.arange(3), values, label="model", look=look)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1.0, 2.0, 4.5])
    assert ax.lines[0].get_label() == "model (2 seeds)"
    assert (ax.lines[0].get_color(), ax.lines[0].get_linestyle()) == (look["color"], "--")
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
