"""Pictures of charts for where no script runs: the panels of `charts` in matplotlib."""

import base64
import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from .chart_panels import TONES
from .plots import CARD

WIDTH = 6.4  # inches
DASHES = ("-", "--", ":")
HEIGHTS = {"bars": 2.3, "curves": 2.8, "squares": 1.9}  # inches of a line of panels


def draw_panels(panels: list[dict]) -> Figure:
    """Draw panels below each other; squares stand beside each other, with a chart after them."""
    lines = lines_of(panels)
    heights = [height_of(line) for line in lines]
    figure = plt.figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(lines), 1, height_ratios=heights)
    for place, line in enumerate(lines):
        widths = [1 if is_square(panel) else 1.6 for panel in line]
        cells = grid[place, 0].subgridspec(1, len(line), width_ratios=widths)
        for column, panel in enumerate(line):
            DRAW[panel["kind"]](figure.add_subplot(cells[0, column]), panel)
    return figure


def is_square(panel: dict) -> bool:
    """Say whether a panel is as wide as it is high."""
    return panel["kind"] == "heat" or panel.get("count") == 1


def lines_of(panels: list[dict]) -> list[list[dict]]:
    """Return the panels line by line."""
    lines: list[list[dict]] = []
    for panel in panels:
        beside = lines and all(map(is_square, lines[-1])) and len(lines[-1]) < 5
        if beside and (is_square(panel) or len(lines[-1]) < 3):
            lines[-1].append(panel)
        else:
            lines.append([panel])
    return lines


def height_of(line: list[dict]) -> float:
    """Return how high a line of panels is, in inches."""
    first = line[0]
    if is_square(first):
        return HEIGHTS["squares"]
    if first["kind"] == "pictures":
        return WIDTH / first["count"] + 0.35
    if first.get("level"):
        return 0.9 + 0.28 * len(first["names"])
    return HEIGHTS[first["kind"]]


def draw_bars(ax: Axes, panel: dict[str, Any]) -> None:
    """Draw bars, upright or level."""
    rows, count = panel["rows"], len(panel["names"])
    wide = 0.84 / len(rows)
    for place, row in enumerate(rows):
        at = np.arange(count) + (place - (len(rows) - 1) / 2) * wide
        shades = [TONES[tone] for tone in panel["tones"] or [row["tone"]] * count]
        name = row["name"] or None
        if panel["level"]:
            drawn = ax.barh(at, row["values"], wide, color=shades)
        else:
            drawn = ax.bar(at, row["values"], wide, color=shades, label=name)
        if count * len(rows) <= 9:
            ax.bar_label(drawn, fmt=f"%.{panel['digits']}f", fontsize=8, padding=2)
    if panel["level"]:
        ax.set_yticks(range(count), panel["names"])
        ax.invert_yaxis()
        ax.set(xlim=(0, panel["most"]), xlabel=panel["label"])
    else:
        ax.set_xticks(range(count), panel["names"], color=TONES[panel["name_tone"]])
        ax.set(ylim=(0, panel["most"]), ylabel=panel["label"])
    if panel["key"]:
        ax.legend(handles=[Patch(color=TONES[tone], label=text) for tone, text in panel["key"]])
    elif len(rows) > 1:
        ax.legend()
    ax.set_title(panel["title"])


def draw_curves(ax: Axes, panel: dict[str, Any]) -> None:
    """Draw lines over one axis."""
    for row, dash in zip(panel["rows"], DASHES, strict=False):
        ax.plot(panel["x"], row["values"], dash, color=TONES[row["tone"]], label=row["name"])
    ax.set(ylim=(0, panel["most"]), xlabel=panel["across"], ylabel=panel["label"])
    ax.set_title(panel["title"])
    ax.legend(loc="best")


def draw_heat(ax: Axes, panel: dict[str, Any]) -> None:
    """Draw a number for each cell."""
    full, under = (to_rgba(TONES[panel[name]]) for name in ("tone", "under"))
    low, high = panel["low"], panel["high"]
    shades = [(max(0.0, -low / (high - low)), to_rgba(CARD)), (1.0, full)]
    if low < 0:
        shades.insert(0, (0.0, under))
    colours = LinearSegmentedColormap.from_list("heat", shades)
    cells = np.array(panel["cells"])
    ax.imshow(cells, cmap=colours, vmin=low, vmax=high)
    ax.set(xticks=[], yticks=[], xlabel=f"{cells.min():.1f} to {cells.max():.1f}{panel['unit']}")
    ax.set_title(panel["title"], fontsize=9)
    ax.spines[:].set_visible(True)


def draw_pictures(ax: Axes, panel: dict[str, Any]) -> None:
    """Draw pictures side by side."""
    contents = [base64.b64decode(image.split(",")[1]) for image in panel["images"]]
    if panel["colour"]:
        strip = np.hstack([np.asarray(Image.open(io.BytesIO(each))) for each in contents])
    else:
        stack = np.frombuffer(contents[0], np.uint8).reshape(panel["count"], *panel["shape"])
        edged = np.pad(stack, ((0, 0), (0, 0), (0, 1)))  # a blank line after each
        strip = np.hstack(list(edged))[:, :-1]
    ax.imshow(strip, cmap="gray_r", vmin=0, vmax=255)
    ax.set_axis_off()
    ax.set_title(panel["title"], fontsize=9)


DRAW: dict[str, Callable[[Axes, dict], None]] = {
    "bars": draw_bars,
    "curves": draw_curves,
    "heat": draw_heat,
    "pictures": draw_pictures,
}
