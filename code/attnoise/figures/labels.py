"""Names at the lines themselves: a plot needs no legend, and colour is never the only sign."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes


def label_lines(ax: Axes, *, gap: float = 12.0, **text: Any) -> Axes:
    """Write the name of each line at its right end, instead of a legend.

    Args:
        ax: Axes with lines that have labels; those without get none.
        gap: The least distance between two names, in points.
        text: What else `annotate` takes.
    """
    lines = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    to_axes = ax.transAxes.inverted()
    ends = []
    for line in lines:
        place = (line.get_transform() + to_axes).transform(np.asarray(line.get_xydata())[-1])
        ends.append((float(place[0]), float(place[1])))
    points = 0.78 * 72 * ax.figure.bbox.height / ax.figure.dpi  # of the axes, about
    heights = spread_out([end[1] for end in ends], gap / points)
    for line, end, y in zip(lines, ends, heights, strict=True):
        look: Any = {"va": "center", "color": line.get_color(), "fontsize": 9, **text}
        where: Any = {"xycoords": "axes fraction", "textcoords": "offset points"}
        name = str(line.get_label())
        ax.annotate(name, (end[0], y), (5, 0), **where, annotation_clip=False, **look)
    return ax


def spread_out(heights: Sequence[float], least: float) -> list[float]:
    """Move numbers apart until each is `least` from its neighbours, as little as it takes."""
    order = np.argsort(heights, kind="stable")
    kept = np.asarray(heights, dtype=float)[order]
    groups = [[value] for value in kept]
    while True:
        centres = [np.mean(group) for group in groups]
        reach = [(len(group) - 1) * least / 2 for group in groups]
        close = [
            i
            for i in range(len(groups) - 1)
            if centres[i + 1] - reach[i + 1] - centres[i] - reach[i] < least - 1e-9
        ]
        if not close:
            break
        groups[close[0] : close[0] + 2] = [groups[close[0]] + groups[close[0] + 1]]
    moved = [np.mean(g) + least * (i - (len(g) - 1) / 2) for g in groups for i in range(len(g))]
    result = np.empty(len(kept))
    result[order] = moved
    return [float(value) for value in result]
