"""A scene as PNG, for the places that show no SVG: drawn by matplotlib from the same primitives."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Outline
from PIL import Image

from .geometry import Box, Path
from .scene import LABEL, SHAPE, WIDTH, Scene

COLOURS = {
    "query": "#0B6FB8", "key": "#A15C00", "value": "#0A7D5A", "data": "#4B3FA8",
    "noise": "#5F6B7A", "prediction": "#B0307C", "ink": "#1F2430", "plain": "#7D7F8C",
    "quiet": "#7D7F8C",
}  # fmt: skip
PAPER, WASH, RULE = "#FDFDFE", "#F6F5F9", "#DCDBE4"
CODES = {"M": Outline.MOVETO, "L": Outline.LINETO, "Q": Outline.CURVE3}
POINTS = 72 / 96  # of type, in a pixel
DASHES = (0, (4, 3))
COLOURS_KEPT = 128  # a third of the bytes, and no difference to be seen


def to_png(scene: Scene, *, scale: float = 2.0) -> bytes:
    """Return the drawing in light colours, `scale` dots for each pixel."""
    plain = {**matplotlib.rcParamsDefault, "backend": matplotlib.rcParams["backend"]}
    with matplotlib.rc_context(plain):  # whatever style a chapter has loaded
        size = WIDTH / 96, scene.height / 96
        figure = Figure(figsize=size, dpi=96 * scale, facecolor=PAPER)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, WIDTH), ylim=(scene.height, 0))
        axes.axis("off")
        axes.autoscale(False)
        for kind, _, what in scene.items:
            DRAWERS[kind](axes, **what)
        drawn, small = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, format="png", metadata={"Software": None})
    few = Image.open(drawn).convert("RGB").quantize(COLOURS_KEPT)
    few.save(small, format="PNG", optimize=True)
    return small.getvalue()


def rect(axes: Axes, box: Box, radius: float, tone: str, dashed: bool) -> None:
    """Draw a box."""
    style = f"round,pad=0,rounding_size={radius}"
    face = WASH if tone == "quiet" else PAPER
    edge = RULE if tone == "quiet" else COLOURS[tone]
    line: dict[str, Any] = {"lw": 1.0, "ls": DASHES if dashed else "-", "ec": edge}
    axes.add_patch(FancyBboxPatch((box.x, box.y), box.w, box.h, style, fc=face, **line))
    if tone not in ("plain", "quiet", "ink"):
        tint: dict[str, Any] = {"fc": COLOURS[tone], "alpha": 0.1, "lw": 0}
        axes.add_patch(FancyBboxPatch((box.x, box.y), box.w, box.h, style, **tint))


def text(axes: Axes, x: float, y: float, text: str, kind: str, anchor: str, tone: str) -> None:
    """Draw a text whose middle lies at height y."""
    size = (LABEL if kind == "label" else SHAPE) * POINTS * 0.93  # DejaVu runs wide
    family = "DejaVu Sans Mono" if kind == "shape" else "DejaVu Sans"
    colour = COLOURS["noise"] if kind != "label" and tone == "ink" else COLOURS[tone]
    align = {"middle": "center", "start": "left", "end": "right"}[anchor]
    axes.text(x, y, text, size=size, family=family, color=colour, ha=align, va="center_baseline",
              parse_math=False)  # fmt: skip


def path(axes: Axes, path: Path, tone: str, dashed: bool, head: list | None) -> None:
    """Draw a line and its head."""
    points, codes = [], []
    for step in path:
        pairs = list(zip(step[1::2], step[2::2], strict=True))
        points += pairs
        codes += [CODES[step[0]]] * len(pairs)
    colour = {"ink": COLOURS["plain"], "quiet": RULE}.get(tone, COLOURS[tone])
    look: dict[str, Any] = {"fc": "none", "ec": colour, "lw": 1.0, "ls": DASHES if dashed else "-"}
    axes.add_patch(PathPatch(Outline(points, codes), **look))
    if head is not None:
        axes.add_patch(Polygon(head, fc=colour, lw=0))


def circle(axes: Axes, cx: float, cy: float, r: float) -> None:
    """Draw the circle of a sum."""
    axes.add_patch(Circle((cx, cy), r, fc=PAPER, ec=COLOURS["plain"], lw=1.0))


def cells(axes: Axes, box: Box, grid: Any, side: float, tone: str) -> None:
    """Draw a matrix."""
    for i, row in enumerate(grid.tolist()):
        for j, value in enumerate(row):
            corner = box.x + j * side + 0.5, box.y + i * side + 0.5
            look = {"fc": COLOURS[tone], "alpha": round(0.06 + 0.94 * value, 2), "lw": 0}
            axes.add_patch(Rectangle(corner, side - 1, side - 1, **look))


def image(axes: Axes, box: Box, pixels: Any) -> None:
    """Draw a picture in a frame."""
    extent = (box.x, box.x + box.w, box.y + box.h, box.y)
    axes.imshow(pixels, extent=extent, cmap="gray", vmin=0, vmax=255, interpolation="nearest",
                aspect="auto")  # fmt: skip
    axes.add_patch(Rectangle((box.x, box.y), box.w, box.h, fc="none", ec=RULE, lw=1.0))


def bar(axes: Axes, box: Box, tone: str) -> None:
    """Draw a bar of a chart."""
    axes.add_patch(Rectangle((box.x, box.y), box.w, box.h, fc=COLOURS[tone], lw=0))


def hit(axes: Axes, box: Box) -> None:
    """Draw nothing: it is there for fingers."""


DRAWERS: dict[str, Callable[..., None]] = {
    "bar": bar, "hit": hit, "rect": rect, "text": text, "path": path, "circle": circle,
    "cells": cells, "image": image,
}  # fmt: skip
