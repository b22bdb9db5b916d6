"""The book's plots: one style, and the pictures that chapters share; palette.py has the colours.

Plots are drawn 4.5 inches wide, so that they can be read on a phone too; vector.py writes them for
the page. Beside that stands a picture on a near-white card, for whoever shows no vectors.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..errors import ShapeError
from .labels import label_lines
from .palette import (
    BETWEEN,
    CARD,
    COLOURS,
    GUIDE,
    NEUTRALS,
    ON_DEEP,
    ON_PALE,
    RULE,
    colour,
    method,
    tint,
)
from .vector import to_svg

__all__ = [
    "CARD",
    "COLOURS",
    "GUIDE",
    "NEUTRALS",
    "RULE",
    "colour",
    "curve_with_band",
    "digit_grid",
    "heatmap",
    "label_lines",
    "method",
    "scatter_plane",
    "tint",
    "use_style",
]

WIDTH = 4.5  # inches: what a plot takes, so that its text can be read on a phone
STYLE_FILE = Path(__file__).with_name("attnoise.mplstyle")


def use_style() -> None:
    """Load the book's matplotlib style; in a notebook let plots be stored as vectors and as pixels.

    The same figure gives the same bytes each time: no date and no version is written into it.
    """
    plt.style.use(STYLE_FILE)
    try:
        from IPython.core.getipython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # a script without IPython
        return
    shell = get_ipython()
    if shell is not None and shell.display_formatter is not None:
        set_matplotlib_formats("retina", bbox_inches=None, metadata={"Software": None})
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, to_svg)


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
        cell = min(0.44, (WIDTH - 1.0) / grid.shape[1])
        size = (1.0 + cell * grid.shape[1], 0.9 + cell * grid.shape[0])
        _, ax = plt.subplots(figsize=size)
    ax.imshow(grid, cmap="ink", vmin=0, vmax=1, aspect="equal")
    for (row, column), weight in np.ndenumerate(grid) if digits is not None else ():
        # black stands out from pale cells and white from deep ones; on a dark page the other way
        shade = ON_PALE if weight < 0.45 else BETWEEN if weight < 0.63 else ON_DEEP
        text = f"{weight:.{digits}f}"
        ax.text(column, row, text, ha="center", va="center", color=shade, fontsize=9)
    ax.set_yticks(range(grid.shape[0]), labels[0], color=COLOURS["query"])
    ax.set_xticks(range(grid.shape[1]), labels[1], color=COLOURS["key"])
    ax.set_ylabel("query", color=COLOURS["query"])
    ax.set_xlabel("key", color=COLOURS["key"])
    ax.tick_params(length=0)
    ax.spines[:].set(visible=True, color=RULE)
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
    side = min(0.7, WIDTH / columns)
    size = (side * columns, (side + (0.24 if titles is not None else 0)) * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for index, ax in enumerate(axes.flat):
        ax.axis("off")
        if index < len(stack):
            ax.imshow(stack[index], cmap="ink", vmin=-1, vmax=1)
        if titles is not None and index < len(titles):
            ax.set_title(titles[index], fontsize=9, loc="center", pad=3)
    return figure


def curve_with_band(
    x: Float[Tensor, " n"],
    values_by_seed: Float[Tensor, "seeds n"],
    ax: Axes | None = None,
    *,
    label: str | None = None,
    look: Mapping[str, Any] | None = None,
) -> Axes:
    """Draw the mean over seeds as a line, and from the least to the greatest seed as a band.

    Args:
        x: Where the values were taken.
        values_by_seed: One row of values per seed.
        ax: Where to draw; a new figure if not given.
        label: The line's name in a legend; the number of seeds is added.
        look: How the line is drawn; as `method(0)` says if not given.

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
    look = method(0, marker=False) if look is None else look
    ax.fill_between(places, rows.min(0), rows.max(0), color=look["color"], alpha=0.18, lw=0)
    ax.plot(places, rows.mean(0), **look, label=name)
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
        _, ax = plt.subplots(figsize=(3.2, 3.2))
    ax.scatter(plane[:, 0], plane[:, 1], s=size, color=colour(idea), alpha=0.75, label=label)
    ax.set_aspect("equal")
    if limit is not None:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return ax


def as_array(values) -> np.ndarray:
    """Return a tensor, an array or a list as an array that matplotlib draws."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
