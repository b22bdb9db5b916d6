"""The book's plots: one style, one colour per idea, and the four pictures that chapters share.

Figures are drawn at the size at which a page shows them, at most 6.4 inches wide, on a near-white
card that reads well on a light and on a dark page.
"""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import ShapeError, choose

COLOURS = {
    "query": "#0B6FB8",
    "key": "#A15C00",
    "value": "#0A7D5A",
    "data": "#4B3FA8",
    "noise": "#5F6B7A",
    "prediction": "#B0307C",
    "ink": "#1F2430",
}
CARD = "#FDFDFE"  # what figures are drawn on
RULE = "#DCDBE4"  # hairlines
WIDTH = 6.4  # inches: the width of a page's column
WEIGHTS = LinearSegmentedColormap.from_list("weights", [CARD, "#8F97B3", COLOURS["ink"]])
STYLE_FILE = Path(__file__).with_name("attnoise.mplstyle")


def use_style() -> None:
    """Load the book's matplotlib style, and in a notebook let pictures be sharp and stable.

    The same figure gives the same png bytes each time: no date and no version is written into it.
    """
    plt.style.use(STYLE_FILE)
    try:
        from IPython.core.getipython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # a script without IPython
        return
    if get_ipython() is not None:
        set_matplotlib_formats("retina", bbox_inches=None, metadata={"Software": None})


def colour(idea: str) -> str:
    """Return the colour of an idea: one of the keys of COLOURS.

    Raises:
        ConfigError: No idea has that name; the message lists them.

    >>> colour("query")
    '#0B6FB8'
    """
    return choose("idea", idea, COLOURS)


def heatmap(
    weights: Float[Tensor, "n m"],
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    digits: int | None = 2,
) -> Axes:
    """Draw attention weights: one row per query, one column per key, each number in its cell.

    Args:
        weights: Attention weights in [0, 1].
        queries: A label for each row; positions counted from 0 if not given.
        keys: A label for each column; positions counted from 0 if not given.
        ax: Where to draw; a new figure if not given.
        digits: Digits after the point in each cell; None writes no numbers.

    Raises:
        ShapeError: weights is not a matrix, or the labels do not fit it.
    """
    grid = as_array(weights)
    if grid.ndim != 2:
        raise ShapeError(
            f"weights must have shape (queries, keys), but its shape is {grid.shape}; "
            "pick one sample and one head first, as in weights[0, 0]."
        )
    labels = []
    for name, given, count in (("queries", queries, grid.shape[0]), ("keys", keys, grid.shape[1])):
        labels.append([str(i) for i in range(count)] if given is None else list(given))
        if len(labels[-1]) != count:
            raise ShapeError(
                f"{name} must hold {count} labels to fit weights, but it holds {len(labels[-1])}."
            )
    if ax is None:
        cell = min(0.62, (WIDTH - 1.2) / grid.shape[1])
        size = (1.2 + cell * grid.shape[1], 0.9 + cell * grid.shape[0])
        _, ax = plt.subplots(figsize=size)
    ax.imshow(grid, cmap=WEIGHTS, vmin=0, vmax=1, aspect="equal")
    for row, column in np.ndindex(grid.shape) if digits is not None else ():
        # the weight at which black and white stand out from its cell alike
        shade = "#FFFFFF" if grid[row, column] > 0.65 else "#000000"
        text = f"{grid[row, column]:.{digits}f}"
        ax.text(column, row, text, ha="center", va="center", color=shade, fontsize=8.5)
    ax.set_yticks(range(grid.shape[0]), labels[0], color=COLOURS["query"])
    ax.set_xticks(range(grid.shape[1]), labels[1], color=COLOURS["key"])
    ax.set_ylabel("query", color=COLOURS["query"])
    ax.set_xlabel("key", color=COLOURS["key"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def digit_grid(
    images: Float[Tensor, "b *c height width"],
    columns: int = 8,
    titles: Sequence[str] | None = None,
) -> Figure:
    """Draw images side by side: -1 is paper, +1 is ink, everything beyond is cut off.

    Args:
        images: Grey images in [-1, 1], with or without one channel axis.
        columns: Images in a row.
        titles: A short title for each image.

    Raises:
        ShapeError: images is not a stack of grey images, or the titles do not fit it.
    """
    stack = as_array(images)
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim != 3 or not len(stack):
        raise ShapeError(
            "images must have shape (images, height, width) or (images, 1, height, width), but "
            f"its shape is {np.shape(as_array(images))}."
        )
    if titles is not None and len(titles) != len(stack):
        raise ShapeError(
            f"titles must hold one title for each of the {len(stack)} images, "
            f"but it holds {len(titles)}."
        )
    columns = min(columns, len(stack))
    rows = -(-len(stack) // columns)
    side = min(0.85, WIDTH / columns)
    size = (side * columns, (side + (0.22 if titles is not None else 0)) * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for index, ax in enumerate(axes.flat):
        ax.axis("off")
        if index < len(stack):
            ax.imshow(stack[index], cmap="gray_r", vmin=-1, vmax=1)
        if titles is not None and index < len(titles):
            ax.set_title(titles[index], fontsize=8.5, loc="center", pad=3)
    return figure


def curve_with_band(
    x: Float[Tensor, " n"],
    values_by_seed: Float[Tensor, "seeds n"],
    ax: Axes | None = None,
    *,
    label: str | None = None,
    idea: str = "prediction",
) -> Axes:
    """Draw the mean over seeds as a line, and from the least to the greatest seed as a band.

    Args:
        x: Where the values were taken.
        values_by_seed: One row of values per seed.
        ax: Where to draw; a new figure if not given.
        label: The line's name in a legend; the number of seeds is added.
        idea: Whose colour to use, one of the keys of COLOURS.

    Raises:
        ShapeError: values_by_seed does not hold one value per seed and x.
    """
    places, rows = as_array(x), as_array(values_by_seed)
    if rows.ndim != 2 or rows.shape[1:] != places.shape:
        raise ShapeError(
            f"values_by_seed must have shape (seeds, {len(places)}) to fit x, "
            f"but its shape is {rows.shape}."
        )
    if ax is None:
        _, ax = plt.subplots()
    name = None if label is None else f"{label} ({len(rows)} seeds)"
    ax.fill_between(places, rows.min(0), rows.max(0), color=colour(idea), alpha=0.18, lw=0)
    ax.plot(places, rows.mean(0), color=colour(idea), label=name)
    return ax


def scatter_plane(
    points: Float[Tensor, "n 2"],
    ax: Axes | None = None,
    *,
    idea: str = "data",
    label: str | None = None,
    limit: float | None = None,
    size: float = 8.0,
) -> Axes:
    """Draw points in the plane, both axes alike.

    Args:
        points: The points.
        ax: Where to draw; a new figure if not given.
        idea: Whose colour to use, one of the keys of COLOURS.
        label: The points' name in a legend.
        limit: The axes reach from -limit to limit; as far as the points do if not given.
        size: Area of a dot in square points (1/72 inch).

    Raises:
        ShapeError: points does not hold two coordinates each.
    """
    plane = as_array(points)
    if plane.ndim != 2 or plane.shape[1] != 2:
        raise ShapeError(f"points must have shape (points, 2), but its shape is {plane.shape}.")
    if ax is None:
        _, ax = plt.subplots(figsize=(3.4, 3.4))
    ax.scatter(plane[:, 0], plane[:, 1], s=size, color=colour(idea), alpha=0.75, label=label)
    ax.set_aspect("equal")
    if limit is not None:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return ax


def as_array(values) -> np.ndarray:
    """Return a tensor, an array or a list as an array that matplotlib draws."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
